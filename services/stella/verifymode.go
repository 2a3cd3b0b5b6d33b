package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/requirement"
	"github.com/stella-ops/stella/attest/sigstore"
)

// maxArtifact bounds a signed file that is verified, in bytes: signatures are over all
// of it, which is held in memory.
const maxArtifact = 1 << 30

// verification is one run of "stella verify".
type verification struct {
	program      *program
	flags        *verifyFlags
	with         *verifying
	want         attest.Expectation
	requirements []attest.Requirement
	report       *verifiedReport
}

// prepareVerification reads whom to believe and what is asked for.
func (p *program) prepareVerification(ctx context.Context, f *verifyFlags) (*verification, error) {
	at := time.Now()
	if f.at != "" {
		var err error
		if at, err = time.Parse(time.RFC3339, f.at); err != nil {
			return nil, usageError("--at %q: want RFC 3339, such as 2026-12-24T12:00:00Z", f.at)
		}
	}
	if f.threshold < 1 || f.maxAge < 0 {
		return nil, usageError("--threshold is at least 1, and --max-age is not negative")
	}
	if len(f.keys) == 0 && f.root == "" {
		dir, err := p.kitFolder(ctx, &dbFlags{}, f.source.offline)
		if err != nil {
			return nil, err
		}
		if root := filepath.Join(dir, "trust", kitRoot); dir != "" && exists(root) {
			f.root = root
			p.note("whom to believe is what the offline kit says")
		}
	}
	with, err := p.readVerifying(f, at)
	if err != nil {
		return nil, err
	}
	j := &verification{program: p, flags: f, with: with, report: &verifiedReport{At: at.UTC().Truncate(time.Second)}}
	j.want = attest.Expectation{At: at, Subjects: f.subjects, Signers: with.signers, Logged: f.logged, Stamped: f.stamped, MaxAge: f.maxAge, Unknown: !with.rooted}
	if f.policy != "" {
		if len(f.types)+len(f.outcomes) > 0 || f.threshold > 1 {
			return nil, usageError("--policy says what --type, --outcome and --threshold would")
		}
		text, err := p.readFile(f.policy, requirement.MaxDocument)
		if err != nil {
			return nil, err
		}
		if j.requirements, err = requirement.Parse(f.policy, text); err != nil {
			return nil, &codeError{exitUsage, err}
		}
		return j, nil
	}
	return j, j.requireByFlags()
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// requireByFlags makes requirements of --type, --outcome and --threshold.
func (j *verification) requireByFlags() error {
	outcomes, err := parseOutcomes(j.flags.outcomes)
	if err != nil {
		return err
	}
	for _, name := range j.flags.types {
		t, err := intoto.PredicateType(name)
		if err != nil {
			return &codeError{exitUsage, fmt.Errorf("--type: %w", err)}
		}
		j.requirements = append(j.requirements, attest.Requirement{Name: kindName(t), Predicates: []string{t}, Threshold: j.flags.threshold, Signers: j.with.signers})
	}
	if len(outcomes) > 0 {
		isVerdict := func(r attest.Requirement) bool { return intoto.SamePredicate(r.Predicates[0], intoto.PredicateVerdict) }
		i := slices.IndexFunc(j.requirements, isVerdict)
		if i < 0 {
			i = len(j.requirements)
			j.requirements = append(j.requirements, attest.Requirement{Name: "verdict", Predicates: []string{intoto.PredicateVerdict}, Threshold: j.flags.threshold, Signers: j.with.signers})
		}
		j.requirements[i].Decision = &attest.Decision{Outcomes: outcomes}
	}
	return nil
}

// The kinds of what is verified.
const (
	verifyImage = iota
	verifyLines
	verifyArtifact
)

// bundleNames are how names of files of bundles end.
var bundleNames = []string{".json", ".jsonl", ".sigstore", ".bundle"}

// kindOf tells files from images by their names: which of the two is verified must not
// depend on what lies around.
func (p *program) kindOf(what string, f *verifyFlags) (int, error) {
	if f.bundle != "" {
		return verifyArtifact, nil
	}
	for _, begin := range []string{"/", "./", "../"} {
		if strings.HasPrefix(what, begin) {
			return verifyLines, nil
		}
	}
	if what == "-" || slices.Contains(bundleNames, filepath.Ext(what)) && !strings.Contains(what, ":") {
		return verifyLines, nil
	}
	if info, err := os.Stat(what); err == nil && info.Mode().IsRegular() {
		return 0, usageError("%s is a file, and could be an image: write ./%s or docker://%s", what, what, what)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	return verifyImage, nil
}

// artifact verifies a file by its bundle.
func (j *verification) artifact(ctx context.Context, file string) error {
	j.report.Kind, j.report.Name = "artifact", file
	text, err := j.program.readFile(j.flags.bundle, bundle.MaxBundle)
	if err != nil {
		return err
	}
	content, err := j.program.readFile(file, maxArtifact)
	if err != nil {
		return err
	}
	want := j.want
	want.Artifact = content
	v, err := j.with.Verify(ctx, text, &want)
	if errors.Is(err, attest.ReasonArtifact) && errors.Is(err, attest.ErrUnsupported) && j.with.sigstore != nil {
		return j.certifiedArtifact(ctx, text, content)
	}
	if err != nil {
		return err
	}
	if err := j.report.add(0, v); err != nil {
		return err
	}
	if len(j.requirements) > 0 {
		_, err = j.meet(ctx, [][]byte{text})
		return err
	}
	return j.report.signedBy(j.flags.threshold)
}

// certifiedArtifact verifies a message that was signed with a certificate.
func (j *verification) certifiedArtifact(ctx context.Context, text, content []byte) error {
	if j.flags.stamped || j.flags.maxAge > 0 || len(j.flags.subjects)+len(j.requirements) > 0 {
		return usageError("a file that was signed with a certificate has no statement: --type, --subject, --outcome, --stamped and --max-age say nothing about it")
	}
	policy := new(sigstore.Policy)
	for _, s := range j.with.signers {
		if identity, ok := strings.CutPrefix(s, "sigstore:"); ok {
			issuer, subject, _ := strings.Cut(identity, "|")
			policy.Identities = append(policy.Identities, sigstore.Identity{Issuer: issuer, Subject: subject})
		}
	}
	r, err := j.with.sigstore.Verify(ctx, text, &sigstore.Artifact{Content: content}, policy)
	if err != nil {
		return err
	}
	v := &attest.Verified{Payload: content, Signers: []string{r.Identity}}
	for _, t := range r.Times {
		v.Times = append(v.Times, t.At)
	}
	for _, e := range r.Entries {
		v.Logged = append(v.Logged, attest.Logged{Origin: e.Log, Index: e.Index, Size: e.Size})
	}
	return j.report.add(0, v)
}

// file verifies a file of bundles: every line, and that they belong together where one
// of them says what does.
func (j *verification) file(ctx context.Context, name string) error {
	text, err := j.program.readFile(name, attest.MaxLines)
	if err != nil {
		return err
	}
	j.report.Name = name
	if j.flags.digest == "" {
		text = oneLine(text)
	}
	want := j.want
	if len(j.requirements) > 0 {
		want.Signers = union(j.requirements, j.with.signers)
	}
	var lines []attest.Line
	if listsOthers(text) {
		want.Canonical = true // nobody but stella writes it: each byte has to be as it was written
		e, err := j.with.Evidence(ctx, text, j.flags.digest, &want)
		if err != nil {
			return err
		}
		j.report.Kind, lines = "evidence", e.Lines
		j.report.evidence(e)
	} else {
		j.report.Kind = "lines"
		if lines, err = j.with.Lines(ctx, text, j.flags.digest, &want); err != nil {
			return err
		}
		if len(lines) > 1 && j.flags.digest == "" {
			j.report.NotChecked = append(j.report.NotChecked, "whether lines are missing: none of them lists the others, and there is no --digest")
		}
	}
	for i := range lines {
		if err := j.report.add(lines[i].Number, &lines[i].Verified); err != nil {
			return err
		}
	}
	if len(j.requirements) == 0 {
		return j.report.signedBy(j.flags.threshold)
	}
	var texts [][]byte
	for line := range bytes.Lines(text) {
		texts = append(texts, bytes.TrimSuffix(line, []byte("\n")))
	}
	_, err = j.meet(ctx, texts)
	return err
}

// oneLine is the text of one bundle without what was written for people between its
// parts; other text is returned as it is.
func oneLine(text []byte) []byte {
	line := jsontext.Value(bytes.TrimSpace(bytes.Clone(text)))
	if line.Compact() != nil {
		return text
	}
	return append(line, '\n')
}

// union are the signers of all requirements, or nil where one of them takes anybody.
func union(requirements []attest.Requirement, named []string) []string {
	out := slices.Clone(named)
	for i := range requirements {
		if len(requirements[i].Signers) == 0 {
			return named
		}
		out = append(out, requirements[i].Signers...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// listsOthers reports whether a line claims to list the others. It is believed by
// nobody: it says how to verify.
func listsOthers(text []byte) bool {
	items, err := bundle.ReadAll(bytes.NewReader(text), nil)
	if err != nil {
		return false // whoever verifies says what is wrong
	}
	return slices.ContainsFunc(items, func(i bundle.Item) bool {
		e := i.Envelope
		if i.Bundle != nil {
			e = i.Bundle.Envelope
		}
		if e == nil {
			return false
		}
		s, err := intoto.Decode(e.PayloadType, e.Payload)
		return err == nil && intoto.KindOf(s.PredicateType) == intoto.Evidence
	})
}
