package policy_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/verify"
	"github.com/stella-ops/stella/scan/sbom"
)

// TestLess: whatever input is missing, an image that was not allowed is not allowed.
// A policy that takes unknown facts for a warning asks for the contrary, and is left
// out.
func TestLess(t *testing.T) {
	for seed := range cases(3_000, 100_000) {
		d := dice{rand.New(rand.NewPCG(uint64(seed), 11))}
		p, in := d.policy(), d.inputs(t)
		p.Evidence.Unknown = roll(d, "", policy.NotAssessed, policy.Block)
		for i := range p.Profiles {
			p.Profiles[i].Evidence.Unknown = p.Evidence.Unknown
		}
		before := evaluate(t, p, in).Verdict
		if before.Outcome.Allows() {
			continue
		}
		for what, drop := range map[string]func(*policy.Inputs){
			"packages":   func(in *policy.Inputs) { in.Packages = nil },
			"signals":    func(in *policy.Inputs) { in.Signals = nil },
			"exceptions": func(in *policy.Inputs) { in.Exceptions = nil },
			"controls":   func(in *policy.Inputs) { in.Controls = nil },
			"advisories": func(in *policy.Inputs) { in.Digests.Advisories = "" },
			"labels":     func(in *policy.Inputs) { in.Subject.Labels = nil },
			"layers":     func(in *policy.Inputs) { in.Subject.Layers = nil },
			"names":      func(in *policy.Inputs) { in.Subject.Image.Names = nil },
			"a gap more": func(in *policy.Inputs) {
				in.Gaps = append(slices.Clone(in.Gaps), sbom.Gap{Code: sbom.GapUnreadable, Blocking: true, Where: "y", What: "z"})
			},
		} {
			less := *in
			drop(&less)
			after := evaluate(t, p, &less).Verdict
			// An error of an expression that is not asked any more is still no pass.
			if after.Outcome.Allows() && !hasNegatedImageRule(p) {
				t.Fatalf("seed %d: without %s %s became %s", seed, what, before.Outcome, after.Outcome)
			}
		}
	}
}

// hasNegatedImageRule says whether rules ask for what is not a gap: then a gap may
// take a restriction away, as the rule says.
func hasNegatedImageRule(p *policy.Policy) bool {
	return slices.ContainsFunc(p.Rules, func(r policy.Rule) bool {
		return slices.ContainsFunc(r.Conditions, func(c policy.Condition) bool { return c.Field == "gap" })
	})
}

// TestCited: whoever is cited matters to the trace, and who is not matters to nothing.
func TestCited(t *testing.T) {
	cited, uncited := 0, 0
	for seed := range cases(500, 20_000) {
		d := dice{rand.New(rand.NewPCG(uint64(seed), 13))}
		p, in := d.policy(), d.inputs(t)
		r := evaluate(t, p, in)
		for i, s := range in.Statements {
			less := *in
			less.Statements = slices.Delete(slices.Clone(in.Statements), i, i+1)
			is := bytes.Contains(r.Trace, []byte(s.ID))
			if same := bytes.Equal(evaluate(t, p, &less).Trace, r.Trace); same == is {
				t.Fatalf("seed %d: statement %s is cited %v, and without it the trace is the same %v", seed, s.ID, is, same)
			}
			count(&cited, &uncited, is)
		}
		trace, err := policy.DecodeTrace(r.Trace)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range in.Exceptions {
			less := *in
			less.Exceptions = slices.Delete(slices.Clone(in.Exceptions), i, i+1)
			is := slices.ContainsFunc(trace.Exceptions, func(x policy.Exception) bool { return x.ID == e.ID })
			again, err := policy.DecodeTrace(evaluate(t, p, &less).Trace)
			if err != nil {
				t.Fatal(err)
			}
			if same := again.Outcome == trace.Outcome && len(again.Exceptions) == len(trace.Exceptions); same && is {
				t.Fatalf("seed %d: exception %s is cited, and without it nothing is different", seed, e.ID)
			}
			count(&cited, &uncited, is)
		}
	}
	if cited < 100 || uncited < 100 {
		t.Errorf("%d cited, %d not: the test shows little", cited, uncited)
	}
}

func count(yes, no *int, is bool) {
	if is {
		*yes++
	} else {
		*no++
	}
}

// TestTampered: no byte of a trace or verdict can be changed without being noticed.
func TestTampered(t *testing.T) {
	for seed := range cases(60, 2_000) {
		d := dice{rand.New(rand.NewPCG(uint64(seed), 17))}
		r := evaluate(t, d.policy(), d.inputs(t))
		for range 40 {
			body, trace := slices.Clone(r.Body), slices.Clone(r.Trace)
			of := body
			if d.chance(60) {
				of = trace
			}
			of[d.IntN(len(of))] ^= byte(1 << d.IntN(7))
			if _, err := verify.Verdict(body, trace); err == nil {
				t.Fatalf("seed %d: changed and accepted:\n%s\n%s", seed, body, trace)
			}
		}
		// One who can write the digest as well still has to make the trace agree with
		// itself.
		i := bytes.LastIndex(r.Trace, []byte(`"outcome":"block"`))
		if i < 0 {
			continue
		}
		forged := slices.Concat(r.Trace[:i], []byte(`"outcome":"pass"`), r.Trace[i+len(`"outcome":"block"`):])
		if v, err := verify.Trace(forged); err == nil {
			t.Fatalf("seed %d: a forged outcome gives %+v\n%s", seed, v, forged)
		}
	}
}

// TestRefused: what cannot be evaluated, with the reason.
func TestRefused(t *testing.T) {
	ok := func() (*policy.Policy, *policy.Inputs) {
		return &policy.Policy{ID: "p", Version: 1, Semantics: policy.Semantics}, &policy.Inputs{At: at}
	}
	rule := policy.Rule{ID: "r", Action: policy.ActionBlock, Because: "so"}
	with := func(c policy.Condition) policy.Rule { r := rule; r.Conditions = []policy.Condition{c}; return r }
	for want, change := range map[string]func(*policy.Policy, *policy.Inputs){
		"evaluation time": func(_ *policy.Policy, in *policy.Inputs) {
			in.At = in.At.AddDate(-in.At.Year()+1, 1-int(in.At.Month()), 1-in.At.Day()).Truncate(24 * 3600e9)
		},
		"is there twice": func(p *policy.Policy, _ *policy.Inputs) { p.Rules = []policy.Rule{rule, rule} },
		"because": func(p *policy.Policy, _ *policy.Inputs) {
			p.Rules = []policy.Rule{{ID: "r", Action: policy.ActionBlock, Because: " "}}
		},
		"action": func(p *policy.Policy, _ *policy.Inputs) {
			p.Rules = []policy.Rule{{ID: "r", Action: "deny", Because: "so"}}
		},
		"this engine has": func(p *policy.Policy, _ *policy.Inputs) { p.Semantics = 99 },
		"is unknown": func(p *policy.Policy, _ *policy.Inputs) {
			p.Rules = []policy.Rule{with(policy.Condition{Field: "sevrity", Operator: policy.Is, Values: []string{"x"}})}
		},
		"no severity": func(p *policy.Policy, _ *policy.Inputs) {
			p.Rules = []policy.Rule{with(policy.Condition{Field: "severity", Operator: policy.Is, Values: []string{"x"}})}
		},
		"no number": func(p *policy.Policy, _ *policy.Inputs) {
			p.Rules = []policy.Rule{with(policy.Condition{Field: "cvss", Operator: policy.Is, Values: []string{"x"}})}
		},
		"true or false": func(p *policy.Policy, _ *policy.Inputs) {
			p.Rules = []policy.Rule{with(policy.Condition{Field: "kev", Operator: policy.Is, Values: []string{"1"}})}
		},
		"does not go with": func(p *policy.Policy, _ *policy.Inputs) {
			p.Rules = []policy.Rule{with(policy.Condition{Field: "kev", Operator: policy.AtLeast, Values: []string{"true"}})}
		},
		"0 values": func(p *policy.Policy, _ *policy.Inputs) {
			p.Rules = []policy.Rule{with(policy.Condition{Field: "kev", Operator: policy.Is})}
		},
		"product pattern": func(p *policy.Policy, _ *policy.Inputs) {
			p.Rules = []policy.Rule{with(policy.Condition{Field: "purl", Operator: policy.Matches, Values: []string{"pkg:npm/f*"}})}
		},
		"an expression stands": func(p *policy.Policy, _ *policy.Inputs) {
			p.Rules = []policy.Rule{with(policy.Condition{Expression: "true", Field: "kev"})}
		},
		"above block": func(p *policy.Policy, _ *policy.Inputs) { p.Threshold = policy.Threshold{Block: "low", Warn: "high"} },
		"sorted, each once": func(p *policy.Policy, _ *policy.Inputs) {
			p.Profiles = []policy.Profile{{Environment: "b"}, {Environment: "a"}}
		},
		"want not_assessed": func(p *policy.Policy, _ *policy.Inputs) { p.Evidence.Gaps = policy.Pass },
		"scope: want": func(_ *policy.Policy, in *policy.Inputs) {
			in.Exceptions = []policy.Exception{{ID: "e", Effect: policy.Suppress, Owner: "a", Reason: "b", Created: at}}
		},
		"owner and reason": func(_ *policy.Policy, in *policy.Inputs) {
			e := dice{rand.New(rand.NewPCG(1, 1))}.exception(0)
			e.Owner = ""
			in.Exceptions = []policy.Exception{e}
		},
		"\"e0\" is there twice": func(_ *policy.Policy, in *policy.Inputs) {
			e := dice{rand.New(rand.NewPCG(1, 1))}.exception(0)
			in.Exceptions = []policy.Exception{e, e}
		},
	} {
		p, in := ok()
		change(p, in)
		e, err := policy.Compile(p, &policy.Options{Expressions: expressions})
		if err == nil {
			_, err = e.Evaluate(in)
		}
		if err == nil || !strings.Contains(err.Error(), want) || !errors.Is(err, policy.ErrInvalid) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	p, _ := ok()
	p.Rules = []policy.Rule{with(policy.Condition{Expression: "true"})}
	if _, err := policy.Compile(p, nil); !errors.Is(err, policy.ErrUnsupported) {
		t.Errorf("an expression without a compiler: %v", err)
	}
}
