package store_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/store"
	_ "github.com/stella-ops/stella/store/sqlite"
)

// TestCollectedItems has SQLite say how it reads the items of a window: by the window, not
// all of the tenant's.
func TestCollectedItems(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stella.db")
	root, err := store.Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	statement := strings.NewReplacer("notify.", "notify_", "json_rows(", "json_each(").Replace(store.CollectedItems)
	rows, err := db.Query("EXPLAIN QUERY PLAN "+statement, "acme", `[{"g":"grp","w":1}]`, 200)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, step)
	}
	if err := rows.Err(); err != nil || !slices.ContainsFunc(plan, func(step string) bool {
		return strings.Contains(step, "notify_items_window (tenant_id=? AND group_id=? AND window_us=?")
	}) {
		t.Errorf("items are found by %q, %v", plan, err)
	}
}
