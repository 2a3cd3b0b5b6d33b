package e2e

import (
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/storetest"
)

// TestAttestStore runs the suite of the stores of proof on PostgreSQL.
func TestAttestStore(t *testing.T) { storetest.TestAttest(t, openPostgres) }

func TestLogHead(t *testing.T) { storetest.TestLogHead(t, openPostgres) }

// TestAttestIsImmutable tries to change and delete signatures, attestations, proofs and
// scans that are held: as every role of the application, as the owner, and as the owner
// who says that he is a replica.
func TestAttestIsImmutable(t *testing.T) {
	d := servers.PostgresStore(t)
	storetest.FillAttest(t, func(t testing.TB) *store.Root {
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
	for _, s := range storetest.AttestTampers() {
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
		{"stella_app", "INSERT INTO attest.settings VALUES ('other', 9, '{}', '', 0)"}, {"stella_app", "INSERT INTO attest.wanted VALUES ('other', 'a', 'log')"},
		{"stella_app", "UPDATE attest.exports SET tenant_id = 'other'"}, {"stella_app", "UPDATE attest.pushes SET tenant_id = 'other'"}, {"stella_app", "UPDATE attest.bundled SET format = 'x'"},
		{"stella_relay", "SELECT * FROM attest.exports"}, {"stella_index", "SELECT * FROM attest.attestations"}, {"stella_concelier", "SELECT * FROM attest.proofs"}, {"stella_excititor", "SELECT * FROM attest.signatures"},
		{"stella_app", "ALTER TABLE attest.proofs DISABLE TRIGGER ALL"},
	} {
		if err := tryIn(t, app, as(c[0], "acme"), c[1]); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %s: %v", c[0], c[1], err)
		}
	}
	for _, table := range storetest.AttestTables() {
		for tenant, want := range map[string]bool{"other": false, "acme": true} {
			tx, err := app.Begin()
			if err != nil {
				t.Fatal(err)
			}
			var n int
			if _, err = tx.Exec(as("stella_app", tenant)); err == nil {
				err = tx.QueryRow("SELECT count(*) FROM attest." + table).Scan(&n)
			}
			if err != nil || n > 0 != want {
				t.Errorf("%s sees %d rows of %s, %v", tenant, n, table, err)
			}
			tx.Rollback()
		}
	}
}
