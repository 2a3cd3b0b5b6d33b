package e2e

import (
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/storetest"
)

func TestPostgresSchedules(t *testing.T) { storetest.TestSchedules(t, openPostgres) }

// TestPostgresLead cuts the connection of whoever leads.
func TestPostgresLead(t *testing.T) {
	var app string
	storetest.TestLead(t, storetest.LeadConfig{
		Open: func(t testing.TB, n int) (out []*store.Root) {
			d := servers.PostgresStore(t)
			app = d.App
			for range n {
				root, err := store.Open(t.Context(), d.App)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, root)
			}
			return out
		},
		Cut: func(t testing.TB, _ string) {
			n := 0
			err := servers.Connect(t, app).QueryRow(`SELECT count(pg_terminate_backend(l.pid)) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
				WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()`).Scan(&n)
			if err != nil || n != 1 {
				t.Fatalf("%d connections have a lock, %v", n, err)
			}
		},
	})
}

// TestPostgresSchedulesBound tries what no login may do with schedules and terms.
func TestPostgresSchedulesBound(t *testing.T) {
	d := servers.PostgresStore(t)
	root, err := store.Open(t.Context(), d.App)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	app := servers.Connect(t, d.App)
	for _, c := range [][2]string{
		{"stella_app", "INSERT INTO scheduler.schedules VALUES ('other', 'x', 1, '{}', '', 0, 0, 0, 0)"}, {"stella_app", "UPDATE scheduler.leaders SET term = 9"}, {"stella_app", "INSERT INTO scheduler.leaders VALUES ('x', 9, '', 0, 0)"},
		{"stella_app", "INSERT INTO scheduler.watches VALUES ('other', 'i', '', 1, 0, '', 0)"}, {"stella_app", "DELETE FROM scheduler.leaders"}, {"stella_relay", "SELECT body FROM scheduler.schedules"}, {"stella_relay", "UPDATE scheduler.schedules SET due_us = 0"},
		{"stella_relay", "SELECT * FROM scheduler.runs"}, {"stella_relay", "DELETE FROM scheduler.leaders"}, {"stella_index", "SELECT * FROM scheduler.watches"}, {"stella_concelier", "SELECT * FROM scheduler.leaders"}, {"stella_excititor", "SELECT id FROM scheduler.schedules"},
		{"stella_attestor", "SELECT * FROM scheduler.runs"},
	} {
		if err := tryIn(t, app, "SELECT set_config('role', '"+c[0]+"', true), set_config('app.tenant', 'acme', true)", c[1]); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %s: %v", c[0], c[1], err)
		}
	}
}
