// Package sqlite keeps a store in one SQLite file: the embedded default, which
// needs nothing installed. Importing it makes "sqlite:PATH" known to store.Open.
//
// The file is opened in WAL mode with synchronous=FULL, so what was acknowledged
// survives a power cut. One program may have it open at a time for best speed;
// several wait for each other.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/lazyre"
	"github.com/stella-ops/stella/internal/scheme"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/internal/migration"
)

//go:embed migrations/*.sql
var files embed.FS

func init() {
	store.Register("sqlite", func(ctx context.Context, u *url.URL) (*store.Root, error) {
		if _, err := scheme.Query(u); err != nil {
			return nil, err
		}
		path := u.Opaque
		if path == "" {
			path = u.Host + u.Path
		}
		name, err := url.PathUnescape(path)
		if err != nil || name == "" {
			return nil, fmt.Errorf("want sqlite:PATH: %w", fault.Invalid)
		}
		return open(ctx, name)
	})
}

// busyTimeout is how long a transaction waits for one of another program.
const busyTimeout = 10 * time.Second

// readers is how many read at a time.
const readers = 4

// writerCache bounds the pages that the writer holds in memory, in bytes: what a
// large transaction touches should not have to leave before it ends.
const writerCache = 64 << 20

// Open opens a file, makes it where it is missing, and brings its schema up to
// date. Its folder must exist.
func Open(ctx context.Context, path string) (*store.Root, error) {
	root, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	return root, nil
}

func open(ctx context.Context, path string) (*store.Root, error) {
	if err := create(path); err != nil {
		return nil, err
	}
	writer, err := connect(path, true)
	if err != nil {
		return nil, err
	}
	reader, err := connect(path, false)
	if err == nil {
		err = migrate(ctx, writer)
	}
	if err != nil {
		writer.Close()
		if reader != nil {
			reader.Close()
		}
		return nil, classify(err)
	}
	return store.New(store.Engine{Name: "sqlite", Writer: writer, Reader: reader, Dialect: dialect{}, Alone: alone()}), nil
}

// alone returns what reports whether this program alone wrote since it was asked last: the
// number changes with what other connections commit, and the writer is one connection.
func alone() func(context.Context, *sql.Tx) (bool, error) {
	var last atomic.Int64
	return func(ctx context.Context, tx *sql.Tx) (bool, error) {
		var version int64
		if err := tx.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err != nil {
			return false, err
		}
		before := last.Swap(version)
		return before == 0 || before == version, nil
	}
}

// create makes the file for this user alone: it holds what was found in images.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("the folder %s does not exist; make it first: %w", filepath.Dir(path), fault.NotFound)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%v: %w", err, fault.Forbidden)
	case err != nil:
		return fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	return f.Close()
}

func connect(path string, write bool) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	q := url.Values{"_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "trusted_schema(0)",
	}}
	if write {
		q.Set("_txlock", "immediate")
		q.Add("_pragma", fmt.Sprintf("cache_size(-%d)", writerCache>>10))
	} else {
		q.Add("_pragma", "query_only(1)")
	}
	db := sql.OpenDB(connector{&sqlite.Driver{}, (&url.URL{Scheme: "file", Path: abs, RawQuery: q.Encode()}).String()})
	n := readers
	if write {
		n = 1 // SQLite has one writer; waiting for it here is fair and cheap
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

var table = migration.Table{
	Name:   "stella_migrations",
	Create: "CREATE TABLE IF NOT EXISTS stella_migrations (version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL)",
}

// migrate holds the one write lock for its whole time: two programs that open a
// new file at once apply each step once.
func migrate(ctx context.Context, db *sql.DB) error {
	steps, err := migration.Load(files, "migrations")
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	err = migration.Apply(ctx, conn, table, steps)
	for range 50 {
		if err == nil || !conflicting(err) {
			break
		}
		time.Sleep(20 * time.Millisecond) // another program is at it
		err = migration.Apply(ctx, conn, table, steps)
	}
	return err
}

// conflicting reports whether another program applied the same step first.
func conflicting(err error) bool {
	return errors.Is(classify(err), fault.Unavailable) || strings.Contains(err.Error(), "already exists") || strings.Contains(err.Error(), "UNIQUE constraint failed: stella_migrations")
}

// dialect is what SQLite's SQL differs in.
type dialect struct{}

var (
	locking = lazyre.New(`\s+FOR (UPDATE|SHARE)( SKIP LOCKED)?`)
	tables  = lazyre.New(`\b(scanner|transport|vuln|vex|policy|attest|notify|timeline|scheduler|authority)\.([a-z])`)
)

// Translate names tables schema_table, since one file has one schema, and leaves
// out locks: a writer is alone anyway.
func (dialect) Translate(s string) string {
	if strings.HasPrefix(s, "LOCK TABLE ") {
		return "SELECT 1"
	}
	s = locking.Get().ReplaceAllString(s, "")
	s = tables.Get().ReplaceAllString(s, "${1}_$2")
	return positional(strings.ReplaceAll(s, "json_rows(", "json_each("))
}

var placeholder = lazyre.New(`\$\d+`)

// positional writes the placeholders of a statement that has each once and in
// order as "?". SQLite takes "$1" for a name, which it looks for among all others:
// in a statement of thousands that takes longer than all else.
func positional(s string) string {
	for i, p := range placeholder.Get().FindAllString(s, -1) {
		if p != "$"+strconv.Itoa(i+1) {
			return s
		}
	}
	return placeholder.Get().ReplaceAllString(s, "?")
}

// Enter returns the time. There are no roles in a file: the statements name the
// tenant themselves.
func (dialect) Enter(ctx context.Context, tx *sql.Tx, s store.Scope) (int64, error) {
	if s.Role == store.RoleTenant && s.Tenant == "" {
		return 0, fmt.Errorf("no tenant is set: %w", fault.Forbidden)
	}
	return time.Now().UnixMicro(), nil // the clock of the one machine that has the file
}

// Classify turns SQLite's result codes into kinds.
func (dialect) Classify(err error) error { return classify(err) }

func classify(err error) error {
	var e *sqlite.Error
	if err == nil || fault.KindOf(err) != "" || !errors.As(err, &e) {
		return err
	}
	kind := fault.Kind("")
	switch e.Code() & 0xff {
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED, lib.SQLITE_FULL, lib.SQLITE_IOERR, lib.SQLITE_NOMEM, lib.SQLITE_INTERRUPT:
		kind = fault.Unavailable
	case lib.SQLITE_READONLY, lib.SQLITE_PERM, lib.SQLITE_AUTH, lib.SQLITE_CANTOPEN:
		kind = fault.Forbidden
	case lib.SQLITE_CONSTRAINT:
		kind = fault.Conflict
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		kind = fault.Invalid
	default:
		return err
	}
	return fmt.Errorf("%w: %w", err, kind)
}
