package proof

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/e2e/servers"
)

// TestProofCommits has the answer of each commit of an export lost on its way from
// PostgreSQL, one after the other: what is there in the end is what is there without that,
// each payload is signed once, and each export is one row.
func TestProofCommits(t *testing.T) {
	if testing.Short() {
		t.Skip("it needs PostgreSQL")
	}
	p := newParties(t)
	s, through := servers.Sever(t, servers.PostgresStore(t).App)
	s.Left.Store(1 << 40)
	step, nth := int64(17), int64(1)
	if servers.Long() {
		step = 1
	}
	for ; ; nth += step {
		l := newLabOn(t, p, through)
		before := s.Cut.Load()
		s.Left.Store(nth)
		l.work()
		reached := s.Left.Swap(1<<40) <= 0
		l.work()
		l.provedOnce()
		formats := map[export.Format]int{}
		for _, e := range l.exports() {
			formats[e.Format] = e.Made.Version
			for _, o := range []export.Object{e.Made.Document, e.Made.Bundle} {
				if text := l.object(o); !bytes.Equal(text, l.named(o)) {
					t.Errorf("%s has another content than the row says", o.Name)
				}
			}
		}
		if diff := cmp.Diff(map[export.Format]int{export.SPDX: 1, export.SARIF: 1, export.OpenVEX: 1, export.Evidence: 1}, formats); diff != "" {
			t.Errorf("commit %d: versions (-want +got):\n%s", nth, diff)
		}
		l.close()
		if !reached {
			break
		}
		if s.Cut.Load() == before {
			t.Errorf("commit %d: no answer was lost", nth)
		}
	}
	t.Logf("%d answers were lost, of about %d commits", s.Cut.Load(), nth)
	if s.Cut.Load() < 4 {
		t.Error("too few commits")
	}
}
