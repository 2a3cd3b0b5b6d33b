package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stella-ops/stella/scan"
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

// TestListHolds: lists go by what holds about a scan now, in the worst of its environments.
func TestListHolds(t *testing.T) {
	root, db := openBoth(t)
	storetest.FillFleet(t, root, db, "_", "", storetest.Fleet{Images: 4, Scans: 4})
	acme, err := root.Tenant("acme")
	if err != nil {
		t.Fatal(err)
	}
	list := func(outcome string) map[string]string {
		t.Helper()
		page, err := acme.Scans().List(t.Context(), scan.Query{Outcome: outcome})
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, j := range page.Jobs {
			out[j.ID] = j.Holds
		}
		return out
	}
	all := list("")
	var id string
	for id = range all {
		break
	}
	for i, outcome := range []string{"warn", "block", "error", "pass"} {
		if i == 1 { // a second environment
			if _, err := db.Exec("INSERT INTO policy_current SELECT tenant_id, scan_id, 'production', key, digest, 'pass', because, blocking, blocked, policy_id, version, at_us, next_us, marks, changes, changed_us, kept_us, open FROM policy_current WHERE scan_id = ?", id); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.Exec("UPDATE policy_current SET outcome = ? WHERE scan_id = ? AND environment = ''", outcome, id); err != nil {
			t.Fatal(err)
		}
		if got := list("")[id]; got != outcome {
			t.Errorf("%s holds about %s, want %s", got, id, outcome)
		}
		if _, ok := list(outcome)[id]; !ok {
			t.Errorf("the list of %s has no %s", outcome, id)
		}
		for other := range map[string]bool{"pass": true, "warn": true, "block": true, "not_assessed": true, "error": true} {
			if _, ok := list(other)[id]; ok && other != outcome {
				t.Errorf("the list of %s has %s, about which %s holds", other, id, outcome)
			}
		}
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
