package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/store"
)

// BenchmarkPolicy measures a decision about a scan with 1,000 findings from loading to
// the commit: with a new evaluation time, so that verdict and trace are kept each time,
// and with the same, which is recognised.
func BenchmarkPolicy(b *testing.B, root *store.Root) {
	b.Cleanup(func() { root.Close() })
	acme := tenant(b, root, "acme")
	s, p := acme.Scans(), acme.Policy()
	var found []string
	for i := range 1000 {
		found = append(found, fmt.Sprintf("CVE-2026-%d %s", i, []string{"low", "medium", "high"}[i%3]))
	}
	j := submit(b, s, "image")
	if err := s.Complete(b.Context(), *claim(b, s, j), policyResults(b, "image", found...)); err != nil {
		b.Fatal(err)
	}
	if _, _, err := p.Add(b.Context(), blockFrom(1, finding.High), nil, "ann"); err != nil {
		b.Fatal(err)
	}
	must[*policy.Activation](b)(p.Activate(b.Context(), policy.Activation{Policy: policy.Named{ID: "release", Version: 1}}))
	g := &policy.Gateway{Stores: func(string) (policy.Store, error) { return p, nil }, Document: store.Documents(nil, decodePlain), Statements: root.Said}
	at := time.Now()
	for name, next := range map[string]time.Duration{"new": time.Second, "again": 0} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				at = at.Add(next)
				if _, err := g.Evaluate(b.Context(), "acme", policy.Request{ScanID: j.ID, At: at, Cause: "benchmark"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
