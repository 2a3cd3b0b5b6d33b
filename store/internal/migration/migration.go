// Package migration brings a schema up to date: files named 0001_name.sql, each
// applied once, in order, in a transaction, and held by its checksum.
package migration

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// Migration is one step.
type Migration struct {
	Version  int
	Name     string
	Checksum string // SHA-256 of the text
	Text     string
}

// Load reads the migrations of a folder.
func Load(fsys fs.FS, dir string) ([]Migration, error) {
	names, err := fs.Glob(fsys, path.Join(dir, "*.sql"))
	if err != nil {
		return nil, err
	}
	var out []Migration
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		number, _, ok := strings.Cut(path.Base(name), "_")
		version, err := strconv.Atoi(number)
		if !ok || err != nil {
			return nil, fmt.Errorf("migration %s: want NNNN_name.sql: %w", name, fault.Invalid)
		}
		sum := sha256.Sum256(text)
		out = append(out, Migration{version, path.Base(name), hex.EncodeToString(sum[:]), string(text)})
	}
	slices.SortFunc(out, func(a, b Migration) int { return cmp.Compare(a.Version, b.Version) })
	for i, m := range out {
		if m.Version != i+1 {
			return nil, fmt.Errorf("migration %s: want version %d: %w", m.Name, i+1, fault.Invalid)
		}
	}
	return out, nil
}

// Table holds what was applied.
type Table struct {
	Create string // statement that makes the table where it is missing
	Name   string // of the table: columns version, name, checksum
}

// Check compares what a database has with what this program brings, and returns
// the steps that are missing. A schema that is newer, or whose steps differ, is
// an error.
func Check(ctx context.Context, q interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, t Table, all []Migration) ([]Migration, error) {
	rows, err := q.QueryContext(ctx, "SELECT version, name, checksum FROM "+t.Name+" ORDER BY version")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	n := 0
	var wrong []error
	for rows.Next() {
		var m Migration
		if err := rows.Scan(&m.Version, &m.Name, &m.Checksum); err != nil {
			return nil, err
		}
		switch {
		case m.Version > len(all):
			return nil, fmt.Errorf("the schema is at step %d (%s), newer than this program, which knows %d: use a newer program: %w", m.Version, m.Name, len(all), fault.Unsupported)
		case m.Version != n+1:
			wrong = append(wrong, fmt.Errorf("step %d of the schema is missing before step %d: %w", n+1, m.Version, fault.Invalid))
		case m.Checksum != all[n].Checksum:
			wrong = append(wrong, fmt.Errorf("step %d of the schema, %s, was applied with the checksum %.12s; this program has %.12s: %w", m.Version, m.Name, m.Checksum, all[n].Checksum, fault.Mismatch))
		}
		n = m.Version
	}
	if err := errors.Join(append(wrong, rows.Err())...); err != nil {
		return nil, err
	}
	return all[n:], nil
}

// Apply brings a database up to date. The caller holds a lock against other
// programs that do the same.
func Apply(ctx context.Context, conn *sql.Conn, t Table, all []Migration) error {
	if _, err := conn.ExecContext(ctx, t.Create); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	missing, err := Check(ctx, conn, t, all)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	for _, m := range missing {
		tx, err := conn.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("migrate: %s: %w", m.Name, err)
		}
		_, err = tx.ExecContext(ctx, m.Text)
		if err == nil {
			_, err = tx.ExecContext(ctx, "INSERT INTO "+t.Name+" (version, name, checksum) VALUES ($1, $2, $3)", m.Version, m.Name, m.Checksum)
		}
		if err == nil {
			err = tx.Commit()
		}
		if err != nil {
			tx.Rollback()
			return fmt.Errorf("migrate: %s: %w", m.Name, err)
		}
	}
	return nil
}
