package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/store/storetest"
)

// openBoth opens a new file as a store, and as what it is.
func openBoth(t testing.TB) (*store.Root, *sql.DB) {
	path := filepath.Join(t.TempDir(), "stella.db")
	root, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return root, db
}

func BenchmarkFleet(b *testing.B) {
	for name, f := range map[string]storetest.Fleet{"spread": {Images: 10_000, Scans: 100_000}, "skewed": {Images: 10_000, Scans: 100_000, Skewed: true}} {
		b.Run(name, func(b *testing.B) {
			root, db := openBoth(b)
			storetest.FillFleet(b, root, db, "_", "", f)
			storetest.BenchmarkFleet(b, root, db, "_", "", f)
		})
	}
}

// TestFleetAtRest: where nothing changed since the last sample, none is made, until the
// next day.
func TestFleetAtRest(t *testing.T) {
	root, db := openBoth(t)
	storetest.FillFleet(t, root, db, "_", "", storetest.Fleet{Images: 20, Scans: 200})
	sample := func(want int) {
		t.Helper()
		if n, err := root.SamplePostures(t.Context()); err != nil || n != want {
			t.Errorf("%d samples, %v, want %d", n, err, want)
		}
	}
	sample(1)
	sample(0)
	for _, change := range []string{
		"UPDATE policy_samples SET at_us = at_us - 86400000000, hour_us = hour_us - 86400000000", "UPDATE policy_current SET kept_us = (SELECT max(at_us) FROM policy_samples) WHERE scan_id = (SELECT min(scan_id) FROM policy_current)",
	} {
		if _, err := db.Exec(change); err != nil {
			t.Fatal(err)
		}
		sample(1)
	}
}
