package sqlite_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/store/storetest"
)

// refused are the reasons for which a change is refused, and not for its grammar.
var refused = regexp.MustCompile(`never (changed|deleted)|can only be (ended|read|approved)|CHECK constraint failed`)

// TestImmutable tries to change and delete what sources published and said, with
// all that a file lets its owner do in SQL.
func TestImmutable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stella.db")
	root, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	a := root.Advisories(nil)
	storetest.FillAdvisories(t, a)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	before := 0
	for _, s := range storetest.Tampers() {
		statement := strings.ReplaceAll(s, "vuln.", "vuln_")
		if strings.HasPrefix(s, "TRUNCATE") {
			continue // SQLite has none
		}
		before++
		if _, err := db.Exec(statement); err == nil || !refused.MatchString(err.Error()) {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if before < 40 {
		t.Errorf("only %d statements were tried", before)
	}
	// What an owner can do after all shows when it is read.
	for _, s := range []string{"DROP TRIGGER vuln_packs_update", "UPDATE vuln_packs SET body = (SELECT body FROM vuln_packs WHERE seq = 2) WHERE seq = 1"} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	fresh := root.Advisories(nil)
	for k, err := range fresh.Known(t.Context(), "tampered") {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fresh.Raw(t.Context(), k.Digest); k.Name == "first" && !errors.Is(err, advisory.ErrInvalid) && !errors.Is(err, advisory.ErrMismatch) {
			t.Errorf("a content that was exchanged: %v", err)
		}
	}
}
