// Package verify recomputes a verdict from its trace alone: without the SBOM, the
// advisories, the statements and the engine. It is small, shares no code with the
// evaluation, and is meant to be read.
//
// What it takes from the trace: the facts, what each claim of a supplier is worth, and
// what expressions answered, which has no facts of its own. What it recomputes: what
// each claim together decides, what each condition of each rule says about the facts,
// which gate decides, which exceptions count, and the outcome of every finding, of
// every secret and file that rules are about, and of the image.
package verify

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/policy"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrMismatch    error = fault.Mismatch
)

// Verdict checks that a verdict follows from a trace: that the trace is the one which
// the verdict names, byte for byte, and that recomputing gives the same bytes. An
// error wraps ErrMismatch and says where they differ, or ErrInvalid or ErrUnsupported.
func Verdict(body, trace []byte) (*policy.Verdict, error) {
	v, err := policy.DecodeVerdict(body)
	if err != nil {
		return nil, err
	}
	if digest := sum.Of(trace); digest != v.Trace {
		return nil, &fault.MismatchError{What: "trace of the verdict", Want: v.Trace, Got: digest}
	}
	again, err := Trace(trace)
	if err != nil {
		return nil, err
	}
	want, err := canonical(again)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(want, body) {
		return nil, fmt.Errorf("verdict: the trace gives %s, and not this: %w", want, fault.Mismatch)
	}
	return v, nil
}

// Trace recomputes the verdict that a trace gives. An error wraps ErrMismatch and says
// where the trace contradicts itself, or ErrInvalid or ErrUnsupported.
func Trace(text []byte) (*policy.Verdict, error) {
	t, err := policy.DecodeTrace(text)
	if err != nil {
		return nil, err
	}
	if same, err := canonical(t); err != nil || !bytes.Equal(same, text) {
		return nil, fmt.Errorf("trace: it is not in canonical form (RFC 8785): %w", fault.Invalid)
	}
	if err := t.Policy.Check(); err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	if d := t.Policy.Digest(); d != t.Inputs.Policy {
		return nil, &fault.MismatchError{What: "policy of the trace", Want: t.Inputs.Policy, Got: d}
	}
	if t.Assessed != (t.Inputs.Advisories != "") {
		return nil, fmt.Errorf("trace: assessed is %v: %w", t.Assessed, fault.Mismatch)
	}
	c := &check{trace: t, gates: gatesIn(t.Policy, t.Environment)}
	v := &policy.Verdict{
		Schema: policy.VerdictSchema, Outcome: policy.Pass, Environment: t.Environment, At: t.At, NextChange: t.NextChange, Subject: t.Subject, Inputs: t.Inputs,
		Policy: policy.Named{ID: t.Policy.ID, Version: t.Policy.Version}, Engine: t.Engine, Trace: sum.Of(text),
	}
	for i := range t.Decisions {
		if err := c.decision(&t.Decisions[i]); err != nil {
			return nil, fmt.Errorf("trace: /decisions/%d: %s in %s: %w: %w", i, t.Decisions[i].Vulnerability, t.Decisions[i].Name, err, fault.Mismatch)
		}
		count(v, &t.Decisions[i])
	}
	if err := c.items(v); err != nil {
		return nil, fmt.Errorf("trace: %w: %w", err, fault.Mismatch)
	}
	c.gaps(v)
	if v.Outcome != t.Outcome || v.Because != t.Because {
		return nil, fmt.Errorf("trace: its parts give %s (%s), it says %s (%s): %w", v.Outcome, v.Because, t.Outcome, t.Because, fault.Mismatch)
	}
	return v, nil
}

func canonical(v any) ([]byte, error) {
	text, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err == nil {
		err = (*jsontext.Value)(&text).Canonicalize()
	}
	return text, err
}

// gatesIn returns the settings in an environment: a profile's where it has any.
func gatesIn(p *policy.Policy, environment string) policy.Gates {
	out := p.Gates
	for _, profile := range p.Profiles {
		if profile.Environment == environment {
			if profile.Evidence != (policy.Evidence{}) {
				out.Evidence = profile.Evidence
			}
			if profile.Threshold != (policy.Threshold{}) {
				out.Threshold = profile.Threshold
			}
			if x := profile.VEX; x.Disputed != "" || x.Ignore || x.Require.Signed || x.Require.Tier > 0 || len(x.Require.Issuers)+len(x.Require.Justifications) > 0 {
				out.VEX = x
			}
		}
	}
	out.Evidence.Gaps = cmp.Or(out.Evidence.Gaps, policy.NotAssessed)
	out.Evidence.Unknown = cmp.Or(out.Evidence.Unknown, policy.NotAssessed)
	out.VEX.Disputed = cmp.Or(out.VEX.Disputed, policy.Distrust)
	return out
}

func count(v *policy.Verdict, d *policy.Decided) {
	v.Counts.Findings++
	*map[policy.Outcome]*int{
		policy.Pass: &v.Counts.Pass, policy.Warn: &v.Counts.Warn, policy.NotAssessed: &v.Counts.NotAssessed, policy.Block: &v.Counts.Block, policy.Error: &v.Counts.Error,
	}[d.Outcome]++
	if d.Outcome.Rank() > v.Outcome.Rank() {
		v.Outcome, v.Because = d.Outcome, d.Vulnerability+" in "+d.Name+": "+d.Because
	}
}

// gaps adds what was not assessed.
func (c *check) gaps(v *policy.Verdict) {
	if !c.trace.Assessed && policy.NotAssessed.Rank() > v.Outcome.Rank() {
		v.Outcome, v.Because = policy.NotAssessed, "there is no advisory data"
	}
	for _, g := range c.trace.Gaps {
		if !g.Blocking {
			continue
		}
		v.Counts.Gaps++
		if o := c.gates.Evidence.Gaps; o.Rank() > v.Outcome.Rank() {
			v.Outcome, v.Because = o, fmt.Sprintf("not assessed: %s: %s", g.Where, g.What)
		}
	}
}
