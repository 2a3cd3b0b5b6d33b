// Package replay decides again what was decided before, and says what two verdicts
// owe their difference to.
//
// A verdict names its inputs by digest. [Objects] finds them again; [Save] keeps them.
// [Run] evaluates once more and compares bytes: either they are identical, or the error
// names the input that is missing or is another one now. [Diff] finds, for each finding
// that is decided otherwise in a second verdict, the fewest inputs whose exchange alone
// explains it.
package replay

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/vex"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid  error = fault.Invalid
	ErrNotFound error = fault.NotFound
	ErrMismatch error = fault.Mismatch
)

// Objects finds inputs by their digests. It need not verify them.
type Objects interface {
	// Object returns the bytes that have a digest. An error wraps ErrNotFound.
	Object(ctx context.Context, digest string) ([]byte, error)
	// Statements returns the statements of a set, by the set's digest, that are about
	// one of the vulnerabilities, nil for all. An error wraps ErrNotFound.
	Statements(ctx context.Context, set string, vulnerabilities []string) ([]*vex.Statement, error)
}

// Record is everything that a verdict follows from, ready to be kept.
type Record struct {
	Verdict *policy.Verdict
	Inputs  *policy.Inputs
	Policy  *policy.Policy
	Trust   *vex.Trust
	// Document is the encoded neutral SBOM, whose digest the verdict names.
	Document []byte
	// Sets are the sets of statements that the verdict names, in its order.
	Sets []*vex.Set
}

// Save passes each input with its digest to put, sorted by digest, each once. A set of
// statements is a JSON array of them.
func (r *Record) Save(put func(digest string, content []byte) error) error {
	d := r.Verdict.Inputs
	objects := map[string][]byte{}
	add := func(what, digest string, v any) error {
		text, ok := v.([]byte)
		if !ok {
			var err error
			if text, err = canonical(v); err != nil {
				return fmt.Errorf("save %s: %w", what, err)
			}
		}
		if got := policy.ContentDigest(text); got != digest {
			return fmt.Errorf("save: %w", &fault.MismatchError{What: what, Want: digest, Got: got})
		}
		objects[digest] = text
		return nil
	}
	trust := vex.Trust{}
	if r.Trust != nil {
		trust.Issuers = slices.Clone(r.Trust.Issuers)
	}
	slices.SortFunc(trust.Issuers, func(a, b vex.Issuer) int { return strings.Compare(a.ID, b.ID) })
	exceptions := slices.Clone(r.Inputs.Exceptions)
	slices.SortFunc(exceptions, func(a, b policy.Exception) int { return strings.Compare(a.ID, b.ID) })
	if exceptions == nil {
		exceptions = []policy.Exception{}
	}
	steps := []func() error{
		func() error { return add("report", d.Report, report{r.Inputs.Findings, r.Inputs.Gaps}) },
		func() error { return add("policy", d.Policy, r.Policy) },
		func() error { return add("exceptions", d.Exceptions, exceptions) },
		func() error { return add("subject", d.Subject, subjectOf(r.Inputs)) },
	}
	if d.SBOM != "" {
		steps = append(steps, func() error { return add("SBOM", d.SBOM, r.Document) })
	}
	if d.Trust != "" {
		steps = append(steps, func() error { return add("trust", d.Trust, &trust) })
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	for i, set := range r.Sets {
		if i >= len(d.VEX) || set.Digest() != d.VEX[i] {
			return fmt.Errorf("save: set %d of statements is not the verdict's: %w", i, fault.Mismatch)
		}
		text, err := canonical(set.All())
		if err != nil {
			return err
		}
		objects[set.Digest()] = text
	}
	for _, digest := range sortedKeys(objects) {
		if err := put(digest, objects[digest]); err != nil {
			return fmt.Errorf("save %s: %w", digest, err)
		}
	}
	return nil
}

// report is what Digests.Report is of, and subject what Digests.Subject is.
type report struct {
	Findings []finding.Finding `json:"findings"`
	Gaps     []sbom.Gap        `json:"gaps"`
}

type subject struct {
	Subject  policy.Subject `json:"subject"`
	Controls []string       `json:"controls,omitempty"`
	Signals  []string       `json:"signals,omitempty"`
}

func subjectOf(in *policy.Inputs) *subject {
	s := &subject{Subject: in.Subject, Controls: slices.Clone(in.Controls), Signals: slices.Clone(in.Signals)}
	slices.Sort(s.Controls)
	slices.Sort(s.Signals)
	s.Controls, s.Signals = slices.Compact(s.Controls), slices.Compact(s.Signals)
	return s
}

func sortedKeys(m map[string][]byte) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func canonical(v any) ([]byte, error) {
	text, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err == nil {
		err = (*jsontext.Value)(&text).Canonicalize()
	}
	return text, err
}

// Options say how verdicts are decided again. Compile and Decode are required.
type Options struct {
	// Compile makes an engine of a policy, as it was made for the verdict.
	Compile func(p *policy.Policy, version string) (*policy.Engine, error)
	// Decode reads the neutral SBOM.
	Decode func(text []byte) (*sbom.Document, error)
	// Everything has Load read all statements of the sets, and not only those about
	// the vulnerabilities of the findings: Diff needs them.
	Everything bool
}

// Run decides again, and compares. body is the verdict's canonical JSON, trace its
// trace, or nil. The result is what was decided now. An error wraps ErrMismatch where
// an input or the outcome differs, ErrNotFound where an input is missing, or
// ErrInvalid; it names which.
func Run(ctx context.Context, body, trace []byte, objects Objects, opts *Options) (*policy.Result, error) {
	v, err := policy.DecodeVerdict(body)
	if err != nil {
		return nil, err
	}
	r, err := Load(ctx, v, objects, opts)
	if err != nil {
		return nil, err
	}
	e, err := opts.Compile(r.Policy, v.Engine.Version)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	again, err := e.Evaluate(r.Inputs)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	switch {
	case trace != nil && !bytes.Equal(trace, again.Trace):
		return again, fmt.Errorf("replay: the trace differs from byte %d on: %w", differsAt(trace, again.Trace), fault.Mismatch)
	case !bytes.Equal(body, again.Body):
		return again, fmt.Errorf("replay: decided %s, and now %s; the verdict differs from byte %d on: %w", v.Outcome, again.Verdict.Outcome, differsAt(body, again.Body), fault.Mismatch)
	}
	return again, nil
}

func differsAt(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// Load finds the inputs of a verdict again, each checked by its digest.
func Load(ctx context.Context, v *policy.Verdict, objects Objects, opts *Options) (*Record, error) {
	l := loader{ctx: ctx, objects: objects}
	r := &Record{Verdict: v, Policy: new(policy.Policy), Trust: new(vex.Trust), Inputs: &policy.Inputs{At: v.At, Environment: v.Environment}}
	in, d := r.Inputs, v.Inputs
	var rep report
	var sub subject
	l.get("policy", d.Policy, r.Policy)
	l.get("report", d.Report, &rep)
	l.get("exceptions", d.Exceptions, &in.Exceptions)
	l.get("subject", d.Subject, &sub)
	if d.Trust != "" {
		l.get("trust", d.Trust, r.Trust)
	}
	if d.SBOM != "" && l.err == nil {
		r.Document = l.bytes("SBOM", d.SBOM)
	}
	if l.err != nil {
		return nil, l.err
	}
	if r.Document != nil {
		doc, err := opts.Decode(r.Document)
		if err != nil {
			return nil, fmt.Errorf("replay: SBOM %s: %w", d.SBOM, err)
		}
		in.Of(doc)
	}
	in.Subject, in.Controls, in.Signals = sub.Subject, sub.Controls, sub.Signals
	in.Findings, in.Gaps, in.Digests = rep.Findings, rep.Gaps, d
	if d.Trust != "" {
		var err error
		if in.Judge, err = r.Trust.Judge(); err != nil {
			return nil, fmt.Errorf("replay: trust %s: %w", d.Trust, err)
		}
	}
	return r, l.statements(r, opts.Everything)
}

// loader reads inputs until one fails.
type loader struct {
	ctx     context.Context
	objects Objects
	err     error
}

func (l *loader) bytes(what, digest string) []byte {
	text, err := l.objects.Object(l.ctx, digest)
	if err == nil && policy.ContentDigest(text) != digest {
		err = &fault.MismatchError{What: what, Want: digest, Got: policy.ContentDigest(text)}
	}
	if err != nil {
		l.err = fmt.Errorf("replay: %s %s: %w", what, digest, err)
		return nil
	}
	return text
}

func (l *loader) get(what, digest string, into any) {
	if l.err != nil {
		return
	}
	text := l.bytes(what, digest)
	if l.err != nil {
		return
	}
	if err := json.Unmarshal(text, into, json.RejectUnknownMembers(true)); err != nil {
		l.err = fmt.Errorf("replay: %s %s: %v: %w", what, digest, err, fault.Invalid)
	}
}

// statements reads those about the vulnerabilities of the findings, or all.
func (l *loader) statements(r *Record, all bool) error {
	seen := map[string]bool{}
	var ids []string
	for i := range r.Inputs.Findings {
		f := &r.Inputs.Findings[i]
		for _, id := range append([]string{f.Vulnerability}, f.Aliases...) {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	if slices.Sort(ids); all {
		ids = nil
	}
	if ids == nil && !all {
		return nil
	}
	for _, set := range r.Verdict.Inputs.VEX {
		list, err := l.objects.Statements(l.ctx, set, ids)
		if err != nil {
			return fmt.Errorf("replay: statements %s: %w", set, err)
		}
		r.Inputs.Statements = append(r.Inputs.Statements, list...)
	}
	return nil
}
