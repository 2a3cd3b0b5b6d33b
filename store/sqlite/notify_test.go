package sqlite_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/store/storetest"
)

func TestNotify(t *testing.T) { storetest.TestNotify(t, open) }

// TestNotifyImmutable tries to change and delete what was delivered and set, with all
// that a file lets its owner do in SQL.
func TestNotifyImmutable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stella.db")
	root, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	storetest.FillNotify(t, root)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, table := range storetest.NotifyTables() {
		var n int
		if err := db.QueryRow("SELECT count(*) FROM notify_" + table).Scan(&n); err != nil || n == 0 {
			t.Errorf("%s has %d rows, %v", table, n, err)
		}
	}
	tried := 0
	for _, s := range storetest.NotifyTampers() {
		if strings.HasPrefix(s, "TRUNCATE") {
			continue // SQLite has none
		}
		tried++
		statement := strings.ReplaceAll(s, "notify.", "notify_")
		if _, err := db.Exec(statement); err == nil || !refused.MatchString(err.Error()) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if tried < 60 {
		t.Errorf("only %d statements were tried", tried)
	}
	// What an owner can do after all shows when it is read.
	for _, s := range []string{"DROP TRIGGER notify_deliveries_fixed", "UPDATE notify_notification_deliveries SET payload = CAST('forged' AS BLOB)"} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	acme, err := root.Tenant("acme")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := acme.Notify().Delivery(t.Context(), "done"); !errors.Is(err, fault.Mismatch) {
		t.Errorf("a payload that was exchanged: %v", err)
	}
}
