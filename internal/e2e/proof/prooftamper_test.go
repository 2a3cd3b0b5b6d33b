package proof

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/policy/policyfile"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// proved is evidence with everything: five statements, each signed, stamped and logged.
func (p *parties) proved(t testing.TB, packages int) []byte {
	t.Helper()
	log, err := tlog.Open(t.Context(), tlog.NewMem(), p.logKey, &tlog.Options{MaxDelay: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	m := bigMaterial(t, packages)
	memory := &attest.Memory{Now: time.Now}
	stores := func(string) (attest.Store, error) { return memory, nil }
	prover := &export.Prover{
		Signer: &attest.Signer{Facts: func(string) (attest.Facts, error) { return m.Facts(), nil }, Stores: stores, Grants: []attest.Grant{{}}, Keys: &attest.Held{Ring: p.root.Keys, Open: []attest.Key{p.signing}, Now: time.Now}},
		Attestor: &attest.Attestor{
			Trust: func(context.Context, string) (*attest.Trust, error) { return p.root.Trust(nil), nil }, Stores: stores,
			Objects: func(string) (attest.Objects, error) { return memory, nil }, Log: &attest.Embedded{Log: log}, Stamper: named{p}, Now: time.Now,
		},
		Caller: attest.Caller{Tenant: "acme", Subject: "test"}, Logged: true,
	}
	list, _, err := prover.Prove(t.Context(), "scan-1", m.Predicates())
	if err != nil {
		t.Fatal(err)
	}
	return lines(t, list)
}

// named is an authority with a name.
type named struct{ *parties }

func (named) Name() string { return tsaURL }

// bigMaterial is an image with many packages, of which every twentieth has a finding.
func bigMaterial(t testing.TB, packages int) *export.Material {
	t.Helper()
	digest := func(s string) string { return sum.Of([]byte(s)) }
	d := &sbom.Document{
		Created: "2026-11-01T00:00:00Z", Tools: []sbom.Tool{{Name: "stella", Version: "test"}},
		Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: digest("config"), ConfigDigest: digest("config"), Platform: "linux/amd64"},
		Source:  &sbom.Source{Reference: "registry.test/big:1", Manifest: digest("manifest")},
	}
	for i := range packages {
		u, err := purl.Parse(fmt.Sprintf("pkg:deb/debian/library-%d-with-a-name@%d.%d.%d-1+deb12u1?arch=amd64&distro=debian-12", i, i%7, i%11, i%13))
		if err != nil {
			t.Fatal(err)
		}
		d.Packages = append(d.Packages, sbom.Package{Name: fmt.Sprintf("library-%d-with-a-name", i), Version: fmt.Sprintf("%d.%d.%d-1+deb12u1", i%7, i%11, i%13), PURL: u})
	}
	d.Normalize()
	var neutral bytes.Buffer
	if _, err := format.Encode(&neutral, d, format.StellaJSON, nil); err != nil {
		t.Fatal(err)
	}
	r := &finding.Report{Snapshot: digest("snapshot")}
	for i := 0; i < len(d.Packages); i += 20 {
		p := &d.Packages[i]
		r.Findings = append(r.Findings, finding.Finding{
			Package: p.ID, Name: p.Name, Version: p.Version, PURL: p.PURL.String(), Vulnerability: fmt.Sprintf("CVE-2026-%04d", i), Advisory: fmt.Sprintf("DSA-%d", i), Severity: finding.Low, SeverityFrom: "debian", Scores: []finding.Score{},
		})
	}
	r.Sort()
	byDefault, _, err := policyfile.Default()
	if err != nil {
		t.Fatal(err)
	}
	engine, err := policy.Compile(byDefault, &policy.Options{Expressions: policyfile.Expressions, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	in := &policy.Inputs{At: time.Now().UTC().Truncate(time.Second), Findings: r.Findings, Environment: "production", Digests: policy.Digests{SBOM: sum.Of(neutral.Bytes()), Advisories: r.Snapshot}}
	in.Of(d)
	out, err := engine.Evaluate(in)
	if err != nil {
		t.Fatal(err)
	}
	m := &export.Material{
		Image: "registry.test/big:1", Document: d, Neutral: neutral.Bytes(), Report: r, At: in.At, Tool: "test",
		Verdict: &policy.Record{Key: out.Verdict.Key(), Digest: sum.Of(out.Body), Body: out.Body, Trace: out.Trace, Outcome: out.Verdict.Outcome, At: in.At},
	}
	if m.Trace, err = policy.DecodeTrace(out.Trace); err != nil {
		t.Fatal(err)
	}
	return m
}

// everything asks evidence for all that it can have.
func everything() *attest.Expectation {
	want := logged()
	want.Predicates = []string{intoto.PredicateSPDX, intoto.PredicateCycloneDX, intoto.PredicateVulns, intoto.PredicateVerdict}
	return want
}

// TestProofFlips changes, takes away and adds a byte at positions of evidence with
// signatures, timestamps and entries of a log: nothing else than what was made is
// accepted, and each refusal has a name. No digest of the whole is known.
func TestProofFlips(t *testing.T) {
	p := newParties(t)
	text := p.proved(t, 3)
	v := p.verifier(t)
	if _, err := v.Evidence(t.Context(), text, "", everything()); err != nil {
		t.Fatal(err)
	}
	changes := []func(at int) []byte{
		func(at int) []byte { b := bytes.Clone(text); b[at] ^= 1; return b },
	}
	step := max(1, len(text)/1500)
	if servers.Long() {
		step = 1
		changes = append(changes,
			func(at int) []byte { b := bytes.Clone(text); b[at] ^= 0x20; return b },
			func(at int) []byte { return slices.Delete(bytes.Clone(text), at, at+1) },
			func(at int) []byte { return slices.Insert(bytes.Clone(text), at, text[at]) },
			func(at int) []byte { return slices.Insert(bytes.Clone(text), at, ' ') })
	}
	var tried atomic.Int64
	codes := make([]map[string]int, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for n := range codes {
		codes[n] = map[string]int{}
		wg.Go(func() {
			for at := n * step; at < len(text); at += len(codes) * step {
				for i, change := range changes {
					tried.Add(1)
					changed := change(at)
					e, err := v.Evidence(t.Context(), changed, "", everything())
					if code := attest.Code(err); code == "" || e != nil {
						t.Errorf("change %d of byte %d of %d, %q: %v", i, at, len(text), text[max(0, at-20):min(len(text), at+20)], err)
					} else {
						codes[n][code]++
					}
				}
			}
		})
	}
	wg.Wait()
	all := map[string]int{}
	for _, some := range codes {
		for code, n := range some {
			all[code] += n
		}
	}
	t.Logf("%d changes of %d bytes, none accepted: %v", tried.Load(), len(text), all)
	if tried.Load() < 1000 || len(all) < 4 {
		t.Errorf("too little was tried: %d changes, %v", tried.Load(), all)
	}
}

// BenchmarkProofVerify verifies full evidence of an image with 2,000 packages against a
// trust root, in this process, without a network.
func BenchmarkProofVerify(b *testing.B) {
	for _, packages := range []int{200, 2000} {
		b.Run(fmt.Sprint("packages=", packages), func(b *testing.B) {
			p := newParties(b)
			text := p.proved(b, packages)
			v, want := p.verifier(b), everything()
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Evidence(b.Context(), text, "", want); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
