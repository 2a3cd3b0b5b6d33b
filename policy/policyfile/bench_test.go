package policyfile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/policy"
)

// benchPolicy has 16 declarative rules and 4 expressions, of which few decide.
func benchPolicy() string {
	var b strings.Builder
	b.WriteString("id: p\nversion: 1\nthreshold: {block: critical, warn: medium}\nrules:\n")
	for i, m := range []string{`kev: true`, `epss: ">= 0.9"`, `name: "*nothing*"`, `purl: "pkg:npm/%40x/*"`, `fix: will_not_fix`, `severity: critical`, `scope: dev`, `path: "opt/*"`} {
		for j := range 2 {
			fmt.Fprintf(&b, "  - {id: d%d-%d, match: {%s, environment: e%d}, action: block, because: x}\n", i, j, m, j)
		}
	}
	for i, w := range []string{`severity >= HIGH && kev`, `name.startsWith("zz") || epss > 900000`, `fix == "none" && severity == CRITICAL`, `vulnerability.exists(v, v.endsWith("-x"))`} {
		fmt.Fprintf(&b, "  - {id: c%d, when: '%s', action: block, because: x}\n", i, w)
	}
	return b.String()
}

func BenchmarkEvaluate(b *testing.B) {
	p, _, err := Parse("p.yaml", []byte(benchPolicy()))
	if err != nil {
		b.Fatal(err)
	}
	engine, err := policy.Compile(p, &policy.Options{Expressions: Expressions})
	if err != nil {
		b.Fatal(err)
	}
	in := &policy.Inputs{At: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), Signals: []string{"kev", "epss"}, Environment: "production", Digests: policy.Digests{Advisories: sum.Of([]byte("a")), Report: sum.Of([]byte("r"))}}
	for i := range 1000 {
		in.Findings = append(in.Findings, finding.Finding{
			Package: fmt.Sprint("p", i%200), Name: fmt.Sprint("lib", i%200), Version: "1.0", PURL: fmt.Sprintf("pkg:npm/lib%d@1.0", i%200), Vulnerability: fmt.Sprint("CVE-2026-", i), Advisory: fmt.Sprint("CVE-2026-", i),
			Severity: []finding.Severity{finding.Low, finding.Medium, finding.High}[i%3], EPSS: "0.00123", Fixed: []string{"1.1"},
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := engine.Evaluate(in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(in.Findings)*b.N)/b.Elapsed().Seconds(), "findings/s")
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, _, err := Parse("default.yaml", defaultText); err != nil {
			b.Fatal(err)
		}
	}
}
