package storetest

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
)

// Fleet says how large a tenant is.
type Fleet struct {
	Images, Scans int
	// Skewed has one image scanned again and again, after all others.
	Skewed bool
}

// BenchmarkFleet measures what a console asks of a large tenant, and the sample of what
// holds about all its images, after FillFleet. db is the same database; dot is "." where it
// has schemas and "_" where it has none, and enter makes a transaction the tenant acme's.
func BenchmarkFleet(b *testing.B, root *store.Root, db *sql.DB, dot, enter string, f Fleet) {
	acme := tenant(b, root, "acme")
	s := acme.Scans()
	after := must[*scan.Page](b)(s.List(b.Context(), scan.Query{Limit: 1000})).Next
	for name, q := range map[string]scan.Query{
		"all": {}, "deep": {After: after}, "latest": {Latest: true}, "latest blocked": {Latest: true, Outcome: "block"}, "latest failed": {Latest: true, State: scan.Failed}, "outcome": {Outcome: "warn"}, "no outcome": {Outcome: "none such"},
		"state": {State: scan.Dead}, "text": {Text: "image-77"}, "text of few": {Text: "IMAGE-7777"}, "text of none": {Text: "nothing"}, "latest text": {Latest: true, Text: "image-7"}, "image": {Image: fleetImage(1)},
	} {
		b.Run("list/"+name, func(b *testing.B) {
			for b.Loop() {
				must[*scan.Page](b)(s.List(b.Context(), q))
			}
		})
	}
	b.Run("states", func(b *testing.B) {
		for b.Loop() {
			must[*scan.StateCounts](b)(s.States(b.Context()))
		}
	})
	b.Run("sample", func(b *testing.B) {
		for b.Loop() {
			touchFleet(b, db, dot, enter)
			if n := must[int](b)(root.SamplePostures(b.Context())); n != 1 {
				b.Fatalf("%d samples", n)
			}
		}
	})
	h := must[*policy.PostureHistory](b)(acme.Policy().Posture(b.Context(), "", time.Time{}))
	if h.Newest == nil || h.Newest.Images < f.Images*9/10 || h.Newest.Open == 0 {
		b.Fatalf("%+v", h.Newest)
	}
	b.Run("history", func(b *testing.B) {
		for b.Loop() {
			must[*policy.PostureHistory](b)(acme.Policy().Posture(b.Context(), "", time.Time{}))
		}
	})
}

// touchFleet has it look as if something was decided just now.
func touchFleet(b *testing.B, db *sql.DB, dot, enter string) {
	tx, err := db.Begin()
	if err != nil {
		b.Fatal(err)
	}
	defer tx.Rollback()
	if enter != "" {
		_, err = tx.Exec(enter)
	}
	if err == nil {
		_, err = tx.Exec(fmt.Sprintf("UPDATE policy%scurrent SET kept_us = %d WHERE tenant_id = 'acme' AND scan_id = 'scan-%026d'", dot, time.Now().UnixMicro(), 0))
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		b.Fatal(err)
	}
}

func fleetImage(i int) string { return fmt.Sprintf("registry.example/team-%d/image-%d:1", i%100, i) }

// FillFleet writes scans that ended an hour ago, with what holds about them, and puts a
// policy in force two hours ago. The store must be empty.
func FillFleet(t testing.TB, root *store.Root, db *sql.DB, dot, enter string, f Fleet) {
	t.Helper()
	if _, _, err := tenant(t, root, "acme").Policy().Add(t.Context(), blockFrom(1, finding.High), nil, "ann"); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	exec := func(statement string) {
		statement = strings.NewReplacer("scanner.", "scanner"+dot, "policy.", "policy"+dot).Replace(statement)
		if _, err := tx.Exec(statement); err != nil {
			t.Fatalf("%.300s: %v", statement, err)
		}
	}
	if enter != "" {
		exec(enter)
	}
	now := time.Now().Add(-time.Hour).UnixMicro()
	digest := blockFrom(1, finding.High).Digest()
	exec("INSERT INTO policy.locks (tenant_id) VALUES ('acme') ON CONFLICT (tenant_id) DO NOTHING")
	exec(fmt.Sprintf("INSERT INTO policy.activations (tenant_id, number, environment, policy_id, version, digest, controls, rollback, by_whom, reason, at_us) VALUES ('acme', 1, '', 'release', 1, '%s', '[]', 0, 'ann', '', %d)",
		digest, now-time.Hour.Microseconds()))
	const jobs = "INSERT INTO scanner.scan_jobs (tenant_id, job_id, image_ref, platform, owner, status, priority, manifest, created_us, updated_us, sbom_digest, outcome, evaluated_us) VALUES "
	const standings = "INSERT INTO policy.current (tenant_id, scan_id, environment, key, digest, outcome, because, blocking, blocked, policy_id, version, at_us, next_us, marks, changes, changed_us, kept_us, open) VALUES "
	manifest := "'" + strings.Repeat("m", 500) + "'"
	if dot == "_" {
		manifest = "CAST(" + manifest + " AS BLOB)"
	}
	var rows, held []string
	flush := func() {
		if len(rows) > 0 {
			exec(jobs + strings.Join(rows, ","))
			exec(standings + strings.Join(held, ","))
			rows, held = rows[:0], held[:0]
		}
	}
	day := time.Now().Unix() / 86400
	for i := range f.Scans {
		image := i % f.Images
		if f.Skewed {
			image = min(i, f.Images-1)
		}
		outcome, state := []string{"pass", "pass", "warn", "block"}[i%4], "completed"
		if i%100 == 99 {
			state, outcome = "failed", ""
		}
		if i%1000 == 998 {
			state = "cancelled"
		}
		at := now - int64(f.Scans-i)*1000
		id := fmt.Sprintf("scan-%026d", (i*7919)%f.Scans)
		rows = append(rows, fmt.Sprintf("('acme', '%s', '%s', '', 'ann', '%s', 5, %s, %d, %d, 'sha256:%064d', '%s', %d)", id, fleetImage(image), state, manifest, at, at, i, outcome, at))
		open := fmt.Sprintf(`{"findings":%d,"severities":{"critical":1,"high":2,"medium":%d,"low":0,"none":0,"unknown":0},"fixable":2,"days":[{"day":%d,"count":1},{"day":%d,"count":2}],"older":%d}`, 3+i%50, i%50, day-40, day-3, i%50)
		held = append(held, fmt.Sprintf("('acme', '%s', '', 'sha256:%064d', 'sha256:%064d', '%s', 'CVE-2026-1 in openssl: its severity is high', '', %d, 'release', 1, %d, 0, '{}', 1, %d, %d, '%s')", id, i, i, max(outcome, "block"), i%7, at, at, at, open))
		if len(rows) == 500 {
			flush()
		}
	}
	flush()
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}
