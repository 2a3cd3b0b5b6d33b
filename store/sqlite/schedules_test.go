package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/store/storetest"
)

func TestSchedules(t *testing.T) { storetest.TestSchedules(t, open) }

func TestLead(t *testing.T) {
	var path string
	storetest.TestLead(t, storetest.LeadConfig{
		Open: func(t testing.TB, n int) (out []*store.Root) {
			path = filepath.Join(t.TempDir(), "stella.db")
			for range n {
				root, err := sqlite.Open(t.Context(), path)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, root)
			}
			return out
		},
		Cut: func(t testing.TB, name string) {
			db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec("UPDATE scheduler_leaders SET until_us = 0, holder = 'nobody' WHERE name = ?", name); err != nil {
				t.Fatal(err)
			}
		},
	})
}
