package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/suggest"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/replay"
	policyreport "github.com/stella-ops/stella/policy/report"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/services/stella/internal/render"
)

// toldVerdict is what is told of a verdict, as -o json writes it.
type toldVerdict struct {
	Subject string                `json:"subject,omitempty"`
	Outcome policy.Outcome        `json:"outcome"`
	Because string                `json:"because,omitempty"`
	Stories []*policyreport.Story `json:"stories"`
}

// explainKept tells of a verdict that was kept in a folder, or of a trace alone.
func (p *program) explainKept(ctx context.Context, name, vulnerability string, f *explainFlags) error {
	dir, file := name, filepath.Join(name, "trace.json")
	if info, err := os.Stat(name); err == nil && !info.IsDir() {
		dir, file = "", name
		if folder := filepath.Dir(name); filepath.Base(name) == "trace.json" {
			dir = folder
		}
	}
	text, err := p.readFile(file, maxTrace)
	if err != nil {
		return err
	}
	t, err := policy.DecodeTrace(text)
	if err != nil {
		return fmt.Errorf("%s: %w", clean(file), err)
	}
	opts := &policyreport.Options{}
	if dir != "" {
		if err := p.inputsOf(ctx, dir, text, opts, f); err != nil {
			return err
		}
	}
	return p.tellVerdict(name, t, opts, vulnerability, f)
}

// inputsOf fills in what a trace does not keep, from the folder that it lies in. A
// folder without a verdict, or without its inputs, is told of by its trace alone.
func (p *program) inputsOf(ctx context.Context, dir string, trace []byte, opts *policyreport.Options, f *explainFlags) error {
	body, err := os.ReadFile(filepath.Join(dir, "verdict.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	v, err := policy.DecodeVerdict(body)
	if err != nil {
		return fmt.Errorf("%s: %w", clean(filepath.Join(dir, "verdict.json")), err)
	}
	if got := policy.ContentDigest(trace); got != v.Trace {
		return &codeError{exitVerification, fmt.Errorf("%s: %w", clean(dir), &fault.MismatchError{What: "digest of the trace", Want: v.Trace, Got: got})}
	}
	r, err := replay.Load(ctx, v, saved(dir), replayOptions())
	switch {
	case errors.Is(err, replay.ErrMismatch):
		return &codeError{exitVerification, err}
	case errors.Is(err, replay.ErrNotFound):
		if !f.scan.output.quiet {
			p.note("what was compared is not told: %v", err)
		}
		return nil
	case err != nil:
		return err
	}
	opts.Findings, opts.Packages, opts.Secrets = r.Inputs.Findings, r.Inputs.Packages, r.Inputs.Secrets
	if r.Document != nil {
		doc, _, err := format.Decode(bytes.NewReader(r.Document))
		if err != nil {
			return fmt.Errorf("%s: SBOM: %w", clean(dir), err)
		}
		opts.Layers = doc.Subject.Layers
	}
	return nil
}

// explainRemote tells of what a server decided about a scan.
func (p *program) explainRemote(ctx context.Context, id, vulnerability string, f *explainFlags) error {
	r, err := p.connect(ctx, &f.scan.remote.serverFlags)
	if err != nil {
		return err
	}
	job, err := r.scans.Job(ctx, id)
	if errors.Is(err, fault.NotFound) {
		err = fmt.Errorf("%w\n\"stella scans list --server %s\" lists those that are there", err, r.server)
	}
	if err != nil {
		return r.explain(err)
	}
	if job.State != scan.Completed {
		if job.State.Terminal() {
			return ended(r, job)
		}
		return fmt.Errorf("scan %s of %s at %s is %s: nothing is decided yet (\"stella scans show %s --server %s\" says how it stands)", id, clean(job.Image), r.server, job.State, id, r.server)
	}
	res, err := p.fetch(ctx, r, job, &f.scan, true)
	if err != nil {
		return r.explain(fmt.Errorf("scan %s at %s: %w", id, r.server, err))
	}
	if res.Decided == nil {
		return fmt.Errorf("scan %s at %s has no verdict, and so no trace: %s, because %s: %w", id, r.server, res.outcome, res.because, fault.NotFound)
	}
	return p.tellVerdict(job.Image, res.Decided.Trace, optionsOf(res.Document, res.Decided), vulnerability, f)
}

// optionsOf is what a document and what was decided about tell beside a trace.
func optionsOf(doc *sbom.Document, d *decided) *policyreport.Options {
	return &policyreport.Options{Findings: d.record.Inputs.Findings, Packages: doc.Packages, Secrets: doc.Secrets, Layers: doc.Subject.Layers}
}

// explainSource scans, decides, and tells why. Where a vulnerability is no finding, it
// tells of each package that records about it name why it is none.
func (p *program) explainSource(ctx context.Context, ref, vulnerability string, f *explainFlags) error {
	s := &f.scan
	if name, ok := inRegistry(ref); ok {
		s.decide.vex.image, s.decide.vex.registry = name, s.source.options()
	}
	if err := p.useKit(ctx, &s.db, &s.decide, s.source.offline); err != nil {
		return err
	}
	if s.decide.policy == "" {
		s.decide.policy = "default"
	}
	doc, err := p.document(ctx, ref, s)
	if err != nil {
		return err
	}
	d, _, err := p.decide(ctx, &s.decide, &s.db, doc)
	if err != nil {
		return err
	}
	err = p.tellVerdict(ref, d.Trace, optionsOf(doc, d), vulnerability, f)
	if vulnerability == "" || !errors.Is(err, fault.NotFound) {
		return err
	}
	list, failed := p.noFinding(ctx, doc, vulnerability, f)
	if failed != nil || len(list) == 0 {
		return errors.Join(failed, err)
	}
	return p.say(f.out, explanations(ref, vulnerability, list))
}

// maxNoFinding is of how many packages it is told why a vulnerability is no finding.
const maxNoFinding = 20

// noFinding explains the packages that records about a vulnerability name, where it is
// no finding of any.
func (p *program) noFinding(ctx context.Context, doc *sbom.Document, vulnerability string, f *explainFlags) (list []*finding.Explanation, err error) {
	m, done, err := p.matcher(&f.scan.db)
	if err != nil {
		return nil, err
	}
	defer done()
	if m.View == nil {
		return nil, nil
	}
	for i := range doc.Packages {
		pkg := &doc.Packages[i]
		if url := pkg.PURL.String(); f.pkg != "" && f.pkg != pkg.Name && f.pkg != pkg.ID && f.pkg != url && !strings.HasPrefix(url, f.pkg+"@") {
			continue
		}
		x, err := m.Explain(ctx, doc, pkg.ID, vulnerability)
		if err != nil {
			return nil, err
		}
		if x.Conclusion == finding.UnknownID {
			return nil, nil // of no package, then
		}
		if slices.ContainsFunc(x.Records, func(r finding.ConsideredRecord) bool { return len(r.Entries) > 0 }) {
			if list = append(list, x); len(list) == maxNoFinding {
				break
			}
		}
	}
	return list, nil
}

// explanations say of each package why a vulnerability is no finding.
func explanations(ref, vulnerability string, list []*finding.Explanation) *render.Answer {
	return &render.Answer{
		Value: map[string]any{"subject": ref, "explanations": list}, List: "explanations",
		Table: func(w io.Writer) error {
			stories := make([]*policyreport.Story, len(list))
			for i, x := range list {
				stories[i] = policyreport.Explained(x)
			}
			if _, err := fmt.Fprintf(w, "%s has no finding of %s. Of the packages that records about it name:\n\n", clean(ref), clean(vulnerability)); err != nil {
				return err
			}
			return policyreport.Prose(w, stories)
		},
		Other: func(w io.Writer, _ string) error {
			for _, x := range list {
				if err := x.WriteText(w); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// tellVerdict tells what was decided.
func (p *program) tellVerdict(what string, t *policy.Trace, opts *policyreport.Options, vulnerability string, f *explainFlags) error {
	opts.Vulnerability, opts.Package, opts.Passing = vulnerability, f.pkg, f.all
	stories, err := policyreport.Stories(t, opts)
	if errors.Is(err, policyreport.ErrNotFound) {
		return fmt.Errorf("%s has no finding of %s%s: %w", clean(what), asked(vulnerability, f.pkg), closest(t, vulnerability, f.pkg), fault.NotFound)
	}
	if err != nil {
		return err
	}
	answer := &toldVerdict{Subject: t.Subject.Name, Outcome: t.Outcome, Because: t.Because, Stories: stories}
	return p.say(f.out, &render.Answer{
		Value: answer, List: "stories",
		Table: func(w io.Writer) error { return writeTold(w, what, t, stories, opts) },
		Other: func(w io.Writer, _ string) error { return policyreport.Text(w, t, opts) },
	})
}

// writeTold writes stories, and before them how the image stands where they are not of
// one finding alone.
func writeTold(w io.Writer, what string, t *policy.Trace, stories []*policyreport.Story, opts *policyreport.Options) error {
	var head strings.Builder
	if opts.Vulnerability == "" {
		fmt.Fprintf(&head, "%s: %s", clean(what), strings.ReplaceAll(string(t.Outcome), "_", " "))
		if t.Because != "" {
			fmt.Fprintf(&head, ", because %s", clean(t.Because))
		}
		fmt.Fprintf(&head, "\n%d findings, and %s told of here\n", len(t.Decisions), areTold(len(stories)))
		if len(stories) == 0 && len(t.Decisions) > 0 {
			head.WriteString("All of them pass: --all tells why\n")
		}
		head.WriteByte('\n')
	}
	if _, err := io.WriteString(w, strings.TrimSuffix(head.String(), map[bool]string{true: "\n"}[len(stories) == 0])); err != nil {
		return err
	}
	return policyreport.Prose(w, stories)
}

func areTold(n int) string {
	if n == 1 {
		return "1 thing is"
	}
	return fmt.Sprintf("%d things are", n)
}

// asked says what was asked for.
func asked(vulnerability, pkg string) string {
	switch {
	case pkg == "":
		return clean(vulnerability)
	case vulnerability == "":
		return "package " + clean(pkg)
	}
	return clean(vulnerability) + " in package " + clean(pkg)
}

// maxClosest is how many findings are named where the one asked for is not there.
const maxClosest = 3

// closest says which findings there are instead: of that vulnerability in other
// packages, of names that are nearly so, or the first ones.
func closest(t *policy.Trace, vulnerability, pkg string) string {
	var ids, names []string
	for i := range t.Decisions {
		d := &t.Decisions[i]
		ids = append(append(ids, d.Vulnerability, d.Advisory), d.Aliases...)
		names = append(names, d.Name)
	}
	known := func(d *policy.Decided, id string) bool {
		same := func(s string) bool { return strings.EqualFold(s, id) }
		return same(d.Vulnerability) || same(d.Advisory) || slices.ContainsFunc(d.Aliases, same)
	}
	pick := func(is func(*policy.Decided) bool) (out []string) {
		for i := range t.Decisions {
			if d := &t.Decisions[i]; is(d) {
				out = append(out, clean(d.Vulnerability+" in "+d.Name))
			}
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	name := suggest.Nearest(pkg, names)
	id := suggest.Nearest(strings.ToUpper(vulnerability), ids)
	here := pick(func(d *policy.Decided) bool { return vulnerability != "" && known(d, vulnerability) })
	switch {
	case len(t.Decisions) == 0:
		return ": it has no findings at all"
	case len(here) > 0:
		return ", but " + firstOf(here)
	case id != "" && id != strings.ToUpper(vulnerability):
		return "; did you mean " + firstOf(pick(func(d *policy.Decided) bool { return known(d, id) })) + "?"
	case vulnerability == "" && name != "" && name != pkg:
		return "; did you mean package " + clean(name) + "?"
	}
	return "; there are " + firstOf(pick(func(*policy.Decided) bool { return true })) + " (--all without an id tells of all)"
}

// firstOf joins the first of a list, and counts the others.
func firstOf(list []string) string {
	if n := len(list) - maxClosest; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:maxClosest], ", "), n)
	}
	return strings.Join(list, ", ")
}
