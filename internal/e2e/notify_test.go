package e2e

import (
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/storetest"
)

func TestPostgresNotify(t *testing.T) { storetest.TestNotify(t, openPostgres) }

// TestPostgresNotifyImmutable tries to change and delete what was delivered and set, as
// everybody who can log in, and to see what is another tenant's.
func TestPostgresNotifyImmutable(t *testing.T) {
	d := servers.PostgresStore(t)
	root, err := store.Open(t.Context(), d.App)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	storetest.FillNotify(t, root)
	app, owner := servers.Connect(t, d.App), servers.Connect(t, d.Owner)
	as := func(name, tenant string) string {
		return "SELECT set_config('role', '" + name + "', true), set_config('app.tenant', '" + tenant + "', true)"
	}
	for _, s := range storetest.NotifyTampers() {
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
		{"stella_app", "INSERT INTO notify.inhibitors VALUES ('other', 'x', 'e', 0)"}, {"stella_app", "UPDATE notify.groups SET tenant_id = 'other'"}, {"stella_app", "UPDATE notify.endpoint_states SET tenant_id = 'other'"},
		{"stella_relay", "SELECT title FROM notify.notification_deliveries"}, {"stella_relay", "SELECT key FROM notify.groups"}, {"stella_relay", "SELECT message FROM notify.incidents"}, {"stella_relay", "SELECT * FROM notify.settings"},
		{"stella_relay", "UPDATE notify.groups SET due_us = 0"}, {"stella_index", "SELECT * FROM notify.notification_deliveries"}, {"stella_concelier", "SELECT * FROM notify.items"}, {"stella_excititor", "SELECT * FROM notify.attempts"},
		{"stella_attestor", "SELECT * FROM notify.incidents"}, {"stella_app", "ALTER TABLE notify.attempts DISABLE TRIGGER ALL"},
	} {
		if err := tryIn(t, app, as(c[0], "acme"), c[1]); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %s: %v", c[0], c[1], err)
		}
	}
	for _, table := range storetest.NotifyTables() {
		for tenant, want := range map[string]bool{"other": false, "acme": true} {
			tx, err := app.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			if _, err = tx.ExecContext(t.Context(), as("stella_app", tenant)); err == nil {
				err = tx.QueryRowContext(t.Context(), "SELECT count(*) FROM notify."+table).Scan(&n)
			}
			if err != nil || (n > 0) != want {
				t.Errorf("%s sees %d rows of %s, %v", tenant, n, table, err)
			}
			tx.Rollback()
		}
	}
}

func BenchmarkPostgresNotify(b *testing.B) { storetest.BenchmarkNotify(b, openPostgres) }
