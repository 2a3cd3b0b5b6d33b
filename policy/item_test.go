package policy_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/verify"
	"github.com/stella-ops/stella/scan/sbom"
)

// itemTests are conditions about each of what rules may be about.
var itemTests = map[policy.About][]policy.Condition{
	policy.AboutFinding: {
		{Field: "usage", Operator: policy.Is, Values: []string{"reached"}}, {Field: "usage", Operator: policy.Is, Values: []string{"unreached"}},
		{Field: "usage", Operator: policy.Is, Values: []string{"unknown"}}, {Field: "usage", Operator: policy.Is, Values: []string{"reached", "unknown"}},
		{Field: "secrets", Operator: policy.Above, Values: []string{"1"}},
	},
	policy.AboutSecret: {
		{Field: "secret", Operator: policy.Is, Values: []string{"aws-*"}}, {Field: "removed", Operator: policy.Is, Values: []string{"true"}},
		{Field: "path", Operator: policy.Is, Values: []string{"etc/*"}}, {Field: "layer", Operator: policy.Is, Values: []string{"0"}},
		{Field: "in_base", Operator: policy.Is, Values: []string{"true"}}, {Field: "label", Operator: policy.Is, Values: []string{"team=pay*"}},
	},
	policy.AboutFile: {
		{Field: "file_kind", Operator: policy.Is, Values: []string{"executable"}}, {Field: "file_mode", Operator: policy.Is, Values: []string{"4*"}},
		{Field: "file_digest", Operator: policy.Is, Values: []string{"sha256:aa"}}, {Field: "path", Operator: policy.Is, Values: []string{"usr/*"}},
		{Field: "files", Operator: policy.AtLeast, Values: []string{"2"}},
	},
	policy.AboutImage: {
		{Field: "secrets", Operator: policy.Above, Values: []string{"0"}}, {Field: "files", Operator: policy.AtMost, Values: []string{"1"}},
		{Field: "label", Operator: policy.Is, Values: []string{"team"}}, {Field: "os", Operator: policy.Is, Values: []string{"debian-*"}},
	},
}

// itemPolicy is a random policy with rules about everything.
func (d dice) itemPolicy() *policy.Policy {
	p := d.policy()
	for i := range 1 + d.IntN(8) {
		about := roll(d, policy.Abouts...)
		r := policy.Rule{ID: fmt.Sprintf("i%d", i), About: about, Action: roll(d, policy.ActionAllow, policy.ActionWarn, policy.ActionBlock, policy.ActionIgnore), Because: fmt.Sprint("item reason ", i)}
		if r.Action == policy.ActionIgnore && d.chance(50) {
			r.Until = day(roll(d, -1, 0, 3))
		}
		r.Conditions = some(d, 2, func(int) policy.Condition {
			c := roll(d, itemTests[about]...)
			c.Negate = d.chance(30)
			return c
		})
		p.Rules = append(p.Rules, r)
	}
	d.Shuffle(len(p.Rules), func(i, j int) { p.Rules[i], p.Rules[j] = p.Rules[j], p.Rules[i] })
	return p
}

// itemInputs has secrets, files without a package, and packages with a usage.
func (d dice) itemInputs(t testing.TB) *policy.Inputs {
	in := d.inputs(t)
	in.Looked = sbom.Looked{Secrets: d.chance(80), Programs: d.chance(80)}
	if in.Looked.Secrets {
		in.Secrets = some(d, 3, func(int) sbom.Secret {
			return sbom.Secret{Rule: roll(d, "aws-key", "pem"), Path: roll(d, "etc/app.env", "root/.aws/credentials\x01"), Layer: roll(d, "l0", "l2", ""), Line: d.IntN(3), Removed: d.chance(30)}
		})
	}
	for i := range in.Packages {
		in.Packages[i].Usage = roll(d, nil, &sbom.Usage{State: sbom.Reached}, &sbom.Usage{State: sbom.Unreached}, &sbom.Usage{State: "perhaps"})
	}
	if in.Looked.Programs {
		in.Packages = append(in.Packages, some(d, 3, func(i int) sbom.Package {
			p := sbom.Package{ID: fmt.Sprint("f", i), Type: sbom.TypeFile, Name: roll(d, "usr/bin/x", "opt/y"), Locations: []sbom.Location{{Layer: roll(d, "l0", "l1", "")}}}
			if d.chance(80) {
				p.Hashes = []sbom.Hash{{Algorithm: "sha256", Value: roll(d, "aa", "bb")}}
			}
			for _, name := range []string{"file:kind", "file:mode"} {
				if d.chance(80) {
					p.Properties = append(p.Properties, sbom.Property{Name: name, Value: map[string]string{"file:kind": roll(d, "executable", "script"), "file:mode": roll(d, "4755", "0755")}[name]})
				}
			}
			return p
		})...)
	}
	return in
}

func canonicalOf(t testing.TB, trace *policy.Trace) []byte {
	text, err := json.Marshal(trace)
	if err == nil {
		err = (*jsontext.Value)(&text).Canonicalize()
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestItemsAgainstVerifier: what is recomputed by other code is what was decided. The
// order of secrets and packages changes no byte, and nothing that is left out of a
// trace goes unnoticed.
func TestItemsAgainstVerifier(t *testing.T) {
	outcomes := map[policy.Outcome]int{}
	for seed := range cases(2_000, 400_000) {
		d := dice{rand.New(rand.NewPCG(uint64(seed), 21))}
		p, in := d.itemPolicy(), d.itemInputs(t)
		r := evaluate(t, p, in)
		v, err := verify.Verdict(r.Body, r.Trace)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s\n%s", seed, err, r.Body, r.Trace)
		}
		if diff := cmp.Diff(r.Verdict, v); diff != "" {
			t.Fatalf("seed %d: read back:\n%s", seed, diff)
		}
		slices.Reverse(in.Secrets)
		slices.Reverse(in.Packages)
		if again := evaluate(t, p, in); !bytes.Equal(again.Trace, r.Trace) || !bytes.Equal(again.Body, r.Body) {
			t.Fatalf("seed %d: another order gives other bytes:\n%s\n%s", seed, r.Trace, again.Trace)
		}
		trace, err := policy.DecodeTrace(r.Trace)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range trace.Items {
			outcomes[x.Outcome]++
			less := *trace
			less.Items = slices.Delete(slices.Clone(trace.Items), i, i+1)
			if _, err := verify.Trace(canonicalOf(t, &less)); !errors.Is(err, verify.ErrMismatch) {
				t.Fatalf("seed %d: without %s the trace verifies: %v", seed, x.Title(), err)
			}
			forged := *trace
			forged.Items = slices.Clone(trace.Items)
			if forged.Items[i].Outcome = policy.Pass; x.Outcome == policy.Pass {
				forged.Items[i].Outcome = policy.Warn
			}
			if _, err := verify.Trace(canonicalOf(t, &forged)); !errors.Is(err, verify.ErrMismatch) {
				t.Fatalf("seed %d: %s, which is %s, verifies as %s: %v", seed, x.Title(), x.Outcome, forged.Items[i].Outcome, err)
			}
		}
	}
	for _, o := range []policy.Outcome{policy.Pass, policy.Warn, policy.NotAssessed, policy.Block} {
		if outcomes[o] < 50 {
			t.Errorf("%d items are %s: the test shows little", outcomes[o], o)
		}
	}
}

// TestNotLooked: where nobody looked, what restricts is no pass, whatever else there is.
func TestNotLooked(t *testing.T) {
	for seed := range cases(1_000, 100_000) {
		d := dice{rand.New(rand.NewPCG(uint64(seed), 23))}
		p, in := d.itemPolicy(), d.itemInputs(t)
		p.Evidence.Unknown, p.Profiles = roll(d, "", policy.NotAssessed, policy.Block), nil
		if evaluate(t, p, in).Verdict.Outcome.Allows() {
			continue
		}
		less := *in
		less.Looked, less.Secrets = sbom.Looked{}, nil
		less.Packages = slices.DeleteFunc(slices.Clone(in.Packages), func(p sbom.Package) bool { return p.Type == sbom.TypeFile })
		for i := range less.Packages {
			less.Packages[i].Usage = nil
		}
		asksUnknown := slices.ContainsFunc(p.Rules, func(r policy.Rule) bool { // and decides by it that something is well
			return slices.ContainsFunc(r.Conditions, func(c policy.Condition) bool { return slices.Contains(c.Values, "unknown") })
		})
		if after := evaluate(t, p, &less).Verdict; after.Outcome.Allows() && !asksUnknown {
			t.Fatalf("seed %d: where nobody looked it is %s", seed, after.Outcome)
		}
	}
}

// TestUsage: unknown is neither reached nor unreached, and only a condition that names
// it holds.
func TestUsage(t *testing.T) {
	for _, c := range []struct {
		usage  *sbom.Usage
		values string
		negate bool
		want   policy.Outcome
	}{
		{&sbom.Usage{State: sbom.Reached}, "reached", false, policy.Block},
		{&sbom.Usage{State: sbom.Reached}, "unreached", false, policy.Pass},
		{&sbom.Usage{State: sbom.Reached}, "unknown", false, policy.Pass},
		{&sbom.Usage{State: sbom.Unreached}, "reached unknown", false, policy.Pass},
		{&sbom.Usage{State: sbom.Unreached}, "unreached", true, policy.Pass},
		{nil, "reached", false, policy.NotAssessed},
		{nil, "unreached", false, policy.NotAssessed},
		{nil, "unreached", true, policy.NotAssessed},
		{nil, "un*", false, policy.NotAssessed},
		{nil, "unknown", false, policy.Block},
		{nil, "reached unknown", false, policy.Block},
		{nil, "unreached unknown", true, policy.Pass},
		{&sbom.Usage{State: "maybe"}, "reached", false, policy.NotAssessed},
	} {
		p := &policy.Policy{ID: "p", Version: 1, Semantics: policy.Semantics, Rules: []policy.Rule{{
			ID: "r", Action: policy.ActionBlock, Because: "so", Conditions: []policy.Condition{{Field: "usage", Operator: policy.Is, Values: strings.Fields(c.values), Negate: c.negate}},
		}}}
		in := &policy.Inputs{At: at, Digests: policy.Digests{Advisories: "sha256:a"}, Packages: []sbom.Package{{ID: "p", Name: "a", Usage: c.usage}}, Findings: []finding.Finding{{Package: "p", Name: "a", Vulnerability: "CVE-1"}}}
		r := evaluate(t, p, in)
		if r.Verdict.Outcome != c.want {
			t.Errorf("%+v: %s", c, r.Verdict.Outcome)
		}
		if _, err := verify.Verdict(r.Body, r.Trace); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestItemRules: rules about something are refused what it does not have.
func TestItemRules(t *testing.T) {
	for text, r := range map[string]policy.Rule{
		"severity is no fact of secrets":            {About: policy.AboutSecret, Conditions: []policy.Condition{{Field: "severity", Operator: policy.Is, Values: []string{"high"}}}},
		"secret is no fact of findings":             {Conditions: []policy.Condition{{Field: "secret", Operator: policy.Is, Values: []string{"x"}}}},
		"reads severity, which is no fact of files": {About: policy.AboutFile, Conditions: []policy.Condition{{Expression: "severity"}}},
		"path is no fact of images":                 {About: policy.AboutImage, Conditions: []policy.Condition{{Field: "path", Operator: policy.Is, Values: []string{"x"}}}},
		`about: "layer" is none of`:                 {About: "layer"},
		"go with findings alone":                    {About: policy.AboutSecret, Final: true},
	} {
		r.ID, r.Action, r.Because = "r", policy.ActionBlock, "so"
		_, err := policy.Compile(&policy.Policy{ID: "p", Version: 1, Semantics: policy.Semantics, Rules: []policy.Rule{r}}, &policy.Options{Expressions: expressions})
		if !errors.Is(err, policy.ErrInvalid) || !strings.Contains(err.Error(), text) {
			t.Errorf("want %q, got %v", text, err)
		}
	}
}
