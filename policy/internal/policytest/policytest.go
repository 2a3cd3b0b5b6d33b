// Package policytest decides about a made-up image in which everything happens that a
// rendering of a verdict has to show.
package policytest

import (
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/vex"
)

const policyText = `
id: sample
version: 7
vex: {require: {justifications: [component_not_present]}}
exceptions: {max_days: 90}
threshold: {block: critical, warn: medium}
rules:
  - {id: exploited, match: {kev: true}, action: block, because: it is exploited in the wild, final: true}
  - {id: unimportant, match: {fix: unimportant}, action: ignore, because: the distribution says that it is unimportant}
  - {id: divides, match: {name: broken}, when: cvss / (vex_tier * 0) == 1, action: warn, because: it never comes so far}
  - {id: old, match: {age: "> 30"}, when: 'severity >= HIGH && label["team"] == "payments"', action: block, because: there was time to repair it}
  - {id: look, match: {severity: high, fix: {not: available}}, action: warn, because: nobody has repaired it yet}
`

// Digest is a digest that says nothing.
func Digest(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// Inputs are about the image.
func Inputs(t testing.TB) *policy.Inputs {
	t.Helper()
	in := &policy.Inputs{
		Subject: policy.Subject{
			Name: "registry.example/shop/api:1.4", Image: vex.Image{Digests: []string{Digest("a")}, Names: []string{"registry.example/shop/api:1.4"}},
			Labels: map[string]string{"team": "payments"}, OS: "debian-12", Created: "2026-10-01T00:00:00Z",
		},
		Environment: "production", At: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), Signals: []string{"epss", "kev"},
		Digests: policy.Digests{SBOM: Digest("b"), Advisories: Digest("c"), VEX: []string{Digest("d")}},
		Gaps: []sbom.Gap{
			{Code: sbom.GapNoData, Blocking: true, Where: "app/vendor/thing.lock", What: "no advisory data for this ecosystem"},
			{Code: sbom.GapOddity, Where: "etc/os-release", What: "it is a link\x1b[31m"},
		},
	}
	add := func(url, path string, f finding.Finding) {
		u, err := purl.Parse(url)
		if err != nil {
			t.Fatal(err)
		}
		id := "p" + f.Vulnerability[len(f.Vulnerability)-2:]
		in.Packages = append(in.Packages, sbom.Package{ID: id, PURL: u, Name: u.Name, Version: u.Version, Locations: []sbom.Location{{Path: path}}})
		f.Package, f.Name, f.Version, f.PURL = id, u.Name, u.Version, url
		if f.Advisory == "" {
			f.Advisory = f.Vulnerability
		}
		f.Evidence.Record = Digest("e")
		in.Findings = append(in.Findings, f)
	}
	add("pkg:deb/debian/openssl@3.0.1", "var/lib/dpkg/status", finding.Finding{
		Vulnerability: "CVE-2026-0001", Aliases: []string{"GHSA-aaaa-bbbb-c123"}, Severity: finding.High, Fixed: []string{"3.0.2"}, Exploited: "2026-11-01",
		Summary: "Buffer overflow in `X509` | <b>parsing</b>", URL: "https://security.example/CVE-2026-0001", Scores: []finding.Score{{Type: "CVSS_V3", Value: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:N"}}, Published: "2026-11-20T00:00:00Z",
	})
	add("pkg:deb/debian/zlib@1.2.13", "var/lib/dpkg/status", finding.Finding{Vulnerability: "CVE-2026-0002", Severity: finding.High, Published: "2026-11-20T00:00:00Z"})
	add("pkg:npm/lodash@4.17.0", "app/node_modules/lodash/package.json", finding.Finding{Vulnerability: "CVE-2026-0003", Severity: finding.Critical, Fixed: []string{"4.17.21"}, Published: "2026-01-01T00:00:00Z"})
	add("pkg:npm/%40babel/core@7.0.0", "app/a b/../package.json", finding.Finding{Vulnerability: "CVE-2026-0004", Severity: finding.High, Published: "2026-01-01T00:00:00Z"})
	add("pkg:npm/tiny@1.0.0", "", finding.Finding{Vulnerability: "CVE-2026-0005", Severity: finding.Low, FixStatus: "unimportant"})
	add("pkg:npm/nobody@1.0.0", "app/nobody", finding.Finding{Vulnerability: "CVE-2026-0006"})
	add("pkg:npm/broken@1.0.0", "app/broken", finding.Finding{Vulnerability: "CVE-2026-0007", Severity: finding.Medium, Scores: []finding.Score{{Type: "CVSS_V3", Value: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N"}}, Published: "2026-11-20T00:00:00Z"})
	add("pkg:npm/=cmd@1.0.0", "app/=cmd", finding.Finding{Vulnerability: "CVE-2026-0008", Severity: finding.Low, Summary: "=HYPERLINK(\"x\")", Published: "2026-11-20T00:00:00Z"})
	in.Exceptions = []policy.Exception{
		{ID: "lodash-later", Scope: policy.ExceptionScope{Vulnerabilities: []string{"CVE-2026-0003"}}, Effect: policy.Suppress, Owner: "ana", Approver: "bo", Reason: "repaired in 1.5, see [ticket](https://evil.example)", Created: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Expires: time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)},
		{ID: "openssl-never", Scope: policy.ExceptionScope{Packages: []string{"pkg:deb/debian/openssl"}}, Effect: policy.Suppress, Owner: "ana", Reason: "we do not care", Created: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)},
	}
	supplier(t, in, "pkg:npm/%40babel/core@7.0.0", "CVE-2026-0004")
	return in
}

// supplier says that a package is not affected, and is believed.
func supplier(t testing.TB, in *policy.Inputs, url, id string) {
	s := &vex.Statement{
		Vulnerability: id, Status: vex.NotAffected, Justification: vex.ComponentNotPresent, Products: []vex.Product{{PURL: url}}, Time: in.At.Add(-time.Hour),
		Origin: vex.Origin{Document: Digest("f"), Format: "openvex", Source: "vendor"},
	}
	if err := s.Prepare(); err != nil {
		t.Fatal(err)
	}
	trust := &vex.Trust{Issuers: []vex.Issuer{{ID: "vendor", Tier: 1, Products: []string{"*"}, Sources: []string{"vendor"}, Unsigned: vex.Statuses}}}
	judge, err := trust.Judge()
	if err != nil {
		t.Fatal(err)
	}
	in.Statements, in.Judge = []*vex.Statement{s}, judge
}

// Evaluate decides about inputs by the sample policy.
func Evaluate(t testing.TB, in *policy.Inputs) (*policy.Result, *policy.Trace) {
	t.Helper()
	p, _, err := policyfile.Parse("sample.yaml", []byte(policyText))
	if err != nil {
		t.Fatal(err)
	}
	return decide(t, p, in)
}

// decide decides about inputs by a policy.
func decide(t testing.TB, p *policy.Policy, in *policy.Inputs) (*policy.Result, *policy.Trace) {
	t.Helper()
	engine, err := policy.Compile(p, &policy.Options{Expressions: policyfile.Expressions, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	result, err := engine.Evaluate(in)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := policy.DecodeTrace(result.Trace)
	if err != nil {
		t.Fatal(err)
	}
	return result, trace
}
