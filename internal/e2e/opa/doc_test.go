// Package opa measures the policy engine beside the Open Policy Agent, used as a
// library, on the same twenty rules and the same thousand findings. It is a module of
// its own and outside of go.work: nothing else needs the agent.
//
//	cd internal/e2e/opa && GOWORK=off go test -bench . -count 5
package opa

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

//go:embed release.rego
var module string

var at = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// size is how many findings an image has.
const size = 1000

// image is the inputs of both.
func image() *policy.Inputs {
	in := &policy.Inputs{At: at, Environment: "production", Signals: []string{"kev", "epss"}, Digests: policy.Digests{Advisories: "sha256:a", Report: "sha256:r"}}
	in.Subject = policy.Subject{Name: "web", Layers: []string{"l0", "l1", "l2"}, BaseLayers: 1, Labels: map[string]string{"exposure": "internal"}}
	severities := []finding.Severity{finding.None, finding.Low, finding.Medium, finding.High, finding.Critical}
	for i := range size {
		p := sbom.Package{ID: fmt.Sprint("p", i), Name: fmt.Sprintf("package-%d", i), Version: "1.2.3-4", Licenses: []sbom.License{{Expression: "GPL-2.0-or-later"}}}
		p.PURL = purl.PackageURL{Type: "deb", Namespace: "debian", Name: p.Name, Version: p.Version}
		p.Locations = []sbom.Location{{Path: "var/lib/dpkg/status", Layer: in.Subject.Layers[i%3]}}
		in.Packages = append(in.Packages, p)
		f := finding.Finding{
			Package: p.ID, Name: p.Name, Version: p.Version, PURL: p.PURL.String(), Vulnerability: fmt.Sprintf("CVE-2025-%05d", i), Advisory: "A",
			Severity: severities[i%5], SeverityFrom: "nvd", EPSS: fmt.Sprintf("0.%05d", i*37%100000), Published: "2025-06-01T10:00:00Z",
			Scores: []finding.Score{{Type: "CVSS_V3", Value: "CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:N", Source: "nvd"}},
		}
		if i%3 == 0 {
			f.Fixed = []string{"1.2.3-5"}
		}
		in.Findings = append(in.Findings, f)
	}
	return in
}

// facts are the same for the agent, in the form that suits it: with numbers made
// ready, so that it need not parse.
func facts(in *policy.Inputs) []any {
	var out []any
	for i := range in.Findings {
		f, p := &in.Findings[i], &in.Packages[i]
		epss, _ := policy.Decimal(f.EPSS, 6)
		fix := "none"
		if len(f.Fixed) > 0 {
			fix = "available"
		}
		published, _ := time.Parse(time.RFC3339, f.Published)
		layer := map[string]int{"l0": 0, "l1": 1, "l2": 2}[p.Locations[0].Layer]
		out = append(out, map[string]any{
			"vulnerability": []any{f.Vulnerability}, "severity": f.Severity.Rank(), "kev": f.Exploited != "", "epss": epss, "cvss": 71, "cvss_vector": f.Scores[0].Value,
			"severities": []any{"nvd=" + string(f.Severity), "nvd=high"}, "fix": fix, "age": int(at.Sub(published).Hours() / 24), "name": f.Name, "purl": f.PURL, "scope": "runtime",
			"path": []any{p.Locations[0].Path}, "license": []any{p.Licenses[0].Expression}, "in_base": layer < 1, "vex_assured": false, "vex_disputed": false,
			"label": map[string]any{"exposure": "internal"}, "environment": "production",
		})
	}
	// As the agent gets it from JSON.
	text, _ := json.Marshal(out)
	var again []any
	_ = json.Unmarshal(text, &again)
	return again
}

func engine(tb testing.TB) *policy.Engine {
	text, err := os.ReadFile("../../../policy/testdata/bench.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	p, _, err := policyfile.Parse("bench.yaml", text)
	if err != nil {
		tb.Fatal(err)
	}
	e, err := policy.Compile(p, &policy.Options{Expressions: policyfile.Expressions})
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func prepare(tb testing.TB, query string) rego.PreparedEvalQuery {
	q, err := rego.New(rego.Query(query), rego.Module("release.rego", module)).PrepareForEval(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return q
}

func evaluate(tb testing.TB, q rego.PreparedEvalQuery, input any) any {
	r, err := q.Eval(context.Background(), rego.EvalInput(input))
	if err != nil || len(r) != 1 {
		tb.Fatal(len(r), err)
	}
	return r[0].Expressions[0].Value
}

// TestSame: both decide the same about every finding.
func TestSame(t *testing.T) {
	in := image()
	r, err := engine(t).Evaluate(in)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := policy.DecodeTrace(r.Trace)
	if err != nil {
		t.Fatal(err)
	}
	list, ok := evaluate(t, prepare(t, "data.release.outcomes"), map[string]any{"findings": facts(in)}).([]any)
	if !ok || len(list) != size {
		t.Fatalf("%d outcomes", len(list))
	}
	seen := map[string]int{}
	for i, o := range list {
		seen[fmt.Sprint(o)]++
		if string(trace.Decisions[i].Outcome) != fmt.Sprint(o) {
			t.Fatalf("finding %d: %s by %s, and the agent says %v", i, trace.Decisions[i].Outcome, trace.Decisions[i].Rule, o)
		}
	}
	t.Log(seen)
}

func report(b *testing.B) {
	b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "findings/s")
}

// BenchmarkStella decides about an image, with the whole trace.
func BenchmarkStella(b *testing.B) {
	e, in := engine(b), image()
	for b.Loop() {
		if _, err := e.Evaluate(in); err != nil {
			b.Fatal(err)
		}
	}
	report(b)
}

// BenchmarkOPA decides about an image in one query, without an explanation.
func BenchmarkOPA(b *testing.B) {
	q, input := prepare(b, "data.release.outcomes"), map[string]any{"findings": facts(image())}
	for b.Loop() {
		evaluate(b, q, input)
	}
	report(b)
}

// BenchmarkOPAEach decides about each finding in a query of its own.
func BenchmarkOPAEach(b *testing.B) {
	q, list := prepare(b, "data.release.decide"), facts(image())
	for b.Loop() {
		for _, f := range list {
			evaluate(b, q, map[string]any{"finding": f})
		}
	}
	report(b)
}
