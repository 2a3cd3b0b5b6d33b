package e2e

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/storetest"
)

func TestVEXStore(t *testing.T) { storetest.TestVEX(t, openPostgres) }

// TestVEXIsImmutable tries to change and delete what suppliers said: as every role of
// the application, as the owner, and as the owner who says that he is a replica.
func TestVEXIsImmutable(t *testing.T) {
	d := servers.PostgresStore(t)
	root, err := store.Open(t.Context(), d.App)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	acme, err := root.Tenant("acme")
	if err != nil {
		t.Fatal(err)
	}
	storetest.FillVEX(t, root.VEX())
	storetest.FillVEX(t, acme.VEX())
	app, owner := servers.Connect(t, d.App), servers.Connect(t, d.Owner)
	role := func(name string) string {
		return "SELECT set_config('role', '" + name + "', true), set_config('app.tenant', 'acme', true)"
	}
	tried := 0
	for _, s := range storetest.VEXTampers() {
		for _, who := range []string{"", "stella_app", "stella_excititor", "stella_concelier", "stella_relay", "stella_index"} {
			tried++
			set := ""
			if who != "" {
				set = role(who)
			}
			if err := tryIn(t, app, set, s); err == nil {
				t.Errorf("%s: %s: done", who, s)
			}
		}
		for who, set := range map[string]string{"the owner": "SET LOCAL row_security = off", "a replica": "SET LOCAL session_replication_role = replica"} {
			tried++
			if err := tryIn(t, owner, set, s); err == nil {
				t.Errorf("%s: %s: done", who, s)
			}
		}
	}
	if tried < 400 {
		t.Errorf("only %d attempts", tried)
	}
	for _, c := range [][2]string{
		{"stella_app", "INSERT INTO vex.names VALUES ('', 'CVE-1', 'x')"}, {"stella_app", "INSERT INTO vex.names VALUES ('other', 'CVE-1', 'x')"},
		{"stella_app", "UPDATE vex.scopes SET head = 9 WHERE tenant_id = ''"}, // its lock is shared, and no more
		{"stella_excititor", "INSERT INTO vex.names VALUES ('acme', 'CVE-1', 'x')"}, {"stella_excititor", "SELECT * FROM scanner.scan_jobs"}, {"stella_excititor", "SELECT * FROM vuln.heads"},
		{"stella_excititor", "INSERT INTO transport.inbox VALUES ('acme', 'g', 'e', 0)"}, {"stella_excititor", "DELETE FROM transport.outbox"},
		{"stella_concelier", "SELECT * FROM vex.heads"}, {"stella_relay", "SELECT * FROM vex.heads"}, {"stella_index", "SELECT * FROM vex.heads"},
		{"stella_app", "ALTER TABLE vex.heads DISABLE TRIGGER ALL"}, {"stella_excititor", "DROP TABLE vex.heads"},
		{"stella_app", "UPDATE vex.scopes SET head = 9 WHERE tenant_id = ''"},
	} {
		if err := tryIn(t, app, role(c[0]), c[1]); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %s: %v", c[0], c[1], err)
		}
	}
	// A tenant reads its own and what is public, and changes nothing of the latter.
	for _, c := range []struct {
		role, statement string
		rows            int64
	}{
		{"stella_app", "SELECT * FROM vex.heads", 4}, {"stella_excititor", "SELECT * FROM vex.heads", 2},
		{"stella_app", "DELETE FROM vex.consensus WHERE tenant_id = ''", 0}, {"stella_app", "UPDATE vex.sources SET released = 0", 1}, {"stella_excititor", "UPDATE vex.sources SET released = 0", 1},
	} {
		tx, err := app.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(role(c.role)); err != nil {
			t.Fatal(err)
		}
		r, err := tx.Exec(c.statement)
		if err != nil {
			t.Errorf("%s: %s: %v", c.role, c.statement, err)
		} else if n, err := r.RowsAffected(); err != nil || n != c.rows {
			t.Errorf("%s: %s: %d rows, want %d, %v", c.role, c.statement, n, c.rows, err)
		}
		tx.Rollback()
	}
}

// tryIn runs a statement in a transaction that is taken back.
func tryIn(t *testing.T, db *sql.DB, set, statement string) error {
	t.Helper()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if set != "" {
		if _, err := tx.Exec(set); err != nil {
			return err
		}
	}
	_, err = tx.Exec(statement)
	return err
}
