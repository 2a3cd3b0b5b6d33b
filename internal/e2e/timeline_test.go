package e2e

import (
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/storetest"
)

// TestTimelineStore runs the suite of timelines on PostgreSQL.
func TestTimelineStore(t *testing.T) { storetest.TestTimeline(t, openPostgres) }

func BenchmarkTimeline(b *testing.B) { storetest.BenchTimeline(b, openPostgres(b)) }

// TestTimelineIsImmutable tries to change and delete what is on a timeline: as every role
// of the application, as the owner, and as the owner who says that he is a replica.
func TestTimelineIsImmutable(t *testing.T) {
	d := servers.PostgresStore(t)
	root, err := store.Open(t.Context(), d.App)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	s := storetest.FillTimeline(t, root)
	app, owner := servers.Connect(t, d.App), servers.Connect(t, d.Owner)
	as := func(name, tenant string) string {
		return "SELECT set_config('role', '" + name + "', true), set_config('app.tenant', '" + tenant + "', true)"
	}
	for _, s := range storetest.TimelineTampers() {
		for _, who := range []string{"", "stella_app", "stella_excititor", "stella_concelier", "stella_relay", "stella_index", "stella_attestor"} {
			set := ""
			if who != "" {
				set = as(who, "acme")
			}
			if err := tryIn(t, app, set, s); err == nil {
				t.Errorf("%s: %s: done", who, s)
			}
		}
		for who, set := range map[string]string{"the owner": "SET LOCAL row_security = off", "a replica": "SET LOCAL session_replication_role = replica"} {
			if err := tryIn(t, owner, set, s); err == nil {
				t.Errorf("%s: %s: done", who, s)
			}
		}
	}
	for _, c := range [][2]string{
		{"stella_app", "INSERT INTO timeline.heads VALUES ('other', 0, '', 0)"}, {"stella_app", "INSERT INTO timeline.checkpoints VALUES ('other', 1, '', 0)"},
		{"stella_app", "INSERT INTO timeline.bodies VALUES ('other', 1, '')"}, {"stella_app", "INSERT INTO timeline.refs VALUES ('other', 'scan', 'x', 1)"},
		{"stella_relay", "SELECT * FROM timeline.bodies"}, {"stella_index", "SELECT * FROM timeline.rows"}, {"stella_concelier", "SELECT * FROM timeline.refs"}, {"stella_excititor", "SELECT * FROM timeline.heads"},
		{"stella_app", "ALTER TABLE timeline.rows DISABLE TRIGGER ALL"}, {"stella_app", "DROP TRIGGER rows_update ON timeline.rows"},
	} {
		if err := tryIn(t, app, as(c[0], "acme"), c[1]); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %s: %v", c[0], c[1], err)
		}
	}
	for _, table := range storetest.TimelineTables() {
		for tenant, want := range map[string]bool{"other": false, "acme": true} {
			tx, err := app.Begin()
			if err != nil {
				t.Fatal(err)
			}
			var n int
			if _, err = tx.Exec(as("stella_app", tenant)); err == nil {
				err = tx.QueryRow("SELECT count(*) FROM timeline." + table).Scan(&n)
			}
			if err != nil || n > 0 != want {
				t.Errorf("%s sees %d rows of %s, %v", tenant, n, table, err)
			}
			tx.Rollback()
		}
	}
	storetest.TimelineHolds(t, s)
}
