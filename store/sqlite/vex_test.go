package sqlite_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/store/storetest"
	"github.com/stella-ops/stella/vex"
)

func TestVEX(t *testing.T) { storetest.TestVEX(t, open) }

// TestVEXImmutable tries to change and delete what suppliers said, with all that a
// file lets its owner do in SQL.
func TestVEXImmutable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stella.db")
	root, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	storetest.FillVEX(t, root.VEX())
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tried := 0
	for _, s := range storetest.VEXTampers() {
		if strings.HasPrefix(s, "TRUNCATE") {
			continue // SQLite has none
		}
		tried++
		statement := strings.ReplaceAll(s, "vex.", "vex_")
		if _, err := db.Exec(statement); err == nil || !refused.MatchString(err.Error()) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if tried < 60 {
		t.Errorf("only %d statements were tried", tried)
	}
	// What an owner can do after all shows when it is read.
	for _, s := range []string{"DROP TRIGGER vex_contents_update", "DROP TRIGGER vex_observations_update",
		"UPDATE vex_contents SET size = (SELECT size FROM vex_contents LIMIT 1 OFFSET 1), body = (SELECT body FROM vex_contents LIMIT 1 OFFSET 1)",
		"UPDATE vex_observations SET body = (SELECT body FROM vex_observations WHERE seq = 2) WHERE seq = 3"} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	bad := 0
	for k, err := range root.VEX().Known(t.Context(), "s") {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := root.VEX().Raw(t.Context(), k.Digest); errors.Is(err, vex.ErrMismatch) {
			bad++
		}
	}
	if bad < 2 {
		t.Errorf("%d contents that were exchanged are found out", bad)
	}
	for _, err := range root.VEX().Statements(t.Context(), nil, []string{"CVE-3"}) {
		if !errors.Is(err, vex.ErrMismatch) {
			t.Errorf("a statement that was exchanged: %v", err)
		}
	}
}
