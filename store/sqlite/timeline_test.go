package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/notify/timeline/verify"
	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/store/storetest"
)

func TestTimeline(t *testing.T) { storetest.TestTimeline(t, open) }

func BenchmarkTimeline(b *testing.B) { storetest.BenchTimeline(b, open(b)) }

// TestTimelineImmutable tries to change and delete what is on a timeline, with all that a
// file lets its owner do in SQL.
func TestTimelineImmutable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stella.db")
	root, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	s := storetest.FillTimeline(t, root)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, table := range storetest.TimelineTables() {
		var n int
		if err := db.QueryRow("SELECT count(*) FROM timeline_" + table).Scan(&n); err != nil || n == 0 {
			t.Errorf("%s has %d rows, %v", table, n, err)
		}
	}
	tried := 0
	for _, s := range append(storetest.TimelineTampers(), storetest.TimelineReplacements()...) {
		if strings.HasPrefix(s, "TRUNCATE") {
			continue // SQLite has none
		}
		tried++
		statement := strings.ReplaceAll(s, "timeline.", "timeline_")
		if _, err := db.Exec(statement); err == nil || !refused.MatchString(err.Error()) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if tried < 45 {
		t.Errorf("only %d statements were tried", tried)
	}
	storetest.TimelineHolds(t, s)
	// What an owner can do after all shows when it is verified.
	for _, c := range []struct {
		trigger, change string
		reason          verify.Reason
		seq             int64
	}{
		{"bodies_update", "UPDATE timeline_bodies SET body = CAST(replace(CAST(body AS TEXT), 'ann', 'eve') AS BLOB) WHERE seq = 20", verify.Body, 20},
		{"rows_update", "UPDATE timeline_rows SET type = 'scan.started' WHERE seq = 19", verify.Altered, 19},
		{"rows_delete", "DELETE FROM timeline_rows WHERE seq = 18", verify.Missing, 18},
	} {
		for _, statement := range []string{"DROP TRIGGER timeline_" + c.trigger, c.change} {
			if _, err := db.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		var text bytes.Buffer
		if err := timeline.Export(t.Context(), &text, "acme", s, 0); err != nil {
			t.Fatal(err)
		}
		var wrong *verify.Error
		if _, err := verify.Verify(&text, nil); !errors.As(err, &wrong) || wrong.Reason != c.reason || wrong.Seq != c.seq {
			t.Errorf("%s: %v", c.change, err)
		}
	}
	if gaps, err := s.Gaps(t.Context(), 0); err != nil || len(gaps) != 2 || gaps[0].Kind != timeline.GapHole || gaps[0].Seq != 18 || gaps[1].Kind != timeline.GapInbox {
		t.Errorf("%v, %v", gaps, err)
	}
}
