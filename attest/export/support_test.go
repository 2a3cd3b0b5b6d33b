package export_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
	"github.com/stella-ops/stella/vex"
)

var now = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)

func digest(s string) string { return sum.Of([]byte(s)) }

// document is an image with two packages.
func document() *sbom.Document {
	d := &sbom.Document{
		Created: "2026-11-01T00:00:00Z", Tools: []sbom.Tool{{Name: "stella", Version: "test"}},
		Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: digest("config"), ConfigDigest: digest("config"), Platform: "linux/amd64"},
		Packages: []sbom.Package{
			{Name: "openssl", Version: "3.0.11-1", PURL: parse("pkg:deb/debian/openssl@3.0.11-1?arch=amd64")},
			{Name: "zlib", Version: "1.2.13", PURL: parse("pkg:deb/debian/zlib@1.2.13?arch=amd64")},
			{Name: "nameless", Version: "1"},
		},
		Source: &sbom.Source{Reference: "example/app:1", Manifest: digest("manifest"), Index: digest("index")},
	}
	d.Normalize()
	return d
}

// report finds something in each package.
func report(d *sbom.Document) *finding.Report {
	r := &finding.Report{Snapshot: digest("snapshot")}
	for i := range d.Packages {
		p := &d.Packages[i]
		r.Findings = append(r.Findings, finding.Finding{
			Package: p.ID, Name: p.Name, Version: p.Version, PURL: p.PURL.String(), Vulnerability: "CVE-2026-000" + string(rune('1'+i)), Advisory: "DSA-" + string(rune('1'+i)), Severity: finding.High, SeverityFrom: "debian",
			Fixed: []string{"9.9"}[:i%2], Scores: []finding.Score{},
		})
	}
	r.Sort()
	return r
}

// decide has the default policy decide, with a supplier who excuses zlib and the package
// without a package URL.
func decide(t testing.TB, d *sbom.Document, r *finding.Report, neutral []byte) *policy.Record {
	t.Helper()
	p, _, err := policyfile.Default()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := policy.Compile(p, &policy.Options{Expressions: policyfile.Expressions, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	trust := vex.Trust{Issuers: []vex.Issuer{{ID: "maker", Tier: 1, Products: []string{"*"}, Identities: []string{"key:maker"}}}}
	judge, err := trust.Judge()
	if err != nil {
		t.Fatal(err)
	}
	var list []*vex.Statement
	for _, f := range r.Findings {
		if f.Name == "openssl" {
			continue
		}
		s := &vex.Statement{
			Vulnerability: f.Vulnerability, Products: []vex.Product{{PURL: f.PURL, Digests: []string{d.Subject.ConfigDigest}}}, Status: vex.NotAffected, Justification: vex.CodeNotInExecutePath, Time: now,
			Origin: vex.Origin{Document: digest("vex"), Format: "openvex", Signature: vex.Verified, Signer: "key:maker"},
		}
		if f.PURL != "" {
			s.Products[0].Digests = nil
		}
		if err := s.Prepare(); err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	in := &policy.Inputs{At: now, Findings: r.Findings, Statements: list, Judge: judge, Environment: "production", Digests: policy.Digests{SBOM: sum.Of(neutral), Advisories: r.Snapshot, VEX: []string{digest("set"), digest("set")}}}
	in.Of(d)
	out, err := engine.Evaluate(in)
	if err != nil {
		t.Fatal(err)
	}
	return &policy.Record{Key: out.Verdict.Key(), Digest: sum.Of(out.Body), Body: out.Body, Trace: out.Trace, Outcome: out.Verdict.Outcome, At: now}
}

func material(t testing.TB) *export.Material {
	t.Helper()
	d := document()
	var neutral bytes.Buffer
	if _, err := format.Encode(&neutral, d, format.StellaJSON, nil); err != nil {
		t.Fatal(err)
	}
	m := &export.Material{Image: "example/app:1", Document: d, Neutral: neutral.Bytes(), Report: report(d), At: now, Tool: "test"}
	m.Verdict = decide(t, d, m.Report, m.Neutral)
	var err error
	if m.Trace, err = policy.DecodeTrace(m.Verdict.Trace); err != nil {
		t.Fatal(err)
	}
	return m
}

func parse(s string) purl.PackageURL {
	p, err := purl.Parse(s)
	if err != nil {
		panic(err)
	}
	return p
}
