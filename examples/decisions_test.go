package examples_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/policy/report"
	"github.com/stella-ops/stella/policy/verify"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/openvex"
	"github.com/stella-ops/stella/vex/trust"
)

// What a supplier says, as it is published.
const supplierSays = `{
  "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://maker.example/vex/1", "author": "Maker", "timestamp": "2026-11-01T00:00:00Z", "version": 1,
  "statements": [{"vulnerability": {"name": "CVE-2026-0001"}, "products": [{"@id": "pkg:npm/left"}], "status": "not_affected", "justification": "vulnerable_code_not_present"}]
}`

// Whom we believe: the maker, about its own package, also unsigned.
const whomWeBelieve = `
issuers:
  - {id: maker, tier: 1, sources: [maker], products: ["pkg:npm/left"], unsigned: [not_affected, affected]}
`

// What we decide by.
const whatWeDecide = `
id: release
version: 1
threshold: {warn: medium}
rules:
  - id: fixable
    match: {severity: ">= high", fix: available}
    action: block
    because: a fix is out
  - id: hard-to-reach
    when: 'cvss < 50 && fix != "available"'
    action: allow
    because: it is hard to reach, and nobody can mend it yet
`

// Example_decisions decides about what matching found: what suppliers say is heard, a
// policy decides, and whoever has the trace can check it.
func Example_decisions() {
	if err := decide(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// pass by trust: CVE-2026-0001 in left
	// block by rules: CVE-2026-0002 in right
	// block: CVE-2026-0002 in right: a fix is out
	// the trace gives the same verdict: true
	// the whole story names the supplier: true
}

func decide(context.Context) error {
	doc := &sbom.Document{Name: "web", Packages: []sbom.Package{
		{ID: "left", Name: "left", Version: "1.0.0", PURL: purl.PackageURL{Type: "npm", Name: "left", Version: "1.0.0"}},
		{ID: "right", Name: "right", Version: "2.0.0", PURL: purl.PackageURL{Type: "npm", Name: "right", Version: "2.0.0"}},
	}}
	in := &policy.Inputs{At: time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), Digests: policy.Digests{Advisories: "sha256:…"}}
	in.Of(doc)
	// As an advisory.Matcher reports them.
	in.Findings = []finding.Finding{
		{Package: "left", Name: "left", Version: "1.0.0", PURL: "pkg:npm/left@1.0.0", Vulnerability: "CVE-2026-0001", Severity: finding.High, Fixed: []string{"1.0.1"}},
		{Package: "right", Name: "right", Version: "2.0.0", PURL: "pkg:npm/right@2.0.0", Vulnerability: "CVE-2026-0002", Severity: finding.High, Fixed: []string{"2.0.1"}},
	}
	for s, err := range openvex.Decode("maker.json", []byte(supplierSays), nil) {
		if err != nil {
			return err
		}
		s.Origin.Source = "maker" // who brought it
		if err := s.Prepare(); err != nil {
			return err
		}
		in.Statements = append(in.Statements, s)
	}
	in.Digests.VEX = []string{vex.NewSet(in.Statements).Digest()}
	believed, err := trust.Parse("trust.yaml", []byte(whomWeBelieve))
	if err != nil {
		return err
	}
	if in.Judge, err = believed.Trust().Judge(); err != nil {
		return err
	}
	p, _, err := policyfile.Parse("release.yaml", []byte(whatWeDecide))
	if err != nil {
		return err
	}
	engine, err := policy.Compile(p, &policy.Options{Expressions: policyfile.Expressions})
	if err != nil {
		return err
	}
	result, err := engine.Evaluate(in)
	if err != nil {
		return err
	}
	trace, err := policy.DecodeTrace(result.Trace)
	if err != nil {
		return err
	}
	for _, d := range trace.Decisions {
		fmt.Printf("%s by %s: %s in %s\n", d.Outcome, d.Gate, d.Vulnerability, d.Name)
	}
	fmt.Printf("%s: %s\n", result.Verdict.Outcome, result.Verdict.Because)
	again, err := verify.Verdict(result.Body, result.Trace)
	if err != nil {
		return err
	}
	fmt.Println("the trace gives the same verdict:", again.Digest() == result.Verdict.Digest())
	var story bytes.Buffer
	if err := report.Text(&story, trace, &report.Options{Passing: true}); err != nil {
		return err
	}
	fmt.Println("the whole story names the supplier:", bytes.Contains(story.Bytes(), []byte("maker")))
	return nil
}
