package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/ignorefile"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/policy/replay"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/vex"
	vexsnapshot "github.com/stella-ops/stella/vex/snapshot"
)

// decideFlags say how findings are decided about.
type decideFlags struct {
	policy      string
	environment string
	controls    []string
	exceptions  []string
	ignoreFiles []string
	images      []string
	save        string
	showExcused bool
	vex         vexFlags
}

func (f *decideFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.policy, "policy", "", "decide by this policy: a YAML file, or \"default\" for the one that is built in; exit 2 when it blocks, 3 when it cannot say")
	fs.StringVar(&f.environment, "environment", "", "the environment that is decided for, such as production")
	fs.StringSliceVar(&f.controls, "control", nil, "a control that is in place there, for exceptions that require one")
	fs.StringArrayVar(&f.exceptions, "exceptions", nil, "a YAML file of exceptions; may be repeated")
	fs.StringArrayVar(&f.ignoreFiles, "ignore-file", nil, "a .trivyignore, .trivyignore.yaml, .grype.yaml or osv-scanner.toml whose rules become exceptions; may be repeated")
	fs.StringArrayVar(&f.images, "image-name", nil, "a name of the image, with its registry, where the source does not tell: statements and rules ask for it; may be repeated")
	fs.StringVar(&f.save, "save", "", "keep the verdict with everything that it follows from in this folder, for \"stella replay\" and \"stella diff\"")
	fs.BoolVar(&f.showExcused, "show-suppressed", false, "list the findings that statements or exceptions excuse")
	f.vex.register(fs)
}

// asked reports whether there is anything to decide by.
func (f *decideFlags) asked() bool {
	return f.policy != "" || len(f.exceptions)+len(f.ignoreFiles) > 0 || f.save != "" || f.vex.asked()
}

// decided is a verdict with its trace and everything that it follows from.
type decided struct {
	*policy.Result
	Trace  *policy.Trace // decoded
	record replay.Record
}

// compile makes an engine of a policy, as verdicts of this program name it.
func compile(p *policy.Policy, version string) (*policy.Engine, error) {
	return policy.Compile(p, &policy.Options{Expressions: policyfile.Expressions, Version: version})
}

// noPolicy is the policy that holds where none is named.
const noPolicy = "none"

// readPolicy reads a policy; "default" is the one that is built in, and "" decides
// nothing by itself. Warnings go to standard error.
func (p *program) readPolicy(name string) (*policy.Policy, error) {
	switch name {
	case "":
		return &policy.Policy{ID: noPolicy, Version: 1, Semantics: policy.Semantics, Title: "No policy: findings pass"}, nil
	case "default":
		out, _, err := policyfile.Default()
		return out, err
	}
	text, err := p.readFile(name, policyfile.MaxDocument)
	if err != nil {
		return nil, err
	}
	out, warnings, err := policyfile.Parse(name, text)
	for _, w := range warnings {
		p.note("%s", w)
	}
	if err != nil {
		return nil, &codeError{exitUsage, err}
	}
	return out, nil
}

func (p *program) note(format string, args ...any) {
	p.work.wipe()
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		fmt.Fprintln(p.stderr, "note:", clean(strings.TrimRight(line, "\n")))
	}
}

// decide matches a document with the current data and decides about what it finds.
func (p *program) decide(ctx context.Context, f *decideFlags, db *dbFlags, doc *sbom.Document) (*decided, *finding.Report, error) {
	pol, err := p.readPolicy(f.policy)
	if err != nil {
		return nil, nil, err
	}
	exceptions, err := p.readExceptions(f, db.options(p.env).At)
	if err != nil {
		return nil, nil, err
	}
	if f.policy == "" && len(exceptions) > 0 { // what passes needs no exception
		pol.Title, pol.Rules = "No policy: findings are listed", []policy.Rule{{ID: "listed", Action: policy.ActionWarn, Because: "no policy decides about it"}}
	}
	report, signals, err := db.matchWith(ctx, p.env, doc)
	if err != nil {
		return nil, nil, err
	}
	d := &decided{record: replay.Record{Policy: pol}}
	in := &policy.Inputs{Environment: f.environment, Controls: f.controls, At: db.options(p.env).At.UTC(), Exceptions: exceptions, Signals: signals}
	in.Of(doc)
	in.Subject.Image.Names = append(in.Subject.Image.Names, f.images...)
	in.Findings, in.Gaps = report.Findings, append(in.Gaps, report.Gaps...)
	if in.Findings == nil {
		in.Findings = []finding.Finding{}
	}
	if d.record.Document, err = neutral(doc); err != nil {
		return nil, nil, err
	}
	in.Digests = policy.Digests{SBOM: policy.ContentDigest(d.record.Document), Advisories: report.Snapshot, Report: policy.ReportDigest(in.Findings, in.Gaps)}
	heard, err := p.listen(ctx, f, db, in)
	if err != nil {
		return nil, nil, err
	}
	defer heard.close()
	d.record.Trust, d.record.Inputs = heard.trust, in
	engine, err := compile(pol, buildVersion().Version)
	if err != nil {
		return nil, nil, &codeError{exitUsage, err}
	}
	if d.Result, err = engine.Evaluate(in); err != nil {
		return nil, nil, err
	}
	d.record.Verdict = d.Verdict
	if d.Trace, err = policy.DecodeTrace(d.Result.Trace); err != nil {
		return nil, nil, err
	}
	if f.save != "" {
		err = d.saveTo(ctx, f.save, heard.sets)
	}
	return d, report, err
}

// neutral encodes a document as verdicts name it.
func neutral(doc *sbom.Document) ([]byte, error) {
	var b bytes.Buffer
	_, err := format.Encode(&b, doc, format.StellaJSON, nil)
	return b.Bytes(), err
}

// matchWith is match, and says what the data has beside records.
func (f *dbFlags) matchWith(ctx context.Context, env func(string) string, doc *sbom.Document) (*finding.Report, []string, error) {
	report, err := f.match(ctx, env, doc)
	if err != nil || report.Snapshot == "" {
		return report, nil, err
	}
	snap, err := f.open(env)
	if err != nil {
		return nil, nil, err
	}
	defer snap.Close()
	return report, signalsOf(snap), nil
}

// signalsOf names what a snapshot says about vulnerabilities beside records.
func signalsOf(snap *snapshot.Snapshot) (out []string) {
	for _, o := range snap.Manifest().Overlays {
		switch {
		case strings.HasPrefix(o.Source, "kev"):
			out = append(out, "kev")
		case strings.HasPrefix(o.Source, "epss"):
			out = append(out, "epss")
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// heard is what suppliers say about the findings.
type heard struct {
	trust *vex.Trust
	sets  []vex.View
	close func()
}

// listen fills in statements, judge and digests.
func (p *program) listen(ctx context.Context, f *decideFlags, db *dbFlags, in *policy.Inputs) (*heard, error) {
	v, err := p.openVEX(ctx, &f.vex, db, in.At)
	if err != nil {
		return nil, err
	}
	out := &heard{trust: v.trust.Trust(), sets: v.views, close: v.close}
	if in.Judge, err = out.trust.Judge(); err != nil {
		v.close()
		return nil, err
	}
	var ids []string
	for i := range in.Findings {
		ids = append(append(ids, in.Findings[i].Vulnerability), in.Findings[i].Aliases...)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for _, view := range v.views {
		list, err := view.Statements(ctx, ids)
		if err != nil {
			v.close()
			return nil, err
		}
		in.Statements = append(in.Statements, list...)
		in.Digests.VEX = append(in.Digests.VEX, view.Digest())
	}
	return out, nil
}

// saveTo keeps a verdict with everything that it follows from.
func (d *decided) saveTo(ctx context.Context, dir string, sets []vex.View) error {
	if err := os.MkdirAll(filepath.Join(dir, "inputs"), 0o755); err != nil {
		return err
	}
	put := func(digest string, content []byte) error { return replaceFile(inputFile(dir, digest), content) }
	if err := d.record.Save(put); err != nil {
		return err
	}
	for _, set := range sets {
		if err := saveSet(ctx, inputFile(dir, set.Digest()), set); err != nil {
			return err
		}
	}
	if err := replaceFile(filepath.Join(dir, "trace.json"), d.Result.Trace); err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, "verdict.json"), d.Body)
}

// saveSet writes the statements of a view as a file that is read where it lies.
func saveSet(ctx context.Context, name string, view vex.View) error {
	var b bytes.Buffer
	all, ok := view.(interface{ All() []*vex.Statement })
	if !ok {
		snap, ok := view.(*vexsnapshot.Snapshot)
		if !ok {
			return fmt.Errorf("save %s: these statements cannot be listed", view.Digest())
		}
		if _, err := vexsnapshot.Build(ctx, &b, snap.All()); err != nil {
			return err
		}
		return replaceFile(name, b.Bytes())
	}
	if _, err := vexsnapshot.Build(ctx, &b, func(yield func(*vex.Statement, error) bool) {
		for _, s := range all.All() {
			if !yield(s, nil) {
				return
			}
		}
	}); err != nil {
		return err
	}
	return replaceFile(name, b.Bytes())
}

func inputFile(dir, digest string) string {
	return filepath.Join(dir, "inputs", strings.TrimPrefix(digest, "sha256:"))
}

// saved is a folder that saveTo wrote.
type saved string

// Object reads an input.
func (s saved) Object(_ context.Context, digest string) ([]byte, error) {
	if b, err := hex.DecodeString(strings.TrimPrefix(digest, "sha256:")); err != nil || len(b) != 32 {
		return nil, fmt.Errorf("digest %.80q is none: %w", digest, replay.ErrInvalid)
	}
	text, err := os.ReadFile(inputFile(string(s), digest))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s is not in %s: %w", digest, s, replay.ErrNotFound)
	}
	return text, err
}

// Statements reads a set.
func (s saved) Statements(ctx context.Context, set string, ids []string) ([]*vex.Statement, error) {
	snap, err := vexsnapshot.Open(inputFile(string(s), set))
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	if err := snap.Verify(ctx, set); err != nil {
		return nil, err
	}
	if ids != nil {
		return snap.Statements(ctx, ids)
	}
	var out []*vex.Statement
	for st, err := range snap.All() {
		if err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

// replayOptions decide again as this program decides.
func replayOptions() *replay.Options {
	return &replay.Options{Compile: compile, Decode: func(text []byte) (*sbom.Document, error) {
		doc, _, err := format.Decode(bytes.NewReader(text))
		return doc, err
	}}
}

// exit turns a verdict into an exit code.
func (d *decided) exit() error {
	switch d.Verdict.Outcome {
	case policy.Block:
		return &codeError{code: exitBlocked}
	case policy.NotAssessed:
		return &codeError{code: exitNotAssessed}
	case policy.Error:
		return &codeError{exitError, fmt.Errorf("the policy could not be evaluated: %s", d.Verdict.Because)}
	}
	return nil
}

// softened says whether a decision takes its finding out of the list, and why.
func softened(d *policy.Decided) (why string, is bool) {
	switch {
	case d.Exception != "" && d.Outcome == policy.Pass:
		return "exception " + d.Exception, true
	case d.VEX != nil && d.VEX.Excused && d.Outcome.Allows():
		return strings.ReplaceAll(d.VEX.Status, "_", " ") + ", says " + d.VEX.Claims[d.VEX.Deciding[0]].Issuer, true
	}
	return "", false
}

// suppressed splits findings into those that are shown and those that are excused.
func (d *decided) suppressed(r *finding.Report) (shown *finding.Report, excused []excusedFinding) {
	out := *r
	out.Findings = nil
	for i := range r.Findings {
		if why, is := softened(&d.Trace.Decisions[i]); is {
			excused = append(excused, excusedFinding{r.Findings[i], why})
		} else {
			out.Findings = append(out.Findings, r.Findings[i])
		}
	}
	return &out, excused
}

// excusedFinding is a finding that is not shown, with the reason.
type excusedFinding struct {
	finding.Finding
	Why string `json:"why"`
}

// readExceptions reads exceptions of every kind of file.
func (p *program) readExceptions(f *decideFlags, at time.Time) ([]policy.Exception, error) {
	var out []policy.Exception
	for _, name := range f.exceptions {
		text, err := p.readFile(name, policyfile.MaxDocument)
		if err != nil {
			return nil, err
		}
		list, err := policyfile.ParseExceptions(name, text)
		if err != nil {
			return nil, &codeError{exitUsage, err}
		}
		out = append(out, list...)
	}
	for _, name := range f.ignoreFiles {
		list, err := p.readIgnoreFile(name, at)
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

// readIgnoreFile reads a file of another scanner.
func (p *program) readIgnoreFile(name string, at time.Time) ([]policy.Exception, error) {
	kind := ignorefile.FormatOf(filepath.Base(name))
	if kind == "" {
		return nil, usageError("--ignore-file %s: its name is none of .trivyignore, .trivyignore.yaml, .grype.yaml and osv-scanner.toml", name)
	}
	text, err := p.readFile(name, ignorefile.MaxFile)
	if err != nil {
		return nil, err
	}
	// Such a file has no times of its own: it is decided anew whenever it is read.
	r, err := ignorefile.Parse(kind, name, text, &ignorefile.Options{Owner: name, Created: at.UTC()})
	if err != nil {
		return nil, &codeError{exitUsage, err}
	}
	for _, n := range r.Notes {
		p.note("%s: %s", name, n)
	}
	return r.Exceptions, nil
}
