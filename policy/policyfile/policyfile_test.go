package policyfile

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/policy"
)

var update = flag.Bool("update", false, "write what the code gives into testdata")

var testTime = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// golden compares each "<name>.want" of an archive with what got makes of the files
// before it that have its name.
func golden(t *testing.T, file string, got func(name string, text []byte) string) {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.Files {
		name, ok := strings.CutSuffix(a.Files[i].Name, ".want")
		if !ok {
			continue
		}
		said := got(name, a.Files[i-1].Data)
		if *update {
			a.Files[i].Data = []byte(said)
		} else if diff := cmp.Diff(string(a.Files[i].Data), said); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProblems(t *testing.T) {
	golden(t, "testdata/problems.txtar", func(name string, text []byte) string {
		p, _, err := Parse(name+".yaml", text)
		var b strings.Builder
		for _, d := range Lint(name+".yaml", text, testTime) {
			b.WriteString(d.String() + "\n")
		}
		switch {
		case err == nil && p == nil, err != nil && p != nil:
			t.Errorf("%s: policy %v and error %v", name, p, err)
		case strings.HasPrefix(name, "warn-") && (err != nil || b.Len() == 0):
			t.Errorf("%s: want warnings alone: %v", name, err)
		case strings.HasPrefix(name, "well-") && (err != nil || b.Len() > 0):
			t.Errorf("%s: want nothing: %v %s", name, err, b.String())
		case strings.ContainsAny(b.String(), "\x1b\u202e"):
			t.Errorf("%s: it could command a terminal: %q", name, b.String())
		}
		var list *DocumentError
		if err != nil {
			if !errors.As(err, &list) || errors.Is(err, ErrInvalid) == errors.Is(err, ErrUnsupported) {
				t.Errorf("%s: error %v of no kind", name, err)
			}
			for _, d := range list.Diagnostics {
				if d.Line == 0 && name != "empty" {
					t.Errorf("%s: no place: %s", name, d)
				}
			}
			if errors.Is(err, ErrUnsupported) {
				b.WriteString("unsupported\n")
			}
		}
		return b.String()
	})
}

func TestLimits(t *testing.T) {
	head := "id: p\nversion: 1\n"
	var rules strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&rules, "- {id: r%d, action: warn, because: x}\n", i)
	}
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	for _, tt := range []struct {
		name, text string
		want       error
		say        string
	}{
		{"too long", head + "title: " + strings.Repeat("x", MaxDocument), ErrLimit, "bytes"},
		{"100,000 rules", head + "rules:\n" + rules.String(), ErrLimit, "rules: 100000 is over the limit of 10000"},
		{"deep", head + "title: " + deep, ErrInvalid, "nested deeper than 20 levels"},
		{"long reason", head + "rules: [{id: a, action: warn, because: " + strings.Repeat("x", 5000) + "}]", ErrInvalid, "5000 bytes, at most 4096"},
		{"many values", head + "rules: [{id: a, action: warn, because: x, match: {name: [" + strings.Repeat("a, ", 10_001) + "]}}]", ErrInvalid, "10001 values, at most 10000"},
		{"long expression", head + "rules: [{id: a, action: warn, because: x, when: " + strings.Repeat("kev || ", 1000) + "kev}]", ErrInvalid, "at most 4096"},
		{"deep expression", head + "rules: [{id: a, action: warn, because: x, when: " + strings.Repeat("(", 60) + "kev" + strings.Repeat(")", 60) + "}]", ErrInvalid, "nested deeper than 50 levels"},
		{"no UTF-8", head + "title: \xff\xfe", ErrInvalid, "it is not UTF-8"},
		{"UTF-16", "\xff\xfei\x00d\x00", ErrInvalid, "it is not UTF-8"},
		{"many problems", head + "rules:\n" + strings.Repeat("- {}\n", 1000), ErrInvalid, "there is more"},
	} {
		_, _, err := Parse("p.yaml", []byte(tt.text))
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.say) {
			t.Errorf("%s: %.300v, want %v with %q", tt.name, err, tt.want, tt.say)
		}
	}
}

// TestEvaluationFails: what goes wrong in an evaluation is an error, which is no pass.
func TestEvaluationFails(t *testing.T) {
	var paths strings.Builder
	for i := range 400 {
		fmt.Fprintf(&paths, "p%d, ", i)
	}
	for _, when := range []string{`cvss / (cvss - cvss) == 1`, `cvss * 9223372036854775807 > 1`, `label.nothing == "x"`, `path.all(a, path.all(b, a + b != "x"))`} {
		p, _, err := Parse("p.yaml", []byte("id: p\nversion: 1\nrules:\n  - id: a\n    action: allow\n    because: x\n    when: "+when+"\n"))
		if err != nil {
			t.Errorf("%s: %v", when, err)
			continue
		}
		out, err := Test(p, "t.yaml", []byte("image: {labels: {a: b}}\ntests:\n  - name: a\n    finding: {vulnerability: CVE-2026-1, package: pkg:npm/a@1, cvss: \"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\", paths: ["+paths.String()+"]}\n    want: error\n"))
		if err != nil || !out[0].Passed || out[0].Got.Outcome.Allows() {
			t.Errorf("%s: %+v %v, want an error that does not allow", when, out, err)
		}
	}
}

// TestSameDigest: what is written otherwise and means the same has the same digest.
func TestSameDigest(t *testing.T) {
	base := "id: p\nversion: 1\nrules:\n  - id: a\n    match: {severity: \">= high\", name: [b, a], cvss: \">= 7.5\"}\n    when: kev && age>3\n    action: block\n    because: x\nthreshold: {warn: medium}\n"
	p, _, err := Parse("p.yaml", []byte(base))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"CRLF":             strings.ReplaceAll(base, "\n", "\r\n"),
		"BOM":              "\ufeff" + base,
		"comments":         "# c\n" + strings.ReplaceAll(base, "because: x", "because: x # c\n\n"),
		"order of keys":    "version: 1\nthreshold: {warn: medium}\nrules:\n  - because: x\n    action: block\n    when: kev && age>3\n    match: {cvss: \">= 7.5\", severity: \">= high\", name: [b, a]}\n    id: a\nid: p\n",
		"order of values":  strings.ReplaceAll(base, "[b, a]", "[a, b]"),
		"value twice":      strings.ReplaceAll(base, "[b, a]", "[a, b, a]"),
		"space":            strings.ReplaceAll(base, ">= high", ">=high"),
		"name of severity": strings.ReplaceAll(base, ">= high", ">= Important"),
		"trailing zero":    strings.ReplaceAll(base, "7.5", "7.50"),
		"expression":       strings.ReplaceAll(base, "kev && age>3", "((kev) && (age > 3)) // c"),
		"semantics":        base + "semantics: 1\n",
		"JSON":             `{"id":"p","version":1,"rules":[{"id":"a","match":{"severity":">= high","name":["b","a"],"cvss":">= 7.5"},"when":"kev && age>3","action":"block","because":"x"}],"threshold":{"warn":"medium"}}`,
		"list of matches":  strings.ReplaceAll(base, `{severity: ">= high", name: [b, a], cvss: ">= 7.5"}`, `[{severity: ">= high"}, {name: [b, a], cvss: ">= 7.5"}]`),
	} {
		got, _, err := Parse(name, []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got.Digest() != p.Digest() {
			t.Errorf("%s has another digest:\n%s", name, cmp.Diff(p, got))
		}
	}
	for name, text := range map[string]string{
		"reason": strings.ReplaceAll(base, "because: x", "because: y"), "version": strings.ReplaceAll(base, "version: 1", "version: 2"), "number": strings.ReplaceAll(base, "7.5", "7.6"),
	} {
		got, _, err := Parse(name, []byte(text))
		if err != nil || got.Digest() == p.Digest() {
			t.Errorf("another %s, the same digest (%v)", name, err)
		}
	}
}

func TestMatch(t *testing.T) {
	type cs = []policy.Condition
	for _, tt := range []struct {
		match string
		want  cs
	}{
		{`severity: ">= high"`, cs{{Field: "severity", Operator: policy.AtLeast, Values: []string{"high"}}}},
		{`severity: [low, moderate]`, cs{{Field: "severity", Operator: policy.Is, Values: []string{"low", "medium"}}}},
		{`severity: {not: critical}`, cs{{Field: "severity", Operator: policy.Is, Values: []string{"critical"}, Negate: true}}},
		{`severity: {not: "<high"}`, cs{{Field: "severity", Operator: policy.Below, Values: []string{"high"}, Negate: true}}},
		{`cvss: ">= 4.0, < 7.0"`, cs{{Field: "cvss", Operator: policy.Below, Values: []string{"7"}}, {Field: "cvss", Operator: policy.AtLeast, Values: []string{"4"}}}},
		{`cvss: ["9.8", 10]`, cs{{Field: "cvss", Operator: policy.Is, Values: []string{"10", "9.8"}}}},
		{`age: 30`, cs{{Field: "age", Operator: policy.Is, Values: []string{"30"}}}},
		{`age: "> -1"`, cs{{Field: "age", Operator: policy.Above, Values: []string{"-1"}}}},
		{`kev: true`, cs{{Field: "kev", Operator: policy.Is, Values: []string{"true"}}}},
		{`kev: {not: true}`, cs{{Field: "kev", Operator: policy.Is, Values: []string{"true"}, Negate: true}}},
		{`label: team=payments`, cs{{Field: "label", Operator: policy.Is, Values: []string{"team=payments"}}}},
		{`label: [a, b=c]`, cs{{Field: "label", Operator: policy.Is, Values: []string{"a", "b=c"}}}},
		{`label: {team: payments, tier: [a, b]}`, cs{{Field: "label", Operator: policy.Is, Values: []string{"team=payments"}}, {Field: "label", Operator: policy.Is, Values: []string{"tier=a", "tier=b"}}}},
		{`label: {not: {team: payments}}`, cs{{Field: "label", Operator: policy.Is, Values: []string{"team=payments"}, Negate: true}}},
		{`purl: "pkg:npm/%40babel/*"`, cs{{Field: "purl", Operator: policy.Matches, Values: []string{"pkg:npm/%40babel/*"}}}},
		{`environment: no`, cs{{Field: "environment", Operator: policy.Is, Values: []string{"no"}}}},
	} {
		p, _, err := Parse("p.yaml", []byte("id: p\nversion: 1\nrules:\n  - id: a\n    action: warn\n    because: x\n    match:\n      "+tt.match+"\n"))
		if err != nil {
			t.Errorf("%s: %v", tt.match, err)
		} else if diff := cmp.Diff(tt.want, p.Rules[0].Conditions); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.match, diff)
		}
	}
}

func TestDefault(t *testing.T) {
	p, text, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	if found := Lint("default.yaml", text, testTime); len(found) > 0 {
		t.Errorf("the default policy: %v", found)
	}
	const want = "sha256:"
	golden, err := os.ReadFile("testdata/default.digest")
	if *update {
		err = os.WriteFile("testdata/default.digest", []byte(p.Digest()+"\n"), 0o644)
	} else if string(bytes.TrimSpace(golden)) != p.Digest() {
		t.Errorf("the default policy has the digest %s, pinned is %s", p.Digest(), golden)
	}
	if err != nil || !strings.HasPrefix(p.Digest(), want) {
		t.Error(err)
	}
	tests, err := os.ReadFile("testdata/default_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	results, err := Test(p, "default_test.yaml", tests)
	if err != nil {
		t.Fatal(err)
	}
	decided := map[string]bool{}
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%s: want %s, got %s because %s\n%s", r.Name, r.Want, r.Got, r.Because, r.Trace)
		}
		decided[r.Got.Rule] = true
		for _, w := range r.Warnings {
			decided[w] = true
		}
	}
	for _, r := range p.Rules {
		if !decided[r.ID] {
			t.Errorf("no test of rule %s", r.ID)
		}
	}
}

// TestExceptionsOfPolicies: what an exception must have to count, and what nothing
// softens.
func TestExceptionsOfPolicies(t *testing.T) {
	p, _, err := Parse("p.yaml", []byte(`
id: p
version: 1
threshold: {block: medium}
exceptions: {max_days: 30, approver: true, severity: high, effects: [defer, downgrade, require_control]}
rules:
  - {id: final, match: {kev: true}, action: block, because: x, final: true}
  - {id: fails, match: {name: broken}, when: age / (age - age) == 1, action: block, because: x}
`))
	if err != nil {
		t.Fatal(err)
	}
	results, err := Test(p, "t.yaml", []byte(`
at: 2026-11-29
tests:
  - {name: granted, finding: &f {vulnerability: CVE-1, package: pkg:npm/a@1, severity: high}, want: block}
`))
	if err == nil || results != nil {
		t.Error("a file of tests with an anchor was read")
	}
	var b strings.Builder
	b.WriteString("at: 2026-11-29\ncontrols: [waf]\ntests:\n")
	for _, tt := range [][3]string{ // name, exception, outcome
		{"granted", "effect: defer, approver: bo", "warn"},
		{"without an approver", "effect: defer", "block"},
		{"by its owner", "effect: defer, approver: owner", "block"},
		{"effect", "effect: suppress, approver: bo", "block"},
		{"expired", "effect: defer, approver: bo, created: 2026-11-01, expires: 2026-11-02", "block"},
		{"too old", "effect: defer, approver: bo, created: 2026-10-01", "block"},
		{"not yet", "effect: defer, approver: bo, created: 2026-12-01", "block"},
		{"for another environment", "effect: defer, approver: bo, environments: [development]", "block"},
		{"for another package", `effect: defer, approver: bo, packages: ["pkg:npm/b"]`, "block"},
		{"lower", "effect: downgrade, severity: low, approver: bo", "pass"},
		{"a control that is there", "effect: require_control, control: waf, approver: bo", "warn"},
		{"one that is not", "effect: require_control, control: other, approver: bo", "block"},
	} {
		fmt.Fprintf(&b, "  - name: %s\n    finding: {vulnerability: CVE-1, package: pkg:npm/a@1, severity: high}\n    exceptions: [{%s}]\n    want: %s\n", tt[0], tt[1], tt[2])
	}
	for name, more := range map[string][2]string{"severity": {"severity: critical", "block"}, "final": {"severity: low, exploited: true", "block"}, "error": {"severity: low, published: 2026-01-01", "error"}} {
		pkg := map[bool]string{true: "broken", false: "a"}[name == "error"]
		fmt.Fprintf(&b, "  - name: %s\n    finding: {vulnerability: CVE-1, package: pkg:npm/%s@1, %s}\n    exceptions: [{effect: defer, approver: bo}]\n    want: %s\n", name, pkg, more[0], more[1])
	}
	if results, err = Test(p, "t.yaml", []byte(b.String())); err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%s: want %s, got %s because %s", r.Name, r.Want, r.Got, r.Because)
		}
	}
}
