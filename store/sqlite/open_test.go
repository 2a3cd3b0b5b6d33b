package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/sqlite"
)

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer.db")
	change(t, newer, "INSERT INTO stella_migrations VALUES (99, '0099_later.sql', 'x')")
	changed := filepath.Join(dir, "changed.db")
	change(t, changed, "UPDATE stella_migrations SET checksum = 'other' WHERE version = 1")
	for _, c := range []struct {
		url  string
		kind error
		says []string
	}{
		{"sqlite:", store.ErrInvalid, []string{"sqlite:PATH"}},
		{"sqlite:x.db?mode=ro", store.ErrInvalid, []string{"mode=ro", `query key "mode"`, "there are none"}},
		{"sqlite:" + dir + "/none/x.db", store.ErrNotFound, []string{dir + "/none", "does not exist", "make it first"}},
		{"sqlite:" + dir, store.ErrInvalid, []string{dir}},
		{"sqlite:" + text, store.ErrInvalid, []string{text, "not a database"}},
		{"sqlite:" + newer, store.ErrUnsupported, []string{"99", "newer than this program", "use a newer program"}},
		{"sqlite:" + changed, store.ErrInvalid, []string{"0001_scan.sql", "checksum"}},
		{"mysql://root:secret@h/d", store.ErrUnsupported, []string{`"mysql"`, "sqlite"}},
		{"://secret", store.ErrInvalid, []string{"cannot be parsed"}},
	} {
		root, err := store.Open(t.Context(), c.url)
		if err == nil {
			root.Close()
			t.Errorf("%s was opened", c.url)
			continue
		}
		if strings.HasSuffix(c.url, "changed.db") {
			c.kind = nil
		}
		if c.kind != nil && !errors.Is(err, c.kind) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", c.url, err)
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: %q does not say %q", c.url, err, s)
			}
		}
	}
}

// change makes a store and alters it behind its back.
func change(t *testing.T, path string, statements ...string) {
	t.Helper()
	root, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// TestOpenAtOnce: programs that open a new file at the same time agree.
func TestOpenAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stella.db")
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			root, err := sqlite.Open(t.Context(), path)
			if err != nil {
				t.Error(err)
				return
			}
			defer root.Close()
			tn, err := root.Tenant("acme")
			if err != nil {
				t.Error(err)
				return
			}
			if _, _, err := tn.Scans().Submit(t.Context(), scan.Request{Image: "a"}, ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
}

// TestTransitions holds the database's table of states against the one in Go, for
// every pair.
func TestTransitions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stella.db")
	change(t, path)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	column := func(s scan.State) string { return strings.Replace(string(s), "queued", "pending", 1) }
	n := 0
	for _, from := range scan.States() {
		for _, to := range scan.States() {
			n++
			if _, err := db.Exec(`INSERT INTO scanner_scan_jobs (tenant_id, job_id, image_ref, platform, owner, status, priority, manifest, created_us, updated_us)
				VALUES ('t', $1, '', '', '', $2, 5, '', 0, 0)`, fmt.Sprint(n), column(from)); err != nil {
				t.Fatal(err)
			}
			_, err := db.Exec(`UPDATE scanner_scan_jobs SET status = $2 WHERE job_id = $1`, fmt.Sprint(n), column(to))
			want := from.CanBecome(to) || from == to && !from.Terminal()
			if (err == nil) != want {
				t.Errorf("%s to %s: in Go %v, in the database %v", from, to, want, err)
			}
		}
	}
	if _, err := db.Exec(`UPDATE scanner_scan_jobs SET status = 'lost' WHERE job_id = '1'`); err == nil {
		t.Error("the database keeps a state that does not exist")
	}
}
