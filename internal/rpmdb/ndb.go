package rpmdb

import (
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"io"
	"iter"

	"github.com/stella-ops/stella/internal/fault"
)

// Sizes and marks of the ndb format; every number in it is little-endian.
//
//	file: header (32) | slots (16 each, to the end of the slot pages) | blobs
//	slot: "Slot" | package index | block offset | block count; zeros when free
//	blob: "BlbS" | package index | generation | length | header | padding |
//	      Adler-32 of all before | length | "BlbE"
const (
	ndbMagic      = "RpmP"
	ndbSlotMagic  = "Slot"
	ndbHeadMagic  = "BlbS"
	ndbTailMagic  = "BlbE"
	ndbHeaderSize = 32
	ndbPage       = 4096
	ndbBlock      = 16 // slots are one block each
	ndbHeadSize   = 16
	ndbTailSize   = 12
)

type ndb struct {
	r         io.ReaderAt
	size      int64
	slotPages int64
}

func openNDB(r io.ReaderAt, size int64) (*ndb, error) {
	var head [ndbHeaderSize]byte
	if err := readFull(r, head[:], 0); err != nil {
		return nil, fmt.Errorf("ndb header: %w", err)
	}
	if v := binary.LittleEndian.Uint32(head[4:]); v != 0 {
		return nil, fmt.Errorf("ndb version %d: %w", v, fault.Unsupported)
	}
	d := &ndb{r: r, size: size, slotPages: int64(binary.LittleEndian.Uint32(head[12:]))}
	if d.slotPages == 0 || d.slotPages > size/ndbPage {
		return nil, fmt.Errorf("ndb header counts %d slot pages in a file of %d bytes (cut short?): %w", d.slotPages, size, fault.Invalid)
	}
	var next [4]byte
	if end := d.slotPages * ndbPage; end+4 <= size {
		if err := readFull(r, next[:], end); err != nil {
			return nil, fmt.Errorf("ndb header: %w", err)
		}
		if string(next[:]) == ndbSlotMagic {
			return nil, fmt.Errorf("ndb header counts %d slot pages, but there are more: %w", d.slotPages, fault.Invalid)
		}
	}
	return d, nil
}

// ndbSlot is one used entry of the slot table.
type ndbSlot struct {
	pkg        uint32
	start, len int64 // bytes
}

func (d *ndb) blobs(limits *Limits) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var buf []byte
		var used int64 // bytes of all blobs: more than the file holds means that they overlap
		page := make([]byte, ndbPage)
		for n := range d.slotPages {
			if err := readFull(d.r, page, n*ndbPage); err != nil {
				yield(nil, fmt.Errorf("slot page %d: %w", n, err))
				return
			}
			for off := range int64(ndbPage / ndbBlock) {
				if n == 0 && off < ndbHeaderSize/ndbBlock {
					continue
				}
				slot, free, err := d.slot(page[off*ndbBlock:][:ndbBlock], n*ndbPage/ndbBlock+off)
				if free {
					continue
				}
				var blob []byte
				if err == nil {
					if used += slot.len; used > d.size {
						yield(nil, fmt.Errorf("package %d: blobs overlap: %w", slot.pkg, fault.Invalid))
						return
					}
					blob, err = d.blob(slot, &buf, limits)
				}
				if !yield(blob, err) {
					return
				}
			}
		}
	}
}

// slot decodes entry number i of the slot table and checks that its blob is in
// the file and behind the table.
func (d *ndb) slot(b []byte, i int64) (s ndbSlot, free bool, err error) {
	if string(b[:4]) != ndbSlotMagic {
		return s, false, fmt.Errorf("slot %d has no slot mark: %w", i, fault.Invalid)
	}
	pkg, off, count := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:])
	if pkg == 0 && off == 0 && count == 0 {
		return s, true, nil
	}
	s = ndbSlot{pkg: pkg, start: int64(off) * ndbBlock, len: int64(count) * ndbBlock}
	if pkg == 0 || s.start < d.slotPages*ndbPage || s.len < ndbHeadSize+ndbTailSize || s.start+s.len > d.size {
		return s, false, fmt.Errorf("slot %d: package %d at blocks %d+%d of a file of %d bytes (cut short?): %w", i, pkg, off, count, d.size, fault.Invalid)
	}
	return s, false, nil
}

// blob reads and verifies one blob and returns the header in it.
func (d *ndb) blob(s ndbSlot, buf *[]byte, limits *Limits) ([]byte, error) {
	where := fmt.Sprintf("package %d", s.pkg)
	if err := headerLimit(where, s.len-ndbHeadSize-ndbTailSize, limits.HeaderBytes+ndbBlock); err != nil {
		return nil, err
	}
	*buf = grow(*buf, s.len)
	b := *buf
	if err := readFull(d.r, b, s.start); err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	tail := b[len(b)-ndbTailSize:]
	length := int64(binary.LittleEndian.Uint32(b[12:]))
	blocks := (ndbHeadSize + length + ndbTailSize + ndbBlock - 1) / ndbBlock * ndbBlock
	switch {
	case string(b[:4]) != ndbHeadMagic || string(tail[8:]) != ndbTailMagic:
		return nil, fmt.Errorf("%s: blob marks are missing: %w", where, fault.Invalid)
	case binary.LittleEndian.Uint32(b[4:]) != s.pkg:
		return nil, fmt.Errorf("%s: blob is that of package %d: %w", where, binary.LittleEndian.Uint32(b[4:]), fault.Invalid)
	case int64(binary.LittleEndian.Uint32(tail[4:])) != length || blocks != s.len:
		return nil, fmt.Errorf("%s: blob of %d bytes in %d bytes of blocks: %w", where, length, s.len, fault.Invalid)
	}
	if sum := adler32.Checksum(b[:len(b)-ndbTailSize]); sum != binary.LittleEndian.Uint32(tail) {
		return nil, fmt.Errorf("%s: blob has checksum %08x, not %08x: %w", where, sum, binary.LittleEndian.Uint32(tail), fault.Invalid)
	}
	return b[ndbHeadSize : ndbHeadSize+length], nil
}
