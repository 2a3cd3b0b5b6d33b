// Package rpmdb reads the databases in which rpm keeps the headers of installed
// packages: SQLite (rpmdb.sqlite), ndb (Packages.db) and Berkeley DB hash
// (Packages). It reads only, straight from an [io.ReaderAt], one header at a
// time, and trusts no length that it finds.
//
// Sources: https://www.sqlite.org/fileformat2.html; the rpm manual's "RPM
// package format" and rpm's own readers for ndb (lib/backend/ndb) and Berkeley
// DB (lib/backend/bdb_ro) as descriptions of those formats.
package rpmdb

import (
	"bytes"
	"fmt"
	"io"
	"iter"

	"github.com/stella-ops/stella/internal/fault"
)

// Format names the container that the headers are kept in.
type Format string

// The formats, by the names rpm gives its backends.
const (
	SQLite     Format = "sqlite" // rpmdb.sqlite
	NDB        Format = "ndb"    // Packages.db
	BerkeleyDB Format = "bdb"    // Packages
)

// MaxHeaderBytes is rpm's own bound on one header (lib/header.c).
const MaxHeaderBytes = 256 << 20

// Limits bound what one database may make a reader do. A zero field means its
// default.
type Limits struct {
	HeaderBytes int64 // size of one header. Default 64 MiB, never more than MaxHeaderBytes.
	Headers     int64 // headers of one database. Default 1,048,576.
	Items       int64 // elements of one list of a header: files, requirements. Default 1,048,576.
	TextBytes   int64 // size of one single text of a header. Default 64 KiB.
	PathBytes   int64 // size of all file paths of one header, joined. Default 64 MiB.
}

func (l *Limits) resolve() Limits {
	var r Limits
	if l != nil {
		r = *l
	}
	set := func(p *int64, d int64) {
		if *p <= 0 {
			*p = d
		}
	}
	set(&r.HeaderBytes, 64<<20)
	r.HeaderBytes = min(r.HeaderBytes, MaxHeaderBytes)
	set(&r.Headers, 1<<20)
	set(&r.Items, 1<<20)
	set(&r.TextBytes, 64<<10)
	set(&r.PathBytes, 64<<20)
	return r
}

// DB is an opened database. It is not safe for concurrent use.
type DB struct {
	format Format
	limits Limits
	store  store
}

// store yields the header blobs of one format. A blob is valid until the next
// step. After an error the walk goes on where the structure allows it. Nothing
// larger than the limit on headers is allocated.
type store interface {
	blobs(limits *Limits) iter.Seq2[[]byte, error]
}

// headBytes is how much of a file tells its format.
const headBytes = 32

// Open recognises the format of the database in r, which has size bytes, by its
// content, and checks what the format says of the file as a whole. Errors are
// of kind "invalid input" where no database is, "unsupported" where a known one
// uses what this package does not read, or come from r. nil limits mean the
// defaults.
func Open(r io.ReaderAt, size int64, limits *Limits) (*DB, error) {
	if size <= 0 {
		return nil, fmt.Errorf("open rpm database: the file is empty: %w", fault.Invalid)
	}
	head := make([]byte, min(size, headBytes))
	if err := readFull(r, head, 0); err != nil {
		return nil, fmt.Errorf("open rpm database: %w", err)
	}
	db := &DB{limits: limits.resolve()}
	var err error
	switch {
	case bytes.HasPrefix(head, []byte(sqliteMagic)):
		db.format = SQLite
		db.store, err = openSQLite(r, size)
	case bytes.HasPrefix(head, []byte(ndbMagic)):
		db.format = NDB
		db.store, err = openNDB(r, size)
	case isBerkeleyHash(head):
		db.format = BerkeleyDB
		db.store, err = openBerkeley(r, size)
	default:
		err = fmt.Errorf("neither SQLite nor ndb nor a Berkeley DB hash (begins with % x): %w", head[:min(len(head), 16)], fault.Invalid)
	}
	if err != nil {
		return nil, fmt.Errorf("open rpm database: %w", err)
	}
	return db, nil
}

// Format returns the format that Open recognised.
func (db *DB) Format() Format { return db.format }

// Headers yields the raw header of every installed package, in the order of
// the database, for [Decode]. A header is valid until the next step. An error says
// which part of the file could not be read; the walk then goes on with what can
// still be reached, so that a broken record costs itself alone. A database
// whose headers were all yielded without an error was read whole, as far as the
// format lets a reader know.
func (db *DB) Headers() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var n int64
		for blob, err := range db.store.blobs(&db.limits) {
			if err == nil {
				err = headerLimit("a record", int64(len(blob)), db.limits.HeaderBytes)
			}
			if err != nil {
				blob, err = nil, fmt.Errorf("read rpm database (%s): %w", db.format, err)
			} else if n++; n > db.limits.Headers {
				yield(nil, &fault.LimitError{What: "headers", Where: "rpm database", Max: db.limits.Headers})
				return
			}
			if !yield(blob, err) {
				return
			}
		}
	}
}

// headerLimit refuses a header of n bytes where that is over the limit.
func headerLimit(where string, n, limit int64) error {
	if n > limit {
		return &fault.LimitError{What: "bytes of one header", Where: where, Max: limit, Seen: n}
	}
	return nil
}

// readFull fills b from offset off. A file that ends before is invalid input.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == io.EOF || err == nil {
		return fmt.Errorf("read %d bytes at offset %d: the file ends after %d of them: %w", len(b), off, n, fault.Invalid)
	}
	return fmt.Errorf("read %d bytes at offset %d: %w", len(b), off, err)
}
