package elfnote

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"slices"

	"github.com/stella-ops/stella/scan/analyzer/internal/elffile"
)

// notes is where the notes of a file are.
type notes struct {
	order  binary.ByteOrder
	ranges []extent // by offset
}

type extent struct{ off, size, align int64 }

// headers reads the header and the program headers (System V gABI, "ELF Header", "Program
// Header"). It returns nil for what has no notes that can be read.
func headers(src *source) (*notes, error) {
	header, ok := elffile.Read(src.kept)
	if !ok {
		return nil, nil
	}
	t := header.Segments
	if n := t.Size(); t.Entry < header.SegmentBytes() || n == 0 || t.Count > maxSegments || n > maxTable || t.Off > uint64(src.size) || n > uint64(src.size)-t.Off {
		return nil, nil // the loader would not take it either, or it has none
	}
	list, err := src.part(int64(t.Off), int64(t.Size()))
	if err != nil {
		return nil, err
	}
	h := &notes{order: header.Order}
	for ; uint64(len(list)) >= t.Entry; list = list[t.Entry:] {
		if g := header.Segment(list); g.Kind == elf.PT_NOTE {
			h.add(g, src.size)
		}
	}
	slices.SortStableFunc(h.ranges, func(a, b extent) int { return cmp.Compare(a.off, b.off) })
	return h, nil
}

// add takes the segment of a program header, as far as it lies in the file. Of many, and of
// large ones, the first count.
func (h *notes) add(g elffile.Segment, size int64) {
	if g.Size == 0 || g.Off > uint64(size) || g.Size > uint64(size)-g.Off || len(h.ranges) == maxRanges {
		return
	}
	r := extent{int64(g.Off), int64(min(g.Size, maxNotes)), 4}
	if g.Align == 8 {
		r.align = 8
	}
	h.ranges = append(h.ranges, r)
}

// find returns the content of the first package note, or nil.
//
//	note: size of the owner (4) | size of the content (4) | type (4) | owner | content
//
// Owner and content are padded.
func find(data []byte, order binary.ByteOrder, align int64) []byte {
	const (
		head  = 12
		kind  = 0xcafe1a7e
		owner = "FDO\x00"
	)
	pad := func(n int64) int64 { return (n + align - 1) &^ (align - 1) }
	for len(data) >= head {
		owned, size := int64(order.Uint32(data)), int64(order.Uint32(data[4:]))
		from := pad(head + owned)
		if end := int64(len(data)); from > end || size > end-from {
			return nil
		}
		if order.Uint32(data[8:]) == kind && string(data[head:head+owned]) == owner {
			return data[from : from+size]
		}
		data = data[min(int64(len(data)), pad(from+size)):]
	}
	return nil
}
