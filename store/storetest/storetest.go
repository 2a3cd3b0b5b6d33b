// Package storetest proves a relational backend: every promise of package store
// and of the interfaces of package scan is a test here. A driver's own tests call
// [TestRoot]; whoever keeps scans elsewhere calls [TestScans].
package storetest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
)

// Scans is all that a backend does for the scans of one tenant.
type Scans interface {
	scan.Store
	scan.Jobs
	scan.Evaluations
	States
}

// States counts the scans of one tenant by their state.
type States interface {
	States(ctx context.Context) (*scan.StateCounts, error)
}

// Config says what is tested.
type Config struct {
	// Open returns a new, empty store. It is closed by the test.
	Open func(t testing.TB) *store.Root
	// Operations is how many random operations the test of tenants does. Default:
	// 2,000, with -short 400, with STELLA_LONG=1 in the environment 100,000.
	Operations int
	// Seeds is how many worlds of advisories and scans are tried. Default: 2, with
	// -short 1, with STELLA_LONG=1 in the environment 50.
	Seeds int
}

// TestRoot runs the whole suite on a backend.
func TestRoot(t *testing.T, c Config) {
	if c.Operations == 0 {
		c.Operations = 2000
		if testing.Short() {
			c.Operations = 400
		}
		if os.Getenv("STELLA_LONG") == "1" {
			c.Operations = 100_000
		}
	}
	if c.Seeds == 0 {
		c.Seeds = 2
		if testing.Short() {
			c.Seeds = 1
		}
		if os.Getenv("STELLA_LONG") == "1" {
			c.Seeds = 50
		}
	}
	open := func(t testing.TB) *store.Root {
		root := c.Open(t)
		t.Cleanup(func() {
			if err := root.Close(); err != nil {
				t.Error(err)
			}
		})
		return root
	}
	t.Run("Scans", func(t *testing.T) {
		root := open(t) // one for all: tests must not see each other's tenants
		n := 0
		TestScans(t, func(t testing.TB) Scans {
			n++
			return tenant(t, root, fmt.Sprintf("tenant-%d", n)).Scans()
		})
	})
	for name, test := range map[string]func(*testing.T, *store.Root){
		"Outbox": testOutbox, "RelayRace": testRelayRace, "Fairness": testFairness, "Turns": testTurns, "Window": testWindow, "Recover": testRecover, "Remind": testRemind, "Once": testOnce,
		"Sweep": testSweep, "SweepEvaluation": testSweepEvaluation, "RecoverEvaluation": testRecoverEvaluation, "References": testReferences, "Collect": testCollect,
		"TenantNames": testTenantNames, "Flow": testFlow, "Nobody": testNobody, "Gate": testGate, "Evaluations": testEvaluations, "EvaluationLeases": testEvaluationLeases, "SubmitSBOM": testSubmitSBOM, "PullSecrets": testPullSecrets, "Quota": testQuota, "Index": testIndex, "ManyDrift": testManyDrift, "Interleavings": testInterleavings, "PublicObjects": testPublicObjects,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
	t.Run("Advisories", func(t *testing.T) {
		TestAdvisories(t, func(t testing.TB) Advisories { return open(t).Advisories(nil) })
	})
	for seed := range uint64(c.Seeds) {
		t.Run(fmt.Sprint("Drift/seed=", seed), func(t *testing.T) { testDrift(t, open(t), seed, 150) })
	}
	t.Run("Tenants", func(t *testing.T) { testTenants(t, open(t), c.Operations) })
	t.Run("Queue", func(t *testing.T) { testQueue(t, open) })
	t.Run("Cache", func(t *testing.T) { testCache(t, open) })
}

func tenant(t testing.TB, root *store.Root, name string) *store.Tenant {
	t.Helper()
	out, err := root.Tenant(name)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func submit(t testing.TB, s scan.Store, image string) *scan.Job {
	t.Helper()
	j, _, err := s.Submit(t.Context(), scan.Request{Image: image}, "")
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// claimOf is a claim as a worker makes it for the job's first message.
func claimOf(j *scan.Job) scan.ClaimRequest {
	return scan.ClaimRequest{JobID: j.ID, Holder: "w1", Message: j.ID + "/job/1", Length: 15 * time.Second}
}

func claim(t testing.TB, s scan.Jobs, j *scan.Job) *scan.Lease {
	t.Helper()
	l, err := s.Claim(t.Context(), claimOf(j))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// results are small and complete.
func results(salt string) scan.Results {
	ref := func(s string) blob.Ref {
		return blob.Ref{Digest: "sha256:" + fmt.Sprintf("%064x", []byte(fmt.Sprintf("%.32s", s+salt))), Size: int64(len(s))}
	}
	doc := ref("doc")
	return scan.Results{
		ImageDigest: "sha256:" + salt, SBOMDigest: doc.Digest, Fragments: []blob.Ref{ref("frag")}, Gaps: 1, Blocked: true,
		Documents: []scan.Stored{
			{Format: "spdx-json", MediaType: "application/spdx+json", Name: "sbom.spdx.json", Ref: ref("spdx"), Content: []byte(`{"a":"\u0000"}`)},
			{Format: scan.Neutral, MediaType: "application/json", Name: "sbom.stella.json", Ref: doc},
		},
		Packages: []scan.PackageFact{{ID: "p1", PURL: "pkg:deb/debian/zlib1g@1", Name: "zlib1g", Version: "1"}, {ID: "p2", Name: "x'y\"z"}},
		Report: &finding.Report{Snapshot: "sha256:snap", Findings: []finding.Finding{{Package: "p1", Name: "zlib1g", Version: "1", Vulnerability: "CVE-1", Advisory: "DSA-1", Severity: finding.High},
			{Package: "p1", Name: "zlib1g", Version: "1", Vulnerability: "CVE-1", Advisory: "DSA-1", Severity: finding.High, Summary: "again"}},
			Gaps: []sbom.Gap{{Code: "no-data", What: "why"}}},
		Inputs: map[string]string{"advisories": "sha256:snap"},
	}
}

// evaluating brings a new job there.
func evaluating(t testing.TB, s Scans, image string) (*scan.Job, *scan.Lease) {
	t.Helper()
	j := submit(t, s, image)
	l := claim(t, s, j)
	if err := s.Complete(t.Context(), *l, results(image)); err != nil {
		t.Fatal(err)
	}
	return j, l
}

// completed brings a new job there.
func completed(t testing.TB, s Scans, image string) *scan.Job {
	t.Helper()
	j, _ := evaluating(t, s, image)
	e := must[*scan.Evaluation](t)(s.ClaimEvaluation(t.Context(), scan.ClaimRequest{JobID: j.ID, Holder: "web", Message: j.ID + "/sbom", Length: 15 * time.Second}))
	if err := s.FinishEvaluation(t.Context(), e.Lease, scan.Conclusion{Verdict: &scan.Verdict{Digest: "sha256:v", Outcome: "pass", Body: []byte("{}")}}); err != nil {
		t.Fatal(err)
	}
	return must[*scan.Job](t)(s.Job(context.WithoutCancel(t.Context()), j.ID))
}
