package storetest

import (
	"testing"
	"time"

	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store"
)

// FillTimeline fills a store with something of the tenant acme in every table of the
// timeline, and returns the timeline. The bodies of the first 10 rows were deleted.
func FillTimeline(t *testing.T, root *store.Root) *store.Timeline {
	t.Helper()
	s := tenant(t, root, "acme").Timeline()
	timelinePrune(t, "acme", s)
	fill(t, "acme", s, 20, 30)
	if _, err := s.Keep(t.Context(), &timeline.Kept{Number: 1, Envelope: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	return s
}

// TimelineTables are the tables that FillTimeline fills.
func TimelineTables() []string {
	return []string{"heads", "rows", "bodies", "refs", "prunes", "checkpoints"}
}

// TimelineTampers lists statements that must be refused, whoever tries them.
func TimelineTampers() (out []string) {
	for table, columns := range map[string][]string{
		"heads": {"tenant_id", "seq", "hash", "at_us"}, "rows": {"tenant_id", "seq", "topic", "event_id", "type", "time_us", "at_us", "digest", "hash"},
		"bodies": {"tenant_id", "seq", "body"}, "refs": {"tenant_id", "kind", "value", "seq"}, "prunes": {"tenant_id", "last", "seq"}, "checkpoints": {"tenant_id", "number", "envelope", "at_us"},
	} {
		for _, c := range columns {
			out = append(out, "UPDATE timeline."+table+" SET "+c+" = "+c)
		}
		out = append(out, "DELETE FROM timeline."+table, "TRUNCATE timeline."+table+" CASCADE")
	}
	return append(out,
		"UPDATE timeline.heads SET seq = seq - 1", "UPDATE timeline.heads SET seq = seq + 1",
		"UPDATE timeline.heads SET seq = 1000, hash = (SELECT hash FROM timeline.rows WHERE seq = 1)",
		"DELETE FROM timeline.bodies WHERE seq = 27", "DELETE FROM timeline.refs WHERE seq = 27", "DELETE FROM timeline.rows WHERE seq = 27",
		"INSERT INTO timeline.prunes (tenant_id, last, seq) VALUES ('acme', 20, 22)", "INSERT INTO timeline.prunes (tenant_id, last, seq) VALUES ('acme', 40, 16)",
		"INSERT INTO timeline.rows SELECT tenant_id, 3, topic, 'forged', type, time_us, at_us, digest, hash FROM timeline.rows WHERE seq = 4",
		"INSERT INTO timeline.heads SELECT tenant_id, seq, hash, at_us FROM timeline.heads")
}

// TimelineReplacements are statements of SQLite that must be refused.
func TimelineReplacements() []string {
	return []string{
		"INSERT OR REPLACE INTO timeline.rows SELECT * FROM timeline.rows WHERE seq = 27",
		"INSERT OR REPLACE INTO timeline.rows SELECT tenant_id, 1000, topic, event_id, type, time_us, at_us, digest, hash FROM timeline.rows WHERE seq = 27",
		"INSERT OR REPLACE INTO timeline.bodies SELECT tenant_id, seq, CAST('{}' AS BLOB) FROM timeline.bodies WHERE seq = 27",
		"INSERT OR REPLACE INTO timeline.heads SELECT tenant_id, 0, hash, 0 FROM timeline.heads",
		"INSERT OR REPLACE INTO timeline.prunes SELECT tenant_id, last, seq + 1 FROM timeline.prunes",
		"INSERT OR REPLACE INTO timeline.checkpoints SELECT tenant_id, number, CAST('{}' AS BLOB), at_us FROM timeline.checkpoints",
	}
}

// TimelineHolds proves the timeline of FillTimeline once more.
func TimelineHolds(t *testing.T, s *store.Timeline) {
	t.Helper()
	if r := proveTimeline(t, "acme", s, nil); r.Last != 27 || r.Bodies != 11 {
		t.Errorf("%+v", r)
	}
	if gaps := must[[]timeline.Gap](t)(s.Gaps(t.Context(), time.Hour)); len(gaps) > 0 {
		t.Errorf("gaps: %v", gaps)
	}
}
