package sqlite_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/store/storetest"
)

func BenchmarkImpact(b *testing.B) {
	path := filepath.Join(b.TempDir(), "stella.db")
	root, err := sqlite.Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	storetest.BenchmarkImpact(b, root, db, "_")
	if info, err := os.Stat(path); err == nil {
		b.Logf("the store has %d MiB", info.Size()>>20)
	}
}
