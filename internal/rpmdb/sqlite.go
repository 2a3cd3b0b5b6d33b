package rpmdb

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

const (
	sqliteMagic  = "SQLite format 3\x00"
	sqliteHeader = 100 // bytes of the database header, at the start of page 1
	sqliteUTF8   = 1

	// schemaBytes bounds one row of the schema table, a CREATE statement.
	schemaBytes = 1 << 20
)

// sqlite reads the table Packages of a SQLite database: rows of a number and a
// blob. What is in a write-ahead log beside the file is not seen.
type sqlite struct {
	tree tree
	root uint32 // of the table Packages
}

func openSQLite(r io.ReaderAt, size int64) (*sqlite, error) {
	var h [sqliteHeader]byte
	if err := readFull(r, h[:], 0); err != nil {
		return nil, fmt.Errorf("sqlite header: %w", err)
	}
	page := int64(binary.BigEndian.Uint16(h[16:]))
	if page == 1 {
		page = 64 << 10
	}
	usable := page - int64(h[20])
	if page < 512 || page&(page-1) != 0 || usable < 480 {
		return nil, fmt.Errorf("sqlite header: page size %d with %d bytes reserved: %w", page, h[20], fault.Invalid)
	}
	if h[19] == 0 || h[19] > 2 {
		return nil, fmt.Errorf("sqlite read version %d: %w", h[19], fault.Unsupported)
	}
	if enc := binary.BigEndian.Uint32(h[56:]); enc != sqliteUTF8 {
		return nil, fmt.Errorf("sqlite text encoding %d, not UTF-8: %w", enc, fault.Unsupported)
	}
	if size < page {
		return nil, fmt.Errorf("sqlite file of %d bytes is shorter than its page size of %d (cut short?): %w", size, page, fault.Invalid)
	}
	s := &sqlite{tree: tree{pages: newPager(r, size, page, 1), usable: int(usable), size: size}}
	return s, s.findTable()
}

// findTable reads the schema table, whose root is page 1, for the root page of
// Packages.
func (s *sqlite) findTable() error {
	var tables []string
	var failed error
	for row, err := range s.tree.rows(1, schemaBytes) {
		if err != nil {
			failed = cmp.Or(failed, err)
			continue
		}
		var cols [4]column
		if err := record(row, cols[:]); err != nil {
			return fmt.Errorf("sqlite schema: %w", err)
		}
		if string(cols[0].data) != "table" {
			continue
		}
		if root := cols[3].integer(); strings.EqualFold(string(cols[1].data), "Packages") {
			if root <= 1 || root > s.tree.pages.count {
				return fmt.Errorf("sqlite schema: table Packages begins at page %d of %d (cut short?): %w", root, s.tree.pages.count, fault.Invalid)
			}
			s.root = uint32(root)
			return nil
		}
		if len(tables) < 8 {
			tables = append(tables, fmt.Sprintf("%.40q", cols[1].data))
		}
	}
	if failed != nil {
		return fmt.Errorf("sqlite schema: %w", failed)
	}
	return fmt.Errorf("sqlite database without a table Packages (has %s): %w", strings.Join(tables, ", "), fault.Invalid)
}

func (s *sqlite) blobs(limits *Limits) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		s.tree.pages.reset()
		// A record is the header and a few bytes of its own.
		for row, err := range s.tree.rows(s.root, limits.HeaderBytes+16) {
			var blob []byte
			if err == nil {
				var cols [2]column
				err = record(row, cols[:])
				if blob = cols[1].data; err == nil && !cols[1].blob() {
					err = fmt.Errorf("a row holds no blob: %w", fault.Invalid)
				}
			}
			if !yield(blob, err) {
				return
			}
		}
	}
}

// column is one value of a record, with its serial type.
type column struct {
	serial uint64
	data   []byte
}

func (c column) blob() bool { return c.serial >= 12 && c.serial%2 == 0 }

// integer returns the value of an integer column, else -1.
func (c column) integer() int64 {
	switch {
	case c.serial == 8 || c.serial == 9: // the constants 0 and 1
		return int64(c.serial - 8)
	case c.serial < 1 || c.serial > 6:
		return -1
	}
	n := int64(int8(c.data[0]))
	for _, b := range c.data[1:] {
		n = n<<8 | int64(b)
	}
	return n
}

// record decodes the first columns of a record (fileformat2, section 2.1).
func record(b []byte, cols []column) error {
	head, n := varint(b)
	if n == 0 || head < uint64(n) || head > uint64(len(b)) {
		return fmt.Errorf("record header of %d bytes in a record of %d: %w", head, len(b), fault.Invalid)
	}
	types, body := b[n:head], b[head:]
	for i := range cols {
		serial, n := varint(types)
		if n == 0 {
			return fmt.Errorf("record has %d columns, not %d: %w", i, len(cols), fault.Invalid)
		}
		types = types[n:]
		size := serialSize(serial)
		if size > uint64(len(body)) {
			return fmt.Errorf("column %d of %d bytes in the %d that are left of a record: %w", i, size, len(body), fault.Invalid)
		}
		cols[i], body = column{serial, body[:size]}, body[size:]
	}
	return nil
}

// serialSize returns how many bytes a value of that serial type takes.
func serialSize(serial uint64) uint64 {
	switch {
	case serial >= 12:
		return (serial - 12) / 2
	case serial <= 4:
		return serial
	case serial == 5:
		return 6
	case serial <= 7:
		return 8
	}
	return 0
}

// varint decodes a SQLite variable-length integer: seven bits per byte, most
// significant first, all eight of a ninth byte. It returns its size, 0 where b
// ends within it.
func varint(b []byte) (v uint64, n int) {
	for i := range min(len(b), 9) {
		if i == 8 {
			return v<<8 | uint64(b[i]), 9
		}
		v = v<<7 | uint64(b[i]&0x7f)
		if b[i] < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}
