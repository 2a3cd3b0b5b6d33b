package policyfile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/policy"
)

// TestLintIsCertain: a rule of which it is said that it never holds never holds, and
// one of which it is said that it never decides never does, where all facts are known.
func TestLintIsCertain(t *testing.T) {
	warned := 0
	rapid.Check(t, func(t *rapid.T) {
		conditions := []string{
			`severity: ">= high"`, `severity: ">= medium, < critical"`, `severity: [low, high]`, `severity: {not: critical}`, `severity: {not: ">= high"}`, `severity: "< low, > high"`, `severity: critical`,
			`cvss: ">= 5"`, `cvss: "> 5, <= 9.8"`, `cvss: "9.8"`, `cvss: {not: ["9.8", "5.3"]}`, `kev: true`, `kev: {not: true}`, `kev: false`,
			`name: a`, `name: [a, b]`, `name: {not: a}`, `name: {not: [a, b]}`, `name: "*"`, `name: "A"`, `name: ["a*", b]`, `vulnerability: [CVE-1, cve-2]`, `vulnerability: cve-1`, `vulnerability: {not: "CVE-*"}`, `vulnerability: {not: [CVE-1, "CVE-*"]}`,
			`label: team`, `label: team=x`, `label: {team: x}`, `label: {not: team=x}`, `label: {team: [x, y], other: z}`, `label: {not: team}`, `purl: "pkg:npm/*"`, `purl: ["pkg:npm/a", "pkg:npm/*"]`, `purl: {not: "*"}`, `fix: none`, `fix: {not: available}`,
		}
		var b strings.Builder
		b.WriteString("id: p\nversion: 1\nrules:\n")
		n := rapid.IntRange(1, 5).Draw(t, "rules")
		for i := range n {
			action := rapid.SampledFrom(policy.Actions).Draw(t, "action")
			fmt.Fprintf(&b, "  - id: r%d\n    action: %s\n    because: x\n    despite_vex: %v\n", i, action, rapid.Bool().Draw(t, "despite"))
			if list := rapid.SliceOfN(rapid.SampledFrom(conditions), 0, 3).Draw(t, "conditions"); len(list) > 0 {
				b.WriteString("    match:\n")
				for _, c := range list {
					fmt.Fprintf(&b, "      - %s\n", c)
				}
			}
			if when := rapid.SampledFrom([]string{"", "kev", "!kev", "kev && !kev", "kev || cvss > 50", "(kev || cvss > 50) && severity > LOW"}).Draw(t, "when"); when != "" {
				fmt.Fprintf(&b, "    when: %q\n", when)
			}
		}
		p, found, err := Parse("p.yaml", []byte(b.String()))
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		never := map[string]bool{}
		for _, d := range found {
			if strings.Contains(d.Message, "can never hold") || strings.Contains(d.Message, "never decides") {
				_, rest, _ := strings.Cut(d.Message, `"`)
				id, _, _ := strings.Cut(rest, `"`)
				never[id] = true
				warned++
			}
		}
		if len(never) == 0 {
			return
		}
		results, err := Test(p, "t.yaml", []byte(everyFinding))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			trace, err := policy.DecodeTrace(r.Trace)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range trace.Decisions[0].Rules {
				if never[a.Rule] && a.Is == "yes" {
					t.Fatalf("%s was said never to apply, and does to %s\n%s\n%v", a.Rule, r.Name, b.String(), found)
				}
			}
		}
	})
	if warned < 10 && !testing.Short() { // few draws may well say little
		t.Errorf("%d warnings only: the test says nothing", warned)
	}
}

// everyFinding are tests of findings with all that the conditions above ask about.
var everyFinding = func() string {
	var b strings.Builder
	b.WriteString("tests:\n")
	scores := []string{"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N", "CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"}
	for i, s := range severities() {
		for j, name := range []string{"a", "b", "abc", "A", "c"} {
			for k, labels := range []string{"{team: x}", "{team: y, other: z}", "{}"} {
				vex := ""
				if (i+j+k)%4 == 0 {
					vex = "\n    vex: [{status: not_affected, justification: component_not_present}]"
				}
				fmt.Fprintf(&b, "  - name: f%d-%d-%d\n    finding: {vulnerability: CVE-%d, severity: %s, package: \"pkg:%s/%s@1\", cvss: %q, exploited: %v, fixed: %s}\n    image: {labels: %s}%s\n    want: pass\n",
					i, j, k, i, s, []string{"npm", "gem"}[(j+k)%2], name, scores[(i+k)%3], (i+j)%2 == 0, []string{`["1"]`, `["1"]`, `["2"]`}[k], labels, vex)
			}
		}
	}
	return b.String()
}()

// TestLintIsBounded: many rules with many values take a while, and no longer.
func TestLintIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("reads megabytes")
	}
	var values, b strings.Builder
	for i := range 1500 {
		fmt.Fprintf(&values, "v%04d,", i)
	}
	b.WriteString("id: p\nversion: 1\nrules:\n")
	for i := range 90 {
		fmt.Fprintf(&b, "  - {id: r%d, action: block, because: x, match: {name: [%sz%d]}}\n", i, values.String(), i)
	}
	_, found, err := Parse("p.yaml", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(found, func(d Diagnostic) bool { return strings.Contains(d.Message, "too many") }) {
		t.Errorf("nobody says that the comparison was cut off: %v", found)
	}
}
