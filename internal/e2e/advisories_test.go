package e2e

import (
	"database/sql"
	"regexp"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/storetest"
)

// refused are the reasons for which a change is refused, and not for its grammar.
var refused = regexp.MustCompile(`never changed or deleted|can only be ended|a run can only be|check constraint|can only be updated to DEFAULT|42501`)

// TestAdvisoriesAreImmutable tries to change and delete what sources published and
// said: as every role of the application, as the owner, and as the owner who says
// that he is a replica.
func TestAdvisoriesAreImmutable(t *testing.T) {
	d := servers.PostgresStore(t)
	root, err := store.Open(t.Context(), d.App)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	storetest.FillAdvisories(t, root.Advisories(nil))
	app, owner := servers.Connect(t, d.App), servers.Connect(t, d.Owner)
	try := func(db *sql.DB, set, statement string) error {
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
	role := func(name string) string {
		return "SELECT set_config('role', '" + name + "', true), set_config('app.tenant', 'acme', true)"
	}
	tried := 0
	for _, s := range storetest.Tampers() {
		for who, set := range map[string]string{"nobody": "", "stella_app": role("stella_app"), "stella_relay": role("stella_relay"), "stella_index": role("stella_index"), "stella_concelier": role("stella_concelier")} {
			tried++
			if err := try(app, set, s); err == nil {
				t.Errorf("%s: %s: done", who, s)
			}
		}
		for who, set := range map[string]string{"the owner": "", "a replica": "SET LOCAL session_replication_role = replica"} {
			tried++
			err := try(owner, set, s)
			if err == nil || !refused.MatchString(err.Error()) {
				t.Errorf("%s: %s: %v", who, s, err)
			}
		}
	}
	if tried < 400 {
		t.Errorf("only %d attempts", tried)
	}
	// Nor anything else that the roles have no business with.
	for _, c := range [][2]string{
		{"stella_app", "INSERT INTO vuln.facts VALUES (1, 7, '', '', '', '', '')"}, {"stella_app", "UPDATE vuln.current_head SET number = 7"}, {"stella_app", "DELETE FROM vuln.linksets"},
		{"stella_app", "SELECT * FROM vuln.sources"}, {"stella_app", "INSERT INTO vuln.advisories VALUES ('CVE-1', '', '', '', 0, 0, 0)"}, {"stella_app", "UPDATE vuln.advisories SET severity = 'low'"},
		{"stella_concelier", "SELECT * FROM scanner.scan_jobs"}, {"stella_concelier", "SELECT * FROM scanner.packages"}, {"stella_concelier", "DELETE FROM transport.outbox"},
		{"stella_concelier", "INSERT INTO transport.inbox VALUES ('acme', 'g', 'e', 0)"}, {"stella_concelier", "SELECT * FROM transport.messages"},
		{"stella_relay", "SELECT * FROM vuln.heads"}, {"stella_index", "SELECT * FROM vuln.heads"},
		{"stella_concelier", "COPY vuln.packs FROM PROGRAM 'true'"}, {"stella_concelier", "ALTER TABLE vuln.packs DISABLE TRIGGER ALL"}, {"stella_concelier", "DROP TABLE vuln.packs"},
	} {
		if err := try(app, role(c[0]), c[1]); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %s: %v", c[0], c[1], err)
		}
	}
	// A tenant shares the lock of the newest head, and reads what is public.
	for _, s := range []string{"SELECT number FROM vuln.current_head WHERE id = 1 FOR SHARE", "SELECT * FROM vuln.heads", "SELECT * FROM vuln.linksets", "SELECT * FROM vuln.advisories", "SELECT * FROM vuln.observations", "SELECT * FROM vuln.contents"} {
		if err := try(app, role("stella_app"), s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}
