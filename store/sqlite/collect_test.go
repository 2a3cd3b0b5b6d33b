package sqlite_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
	"github.com/stella-ops/stella/store/sqlite"
)

// TestSoak runs rounds of jobs with a collection after each: no table may grow.
func TestSoak(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stella.db")
	root, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	driver := root.QueueDriver()
	relay := root.Relay(queue.New(driver), nil)
	if err := root.Register(t.Context(), event.ScannerEvents, event.GroupScannerWeb, event.SBOMCreated); err != nil {
		t.Fatal(err)
	}
	acme, err := root.Tenant("acme")
	if err != nil {
		t.Fatal(err)
	}
	// What stays by design: these do not grow with jobs, and objects wait for their
	// own collection.
	stays := map[string]int{"vuln_current_head": 1, "transport_groups": 10, "scanner_package_locks": 1, "transport_meta": 1, "transport_subscriptions": 10, "vex_scopes": 1}
	read := queue.Request{Topic: event.ScannerEvents, Group: event.GroupScannerWeb, Consumer: "c", Max: 100, Claim: time.Minute}
	for round := range 4 {
		for i := range 10 {
			complete(t, acme.Scans(), fmt.Sprint("image-", round, "-", i))
		}
		for {
			n, err := relay.Step(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		if _, err := relay.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		for n := -1; n != 0; {
			got, err := driver.Receive(t.Context(), read)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range got {
				if err := driver.Settle(t.Context(), read.Topic, read.Group, d, queue.Settlement{Action: queue.Ack}); err != nil {
					t.Fatal(err)
				}
			}
			n = len(got)
		}
		time.Sleep(3 * time.Millisecond)
		if _, err := root.Collect(t.Context(), &store.Retention{Scans: time.Millisecond, Keys: time.Millisecond, Events: time.Millisecond, Batch: 7}); err != nil {
			t.Fatal(err)
		}
		for _, table := range tables(t, db) {
			var n int
			if err := db.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
				t.Fatal(err)
			}
			if table == "scanner_blobs" || table == "stella_migrations" {
				continue
			}
			if n > stays[table] {
				t.Errorf("round %d: %s has %d rows, want %d", round, table, n, stays[table])
			}
		}
	}
}

func tables(t *testing.T, db *sql.DB) (out []string) {
	rows, err := db.Query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		out = append(out, name)
	}
	return out
}

func complete(t *testing.T, s *store.Scans, image string) {
	t.Helper()
	j, _, err := s.Submit(t.Context(), scan.Request{Image: image}, image)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Claim(t.Context(), scan.ClaimRequest{JobID: j.ID, Holder: "w", Message: j.ID + "/job/1", Length: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ref := blob.Ref{Digest: fmt.Sprintf("sha256:%064x", []byte(image)), Size: 2}
	err = s.Complete(t.Context(), *l, scan.Results{ImageDigest: "sha256:c", SBOMDigest: ref.Digest, Documents: []scan.Stored{{Format: scan.Neutral, Name: "sbom.stella.json", Ref: ref}},
		Packages: []scan.PackageFact{{ID: "p", Name: image, Keys: []finding.Key{{Ecosystem: "npm", Name: image}}, Fact: `{"n":"` + image + `"}`}}})
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.ClaimEvaluation(t.Context(), scan.ClaimRequest{JobID: j.ID, Holder: "web", Message: j.ID + "/sbom", Length: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.FinishEvaluation(t.Context(), e.Lease, scan.Conclusion{Verdict: &scan.Verdict{Digest: "sha256:" + image, Outcome: "pass", Body: []byte("{}")}}); err != nil {
		t.Fatal(err)
	}
}
