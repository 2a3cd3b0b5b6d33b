package rpmdb

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"

	"github.com/stella-ops/stella/internal/fault"
)

const (
	treeInterior = 0x05 // page of a table tree whose cells are pages
	treeLeaf     = 0x0d // page of a table tree whose cells are rows
	treeDepth    = 20   // levels that SQLite itself accepts
	minCell      = 4    // bytes that a cell takes at least
)

// tree walks the table b-trees of a SQLite file (fileformat2, section 1.6).
type tree struct {
	pages  *pager
	usable int   // bytes of a page that are not reserved
	size   int64 // of the file
}

// treeWalk is the state of one walk over a table.
type treeWalk struct {
	*tree
	max   int64               // bytes of one row
	last  int64               // key of the row before
	row   []byte              // buffer of rows that continue on other pages
	nodes [treeDepth]treeNode // page at hand on each level
	yield func([]byte, error) bool
}

// rows yields the records of the table with that root page, in the order of
// their keys. A record is valid until the next step.
func (t *tree) rows(root uint32, max int64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		w := &treeWalk{tree: t, max: max, last: math.MinInt64, yield: yield}
		w.walk(root, 0)
	}
}

// walk yields the rows below page n. It returns false when the caller stops.
func (w *treeWalk) walk(n uint32, depth int) bool {
	if depth == treeDepth {
		return w.yield(nil, fmt.Errorf("page %d: table is deeper than %d levels: %w", n, treeDepth, fault.Invalid))
	}
	page, err := w.pages.take(n)
	if err != nil {
		return w.yield(nil, err)
	}
	node := &w.nodes[depth]
	node.page = append(node.page[:0], page...)
	lost, err := node.check(n, w.usable)
	if err != nil {
		return w.yield(nil, fmt.Errorf("page %d: %w", n, err))
	}
	for i := range node.count {
		if node.kind == treeInterior {
			if !w.walk(binary.BigEndian.Uint32(node.cell(i)), depth+1) {
				return false
			}
			continue
		}
		row, err := w.record(node.cell(i))
		if err != nil {
			err = fmt.Errorf("page %d: row %d: %w", n, i, err)
		}
		if !w.yield(row, err) {
			return false
		}
	}
	if node.kind == treeInterior && !w.walk(node.right, depth+1) {
		return false
	}
	if lost > 0 {
		return w.yield(nil, fmt.Errorf("page %d: %d bytes belong to no row (rows lost?): %w", n, lost, fault.Invalid))
	}
	return true
}

// record joins the record of a leaf cell from its pages.
func (w *treeWalk) record(cell []byte) ([]byte, error) {
	size, n := varint(cell)
	key, k := varint(cell[n:])
	if int64(key) <= w.last { // a page or cell in a wrong place
		return nil, fmt.Errorf("key %d follows key %d: %w", int64(key), w.last, fault.Invalid)
	}
	w.last = int64(key)
	local, overflow := localSize(size, w.usable)
	body := cell[n+k:]
	if !overflow {
		return body[:local], nil
	}
	if size > uint64(w.max) {
		return nil, headerLimit("row", int64(min(size, 1<<62)), w.max)
	}
	if int64(size) > w.size {
		return nil, fmt.Errorf("record of %d bytes in a file of %d (cut short?): %w", size, w.size, fault.Invalid)
	}
	w.row = append(grow(w.row, int64(size))[:0], body[:local]...)
	next := binary.BigEndian.Uint32(body[local:])
	for len(w.row) < int(size) {
		page, err := w.pages.take(next)
		if err != nil {
			return nil, err
		}
		next = binary.BigEndian.Uint32(page)
		w.row = append(w.row, page[4:min(w.usable, 4+int(size)-len(w.row))]...)
	}
	if next != 0 {
		return nil, fmt.Errorf("record of %d bytes continues on page %d: %w", size, next, fault.Invalid)
	}
	return w.row, nil
}

// localSize returns how many bytes of a record of that size are kept in the
// cell itself (fileformat2, section 1.6, "Cell payload overflow pages").
func localSize(size uint64, usable int) (n int, overflow bool) {
	most := usable - 35
	if size <= uint64(most) {
		return int(size), false
	}
	least := (usable-12)*32/255 - 23
	n = least + int((size-uint64(least))%uint64(usable-4))
	if n > most {
		n = least
	}
	return n, true
}

// treeNode is one page of a table tree.
type treeNode struct {
	page  []byte
	kind  byte
	count int    // cells
	array int    // offset of the cell pointers
	right uint32 // the last child of an interior page
}

// cell returns the page from the start of cell i on. check has seen to it that
// the whole cell is there.
func (t *treeNode) cell(i int) []byte {
	return t.page[binary.BigEndian.Uint16(t.page[t.array+2*i:]):]
}

// check decodes the head of page n and verifies that its cells lie within the
// page and do not overlap. lost is how many bytes of the cell area belong
// neither to a cell nor to the free space that the page counts, which is none in a sound page
// (SQLite's own integrity check verifies the same).
func (t *treeNode) check(n uint32, usable int) (lost int, err error) {
	head := 0
	if n == 1 {
		head = sqliteHeader
	}
	p := t.page
	t.kind, t.count, t.array = p[head], int(binary.BigEndian.Uint16(p[head+3:])), head+8
	switch t.kind {
	case treeInterior:
		t.right, t.array = binary.BigEndian.Uint32(p[head+8:]), head+12
	case treeLeaf:
	default:
		return 0, fmt.Errorf("type %#x is no page of a table: %w", t.kind, fault.Invalid)
	}
	start := int(binary.BigEndian.Uint16(p[head+5:]))
	if start == 0 {
		start = 64 << 10
	}
	if t.array+2*t.count > start || start > usable {
		return 0, fmt.Errorf("%d cells and a cell area from %d to %d: %w", t.count, start, usable, fault.Invalid)
	}
	free, err := freeBytes(p[:usable], int(binary.BigEndian.Uint16(p[head+1:])), start)
	if err != nil {
		return 0, err
	}
	used := free + int(p[head+7])
	for i := range t.count {
		off := int(binary.BigEndian.Uint16(p[t.array+2*i:]))
		size, ok := 0, false
		if off >= start && off < usable {
			size, ok = t.cellSize(p[off:usable], usable)
		}
		if !ok {
			return 0, fmt.Errorf("cell %d at offset %d is not within %d and %d: %w", i, off, start, usable, fault.Invalid)
		}
		used += max(size, minCell)
	}
	if used > usable-start {
		return 0, fmt.Errorf("cells overlap: %w", fault.Invalid)
	}
	return usable - start - used, nil
}

// cellSize returns the size of the cell at the start of b, and whether it is
// all there.
func (t *treeNode) cellSize(b []byte, usable int) (n int, ok bool) {
	if t.kind == treeInterior {
		if len(b) < 5 {
			return 0, false
		}
		_, k := varint(b[4:])
		return 4 + k, k > 0
	}
	size, n := varint(b)
	_, k := varint(b[n:])
	local, overflow := localSize(size, usable)
	total := n + k + local
	if overflow {
		total += 4
	}
	return total, n > 0 && k > 0 && total <= len(b)
}

// freeBytes adds up the chain of free blocks of a page, which is in order of
// their offsets.
func freeBytes(p []byte, off, start int) (int, error) {
	sum := 0
	for at := start; off != 0; {
		if off < at || off+4 > len(p) {
			return 0, fmt.Errorf("free block at offset %d is not within %d and %d: %w", off, at, len(p), fault.Invalid)
		}
		size := int(binary.BigEndian.Uint16(p[off+2:]))
		sum += size
		at = off + max(size, minCell)
		off = int(binary.BigEndian.Uint16(p[off:]))
	}
	return sum, nil
}
