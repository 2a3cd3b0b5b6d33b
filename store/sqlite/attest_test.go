package sqlite_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/store/storetest"
)

func TestAttest(t *testing.T) { storetest.TestAttest(t, open) }

func TestLogHead(t *testing.T) { storetest.TestLogHead(t, open) }

// TestAttestImmutable tries to change and delete signatures, attestations and proofs,
// with all that a file lets its owner do in SQL.
func TestAttestImmutable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stella.db")
	var root *store.Root
	id := storetest.FillAttest(t, func(t testing.TB) *store.Root {
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
	for _, table := range storetest.AttestTables() {
		var n int
		if err := db.QueryRow("SELECT count(*) FROM attest_" + table).Scan(&n); err != nil || n == 0 {
			t.Errorf("%s has %d rows, %v", table, n, err)
		}
	}
	tried := 0
	for _, s := range storetest.AttestTampers() {
		if strings.HasPrefix(s, "TRUNCATE") {
			continue // SQLite has none
		}
		tried++
		statement := strings.NewReplacer("attest.", "attest_", "scanner.", "scanner_").Replace(s)
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
	for _, s := range []string{"DROP TRIGGER attest_attestations_update", "UPDATE attest_attestations SET envelope = CAST('forged' AS BLOB)"} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := acme.Attest().Attestation(t.Context(), id); !errors.Is(err, attest.ErrMismatch) {
		t.Errorf("an envelope that was exchanged: %v", err)
	}
	if _, err := acme.Attest().Find(t.Context(), attest.Query{}); !errors.Is(err, attest.ErrMismatch) {
		t.Errorf("a list with an envelope that was exchanged: %v", err)
	}
}
