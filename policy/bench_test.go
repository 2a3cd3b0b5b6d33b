package policy_test

import (
	_ "embed"
	"fmt"
	"testing"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/vex"
)

//go:embed testdata/bench.yaml
var benchPolicy []byte

// release makes the inputs of an image: n findings in half as many packages, every
// fourth with a statement of a supplier.
func release(tb testing.TB, n int) *policy.Inputs {
	judge, err := parties.Judge()
	if err != nil {
		tb.Fatal(err)
	}
	in := &policy.Inputs{At: at, Judge: judge, Environment: "production", Signals: []string{"kev", "epss"}, Digests: policy.Digests{Advisories: "sha256:a", Report: "sha256:r"}}
	in.Subject = policy.Subject{Name: "web", Layers: []string{"l0", "l1", "l2"}, BaseLayers: 1, OS: "debian-12", Labels: map[string]string{"exposure": "internal"}, Image: vex.Image{Names: []string{"registry.example.com/team/web:1"}}}
	for i := range n/2 + 1 {
		p := sbom.Package{ID: fmt.Sprint("p", i), Name: fmt.Sprintf("package-%d", i), Version: "1.2.3-4"}
		p.PURL = purl.PackageURL{Type: "deb", Namespace: "debian", Name: p.Name, Version: p.Version, Qualifiers: []purl.Qualifier{{Key: "arch", Value: "amd64"}, {Key: "distro", Value: "debian-12"}}}
		p.Upstream = &sbom.Upstream{Name: fmt.Sprintf("source-%d", i/3), Version: "1.2.3-4"}
		p.Locations = []sbom.Location{{Path: "var/lib/dpkg/status", Layer: in.Subject.Layers[i%3]}}
		p.Licenses = []sbom.License{{Expression: "GPL-2.0-or-later"}}
		in.Packages = append(in.Packages, p)
	}
	for i := range n {
		p := &in.Packages[i/2]
		f := finding.Finding{
			Package: p.ID, Name: p.Name, Version: p.Version, PURL: p.PURL.String(), Vulnerability: fmt.Sprintf("CVE-2025-%05d", i), Advisory: fmt.Sprintf("DEBIAN-CVE-2025-%05d", i), Aliases: []string{fmt.Sprintf("GHSA-%d", i)},
			Severity: severities[1+i%5], SeverityFrom: "nvd", EPSS: fmt.Sprintf("0.%05d", i*37%100000), Published: "2025-06-01T10:00:00Z",
			Scores: []finding.Score{{Type: "CVSS_V3", Value: "CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:N", Source: "nvd"}},
		}
		if i%3 == 0 {
			f.Fixed = []string{"1.2.3-5"}
		}
		f.Evidence = finding.Evidence{Ecosystem: "Debian:12", Record: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}
		in.Findings = append(in.Findings, f)
		if i%4 == 0 {
			s := &vex.Statement{Vulnerability: f.Vulnerability, Status: vex.NotAffected, Justification: vex.CodeNotPresent, Time: day(-3), Products: []vex.Product{{PURL: "pkg:deb/debian/" + p.Name}}, Origin: vex.Origin{Signature: vex.Verified, Signer: "key:maker", Document: "sha256:d"}}
			if err := s.Prepare(); err != nil {
				tb.Fatal(err)
			}
			in.Statements = append(in.Statements, s)
		}
	}
	return in
}

// BenchmarkEvaluate decides with twenty rules, and writes the whole trace.
func BenchmarkEvaluate(b *testing.B) {
	p, _, err := policyfile.Parse("bench.yaml", benchPolicy)
	if err != nil {
		b.Fatal(err)
	}
	e, err := policy.Compile(p, &policy.Options{Expressions: policyfile.Expressions})
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := release(b, n)
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				r, err := e.Evaluate(in)
				if err != nil {
					b.Fatal(err)
				}
				size = len(r.Trace)
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "findings/s")
			b.ReportMetric(float64(size)/float64(n), "trace-bytes/finding")
		})
	}
}
