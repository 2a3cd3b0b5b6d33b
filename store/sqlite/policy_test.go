package sqlite_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/store/storetest"
)

func TestPolicy(t *testing.T) { storetest.TestPolicy(t, open) }

// TestPolicyImmutable tries to change and delete policies, exceptions and verdicts,
// with all that a file lets its owner do in SQL.
func TestPolicyImmutable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stella.db")
	var root *store.Root
	key := storetest.FillPolicy(t, func(t testing.TB) *store.Root {
		var err error
		if root, err = sqlite.Open(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		return root
	})
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tried := 0
	for _, s := range storetest.PolicyTampers() {
		if strings.HasPrefix(s, "TRUNCATE") {
			continue // SQLite has none
		}
		tried++
		statement := strings.ReplaceAll(s, "policy.", "policy_")
		if _, err := db.Exec(statement); err == nil || !refused.MatchString(err.Error()) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if tried < 50 {
		t.Errorf("only %d statements were tried", tried)
	}
	// What an owner can do after all shows when it is read.
	acme, err := root.Tenant("acme")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]string{
		"body": "body = CAST(replace(CAST(body AS TEXT), '\"block\"', '\"pass\"') AS BLOB)", "trace": "trace = (SELECT trace FROM policy_verdicts v WHERE v.key <> policy_verdicts.key)", "digest": "digest = 'x'",
	} {
		for _, s := range []string{"DROP TRIGGER IF EXISTS policy_verdicts_update", "CREATE TABLE kept AS SELECT * FROM policy_verdicts", "UPDATE policy_verdicts SET " + change + " WHERE key = '" + key + "'"} {
			if _, err := db.Exec(s); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := acme.Policy().Find(t.Context(), key); !errors.Is(err, policy.ErrMismatch) {
			t.Errorf("%s: %v", name, err)
		}
		for _, s := range []string{"DROP TRIGGER IF EXISTS policy_verdicts_delete", "DELETE FROM policy_verdicts", "INSERT INTO policy_verdicts SELECT * FROM kept", "DROP TABLE kept"} {
			if _, err := db.Exec(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := acme.Policy().Find(t.Context(), key); err != nil {
		t.Error(err)
	}
}
