package gobinary

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"math"

	"github.com/stella-ops/stella/internal/fault"
)

// maxSegments bounds the program headers of an ELF file. Linux runs no file
// with more than 64 KiB of them.
const maxSegments = 1170

// parseELF reads the program headers. The section headers, which name the
// section ".go.buildinfo", are at the end of the file and are not waited for:
// the section is always part of a writable data segment.
func parseELF(head []byte) (*image, error) {
	h := elfHeader{order: binary.LittleEndian, size: 4}
	if head[elf.EI_CLASS] == byte(elf.ELFCLASS64) {
		h.size = 8
	} else if head[elf.EI_CLASS] != byte(elf.ELFCLASS32) {
		return nil, errNotGo
	}
	if head[elf.EI_DATA] == byte(elf.ELFDATA2MSB) {
		h.order = binary.BigEndian
	} else if head[elf.EI_DATA] != byte(elf.ELFDATA2LSB) {
		return nil, errNotGo
	}
	if t := elf.Type(h.order.Uint16(head[16:])); t != elf.ET_EXEC && t != elf.ET_DYN {
		return nil, errNotGo
	}
	table, entry, count := h.table(head)
	if count == 0 || entry < h.entryBytes() {
		return nil, errNotGo
	}
	if count > maxSegments {
		return nil, &fault.LimitError{What: "program headers", Where: "ELF header", Max: maxSegments, Seen: int64(count)}
	}
	headers := within(head, table, count*entry)
	if headers == nil {
		// Tools that change a library, such as patchelf, move them to its end.
		// Addresses and offsets are equal modulo the size of a page.
		return &image{blind: true, segments: []segment{{size: math.MaxInt64, role: data}}}, nil
	}
	m := &image{packed: bytes.Contains(head[:min(1024, len(head))], []byte("UPX!"))}
	for ; len(headers) >= int(entry); headers = headers[entry:] {
		h.segment(m, head, headers)
	}
	return m, nil
}

// elfHeader knows how the fields of one ELF file are laid out.
type elfHeader struct {
	order binary.ByteOrder
	size  int // of an address in bytes
}

func (h elfHeader) entryBytes() uint64 {
	if h.size == 4 {
		return 32
	}
	return 56
}

// table returns e_phoff, e_phentsize and e_phnum.
func (h elfHeader) table(head []byte) (off, entry, count uint64) {
	if h.size == 4 {
		return uint64(h.order.Uint32(head[28:])), uint64(h.order.Uint16(head[42:])), uint64(h.order.Uint16(head[44:]))
	}
	return h.order.Uint64(head[32:]), uint64(h.order.Uint16(head[54:])), uint64(h.order.Uint16(head[56:]))
}

// segment adds what one program header p says to m.
func (h elfHeader) segment(m *image, head, p []byte) {
	var g segment
	kind, flags := elf.ProgType(h.order.Uint32(p)), elf.ProgFlag(0)
	if h.size == 4 {
		flags = elf.ProgFlag(h.order.Uint32(p[24:]))
		g = segment{addr: uint64(h.order.Uint32(p[8:])), off: uint64(h.order.Uint32(p[4:])), size: uint64(h.order.Uint32(p[16:]))}
	} else {
		flags = elf.ProgFlag(h.order.Uint32(p[4:]))
		g = segment{addr: h.order.Uint64(p[16:]), off: h.order.Uint64(p[8:]), size: h.order.Uint64(p[32:])}
	}
	switch {
	case kind == elf.PT_NOTE:
		m.sign = m.sign || h.goNote(within(head, g.off, g.size))
		return
	case kind != elf.PT_LOAD:
		return
	case flags&(elf.PF_W|elf.PF_X) == elf.PF_W:
		g.role = data
	case flags&(elf.PF_W|elf.PF_X) == 0:
		g.role = texts
	}
	m.segments = append(m.segments, g)
}

// goNote reports whether notes has the build ID note of the Go linker: name
// "Go", type 4. A note is three words and two texts padded to four bytes.
func (h elfHeader) goNote(notes []byte) bool {
	for len(notes) >= 12 {
		name, desc := uint64(h.order.Uint32(notes)), uint64(h.order.Uint32(notes[4:]))
		if h.order.Uint32(notes[8:]) == 4 && name == 4 && string(within(notes, 12, 4)) == "Go\x00\x00" {
			return true
		}
		next := 12 + (name+3)&^3 + (desc+3)&^3
		if next > uint64(len(notes)) {
			return false
		}
		notes = notes[next:]
	}
	return false
}
