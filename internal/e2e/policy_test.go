package e2e

import (
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/storetest"
)

// TestPolicy runs the suite of policy stores on PostgreSQL.
func TestPolicy(t *testing.T) { storetest.TestPolicy(t, openPostgres) }

// TestPolicyIsImmutable tries to change and delete policies, exceptions and verdicts:
// as every role of the application, as the owner, and as the owner who says that he is
// a replica.
func TestPolicyIsImmutable(t *testing.T) {
	d := servers.PostgresStore(t)
	storetest.FillPolicy(t, func(t testing.TB) *store.Root {
		root, err := store.Open(t.Context(), d.App)
		if err != nil {
			t.Fatal(err)
		}
		return root
	})
	app, owner := servers.Connect(t, d.App), servers.Connect(t, d.Owner)
	as := func(name, tenant string) string {
		return "SELECT set_config('role', '" + name + "', true), set_config('app.tenant', '" + tenant + "', true)"
	}
	for _, s := range storetest.PolicyTampers() {
		for _, who := range []string{"", "stella_app", "stella_excititor", "stella_concelier", "stella_relay", "stella_index"} {
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
		{"stella_app", "INSERT INTO policy.activations VALUES ('other', 9, '', 'release', 1, '', '[]', 0, '', '', 0)"}, {"stella_app", "INSERT INTO policy.due (tenant_id, scan_id, due_us, cause) VALUES ('other', 's', 0, 'c')"},
		{"stella_app", "UPDATE policy.locks SET tenant_id = 'other'"}, {"stella_app", "UPDATE vex.scopes SET head = 9 WHERE tenant_id = ''"}, {"stella_app", "UPDATE vex.scopes SET tenant_id = 'acme' WHERE tenant_id = ''"},
		{"stella_app", "UPDATE policy.current SET tenant_id = 'other'"}, {"stella_relay", "SELECT * FROM policy.due"}, {"stella_relay", "SELECT names FROM policy.due"}, {"stella_relay", "SELECT * FROM policy.verdicts"},
		{"stella_relay", "DELETE FROM policy.due"}, {"stella_relay", "SELECT * FROM policy.samples"}, {"stella_app", "UPDATE policy.samples SET tenant_id = 'other'"}, {"stella_index", "SELECT * FROM policy.current"}, {"stella_concelier", "SELECT * FROM policy.verdicts"}, {"stella_excititor", "SELECT * FROM policy.watched"},
		{"stella_app", "ALTER TABLE policy.verdicts DISABLE TRIGGER ALL"},
	} {
		if err := tryIn(t, app, as(c[0], "acme"), c[1]); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %s: %v", c[0], c[1], err)
		}
	}
	// Another tenant has no rows, and the public head of VEX can be locked by all.
	for _, table := range []string{"locks", "policies", "activations", "exceptions", "exception_events", "verdicts", "decisions", "current", "watched", "due", "samples"} {
		for tenant, want := range map[string]bool{"other": false, "acme": table != "due"} {
			tx, err := app.Begin()
			if err != nil {
				t.Fatal(err)
			}
			var n int
			if _, err = tx.Exec(as("stella_app", tenant)); err == nil {
				err = tx.QueryRow("SELECT count(*) FROM policy." + table).Scan(&n)
			}
			if err != nil || n > 0 != want {
				t.Errorf("%s sees %d rows of %s, %v", tenant, n, table, err)
			}
			tx.Rollback()
		}
	}
	if err := tryIn(t, app, as("stella_app", "acme"), "SELECT head FROM vex.scopes WHERE tenant_id IN ('acme', '') FOR SHARE"); err != nil {
		t.Error(err)
	}
}
