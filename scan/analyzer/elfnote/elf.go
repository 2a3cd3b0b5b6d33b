package elfnote

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"slices"
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
	head := src.kept
	if len(head) < 64 || !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return nil, nil
	}
	h := &notes{order: binary.LittleEndian}
	if head[elf.EI_DATA] == byte(elf.ELFDATA2MSB) {
		h.order = binary.BigEndian
	}
	wide := head[elf.EI_CLASS] == byte(elf.ELFCLASS64)
	if kind := elf.Type(h.order.Uint16(head[16:])); kind != elf.ET_EXEC && kind != elf.ET_DYN {
		return nil, nil
	}
	table, fields, least := uint64(h.order.Uint32(head[28:])), head[42:], int64(32)
	if wide {
		table, fields, least = h.order.Uint64(head[32:]), head[54:], 56
	}
	entry, count := int64(h.order.Uint16(fields)), int64(h.order.Uint16(fields[2:]))
	n := entry * count
	if entry < least || n == 0 || count > maxSegments || n > maxTable || table > uint64(src.size) || n > src.size-int64(table) {
		return nil, nil // the loader would not take it either, or it has none
	}
	list, err := src.part(int64(table), n)
	if err != nil {
		return nil, err
	}
	for ; int64(len(list)) >= entry; list = list[entry:] {
		if elf.ProgType(h.order.Uint32(list)) == elf.PT_NOTE {
			h.add(list, wide, src.size)
		}
	}
	slices.SortStableFunc(h.ranges, func(a, b extent) int { return cmp.Compare(a.off, b.off) })
	return h, nil
}

// add takes the segment of a program header, as far as it lies in the file. Of many, and of
// large ones, the first count.
func (h *notes) add(p []byte, wide bool, size int64) {
	off, n, align := uint64(h.order.Uint32(p[4:])), uint64(h.order.Uint32(p[16:])), uint64(h.order.Uint32(p[28:]))
	if wide {
		off, n, align = h.order.Uint64(p[8:]), h.order.Uint64(p[32:]), h.order.Uint64(p[48:])
	}
	if n == 0 || off > uint64(size) || n > uint64(size)-off || len(h.ranges) == maxRanges {
		return
	}
	r := extent{int64(off), int64(min(n, maxNotes)), 4}
	if align == 8 {
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
