package sarif

import (
	"os"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/policy/internal/policytest"
)

// TestBeside: secrets and files without a package are results with rules of their own;
// secrets also where no rule of the policy is about them.
func TestBeside(t *testing.T) {
	for _, rules := range []bool{true, false} {
		in, _, trace := policytest.Beside(t, rules)
		got, err := Encode(trace, &Options{Findings: in.Findings, Packages: in.Packages, Secrets: in.Secrets, Version: "1.2.3"})
		if err != nil {
			t.Fatal(err)
		}
		name := map[bool]string{true: "testdata/decided.sarif", false: "testdata/listed.sarif"}[rules]
		if *update {
			if err := os.WriteFile(name, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		var l log
		if err := json.Unmarshal(got, &l); err != nil {
			t.Fatal(err)
		}
		r := l.Runs[0]
		prints, secrets := map[string]bool{}, 0
		for i, x := range r.Results {
			if id := r.Tool.Driver.Rules[x.RuleIndex].ID; id != x.RuleID {
				t.Errorf("result %d is of rule %s, its index leads to %s", i, x.RuleID, id)
			}
			if print := x.PartialFingerprints["stella/v1"]; prints[print] {
				t.Errorf("fingerprint %s is there twice", print)
			} else {
				prints[print] = true
			}
			if strings.HasPrefix(x.RuleID, "stella/secret/") {
				secrets++
			}
		}
		if secrets != len(in.Secrets) {
			t.Errorf("%d secrets, want %d", secrets, len(in.Secrets))
		}
		if level := r.Results[0].Level; level != "error" {
			t.Errorf("the first result is a %s", level)
		}
	}
}

// TestMoved: a secret in another line has the same fingerprint.
func TestMoved(t *testing.T) {
	print := func(line int) string {
		in, _, trace := policytest.Beside(t, true)
		in.Secrets[0].Line = line
		for i := range trace.Items {
			if trace.Items[i].Secret == in.Secrets[0].Rule {
				trace.Items[i].Line = line
			}
		}
		text, err := Encode(trace, &Options{Secrets: in.Secrets})
		if err != nil {
			t.Fatal(err)
		}
		var l log
		if err := json.Unmarshal(text, &l); err != nil {
			t.Fatal(err)
		}
		for _, r := range l.Runs[0].Results {
			if r.RuleID == "stella/secret/aws-access-key-id" {
				if got := r.Locations[0].PhysicalLocation.Region.StartLine; got != line {
					t.Errorf("line %d, want %d", got, line)
				}
				return r.PartialFingerprints["stella/v1"]
			}
		}
		return ""
	}
	if a, b := print(2), print(7); a != b || a == "" {
		t.Errorf("%q and %q", a, b)
	}
}
