package replay

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/purl"
)

// Cause is a kind of input that two verdicts may differ in.
type Cause string

// The causes, in the order in which equally short explanations are preferred.
const (
	CauseImage      Cause = "image"      // what is inside
	CauseAdvisories Cause = "advisories" // what is known about it
	CauseVEX        Cause = "vex"        // what suppliers say, and whom to believe
	CausePolicy     Cause = "policy"     // the policy, the environment or the engine
	CauseExceptions Cause = "exceptions" // what people decided
	CauseTime       Cause = "time"       // that it is later
)

var causes = []Cause{CauseImage, CauseAdvisories, CauseVEX, CausePolicy, CauseExceptions, CauseTime}

// Change is one finding about which two verdicts differ.
type Change struct {
	// Package is the package URL without version and qualifiers, or the name; of what
	// is no finding, which has no Vulnerability, its title, such as "file usr/bin/x":
	// those are listed that do not pass on one side.
	Package       string `json:"package"`
	Vulnerability string `json:"vulnerability"`
	// Before and After are the outcomes; "" where there is no such finding.
	Before policy.Outcome `json:"before,omitempty"`
	After  policy.Outcome `json:"after,omitempty"`
	// Causes are the fewest inputs whose exchange alone explains the change; never
	// empty.
	Causes []Cause `json:"causes"`
	// Because is the reason of the later decision, or of the earlier one where there
	// is no later.
	Because string `json:"because,omitempty"`
}

// Difference is what two verdicts differ in.
type Difference struct {
	Before policy.Outcome `json:"before"`
	After  policy.Outcome `json:"after"`
	// Inputs are the causes whose inputs differ, whether or not that matters.
	Inputs []Cause `json:"inputs"`
	// Outcome are the fewest inputs that explain the outcome of the image; empty where
	// it is the same.
	Outcome []Cause `json:"outcome_causes,omitempty"`
	// Changes are sorted by package and vulnerability.
	Changes []Change `json:"changes"`
}

// Diff explains how a second verdict differs from a first: it decides with each
// combination of the inputs that differ, and takes the smallest that gives what the
// second says. The findings for a combination of one image with the advisories of the
// other are those of the packages that both have, as the advisories find them, and
// those of the image's own other packages.
func Diff(_ context.Context, a, b *Record, opts *Options) (*Difference, error) {
	d := &differ{a: a, b: b, opts: opts, decided: map[uint8]*outcomes{}}
	d.differ()
	before, err := d.decide(0)
	if err != nil {
		return nil, err
	}
	after, err := d.decide(d.all)
	if err != nil {
		return nil, err
	}
	out := &Difference{Before: before.image, After: after.image, Inputs: named(d.all)}
	if before.image != after.image {
		if out.Outcome, err = d.explain(func(o *outcomes) bool { return o.image == after.image }); err != nil {
			return nil, err
		}
	}
	for _, k := range d.keys(before, after) {
		x, y := before.findings[k], after.findings[k]
		if x.outcome == y.outcome {
			continue
		}
		c := Change{Package: k.pkg, Vulnerability: k.vulnerability, Before: x.outcome, After: y.outcome, Because: cmp.Or(y.because, x.because)}
		if c.Causes, err = d.explain(func(o *outcomes) bool { return o.findings[k].outcome == y.outcome }); err != nil {
			return nil, err
		}
		out.Changes = append(out.Changes, c)
	}
	return out, nil
}

type differ struct {
	a, b    *Record
	opts    *Options
	all     uint8 // bits of the causes that differ
	decided map[uint8]*outcomes
}

type key struct{ pkg, vulnerability string }

// outcomes is what is decided with one combination.
type outcomes struct {
	image    policy.Outcome
	findings map[key]decided
}

type decided struct {
	outcome policy.Outcome
	because string
}

func (d *differ) differ() {
	x, y := d.a.Verdict, d.b.Verdict
	for i, differs := range []bool{
		x.Inputs.SBOM != y.Inputs.SBOM || x.Inputs.Subject != y.Inputs.Subject,
		x.Inputs.Advisories != y.Inputs.Advisories || x.Inputs.Report != y.Inputs.Report && x.Inputs.SBOM == y.Inputs.SBOM,
		!slices.Equal(x.Inputs.VEX, y.Inputs.VEX) || x.Inputs.Trust != y.Inputs.Trust,
		x.Inputs.Policy != y.Inputs.Policy || x.Environment != y.Environment || x.Engine != y.Engine,
		x.Inputs.Exceptions != y.Inputs.Exceptions,
		!x.At.Equal(y.At),
	} {
		if differs {
			d.all |= 1 << i
		}
	}
}

func named(set uint8) (out []Cause) {
	for i, c := range causes {
		if set&(1<<i) != 0 {
			out = append(out, c)
		}
	}
	return out
}

// explain finds the smallest combination for which is holds; among equals the first by
// the order of causes.
func (d *differ) explain(is func(*outcomes) bool) ([]Cause, error) {
	var subsets []uint8
	for s := uint8(1); s <= d.all && s > 0; s++ {
		if s&^d.all == 0 {
			subsets = append(subsets, s)
		}
	}
	slices.SortStableFunc(subsets, func(a, b uint8) int {
		return cmp.Or(bits.OnesCount8(a)-bits.OnesCount8(b), cmp.Compare(bits.Reverse8(b), bits.Reverse8(a)))
	})
	for _, s := range subsets {
		o, err := d.decide(s)
		if err != nil {
			return nil, err
		}
		if is(o) {
			return named(s), nil
		}
	}
	return nil, fmt.Errorf("diff: all inputs together do not explain it: %w", fault.Mismatch)
}

// decide evaluates with the inputs of b for the causes of a set, and of a for the
// others.
func (d *differ) decide(set uint8) (*outcomes, error) {
	if o := d.decided[set]; o != nil {
		return o, nil
	}
	of := func(c Cause) *Record {
		if set&(1<<slices.Index(causes, c)) != 0 {
			return d.b
		}
		return d.a
	}
	image, by, said, rules := of(CauseImage), of(CauseAdvisories), of(CauseVEX), of(CausePolicy)
	in := *image.Inputs
	in.Environment, in.At, in.Exceptions = rules.Inputs.Environment, of(CauseTime).Inputs.At, of(CauseExceptions).Inputs.Exceptions
	in.Statements, in.Judge = said.Inputs.Statements, said.Inputs.Judge
	in.Digests.Advisories, in.Digests.Report = by.Inputs.Digests.Advisories, ""
	if image != by {
		in.Findings, in.Gaps, in.Signals = crossed(image, by), by.Inputs.Gaps, by.Inputs.Signals
	}
	e, err := d.opts.Compile(rules.Policy, rules.Verdict.Engine.Version)
	if err != nil {
		return nil, err
	}
	r, err := e.Evaluate(&in)
	if err != nil {
		return nil, err
	}
	o, err := read(r)
	d.decided[set] = o
	return o, err
}

// crossed is what the advisories of one record find in the image of another.
func crossed(image, by *Record) (out []finding.Finding) {
	has := map[string]bool{}
	for i := range by.Inputs.Packages {
		has[by.Inputs.Packages[i].PURL.String()] = true
	}
	of := map[string]string{} // the package's ID in the image
	for i := range image.Inputs.Packages {
		p := &image.Inputs.Packages[i]
		of[p.PURL.String()] = p.ID
	}
	for _, f := range image.Inputs.Findings {
		if f.PURL == "" || !has[f.PURL] {
			out = append(out, f)
		}
	}
	for _, f := range by.Inputs.Findings {
		if id, ok := of[f.PURL]; ok && f.PURL != "" {
			f.Package = id
			out = append(out, f)
		}
	}
	r := finding.Report{Findings: out}
	r.Sort()
	return r.Findings
}

func read(r *policy.Result) (*outcomes, error) {
	t, err := policy.DecodeTrace(r.Trace)
	if err != nil {
		return nil, err
	}
	o := &outcomes{image: t.Outcome, findings: make(map[key]decided, len(t.Decisions))}
	for i := range t.Decisions {
		x := &t.Decisions[i]
		k := key{bare(x.PURL, x.Name), x.Vulnerability}
		if was, ok := o.findings[k]; !ok || x.Outcome.Rank() > was.outcome.Rank() {
			o.findings[k] = decided{x.Outcome, x.Because}
		}
	}
	for i := range t.Items {
		x := &t.Items[i]
		k := key{x.Title(), ""}
		if x.Outcome == policy.Pass { // there may be very many
			continue
		}
		if was, ok := o.findings[k]; !ok || x.Outcome.Rank() > was.outcome.Rank() {
			o.findings[k] = decided{x.Outcome, x.Because}
		}
	}
	return o, nil
}

// bare is a package URL without version, qualifiers and subpath.
func bare(url, name string) string {
	u, err := purl.Parse(url)
	if err != nil || url == "" {
		return name
	}
	u.Version, u.Qualifiers, u.Subpath = "", nil, ""
	return u.String()
}

func (d *differ) keys(a, b *outcomes) []key {
	var out []key
	for k := range a.findings {
		out = append(out, k)
	}
	for k := range b.findings {
		if _, ok := a.findings[k]; !ok {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(x, y key) int {
		return cmp.Or(strings.Compare(x.pkg, y.pkg), strings.Compare(x.vulnerability, y.vulnerability))
	})
	return out
}
