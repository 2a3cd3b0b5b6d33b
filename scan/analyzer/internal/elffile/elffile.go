// Package elffile reads the headers of ELF files (System V gABI, "ELF Header", "Program
// Header", "Sections") from their first bytes, for analyzers that look at parts of a program
// as it streams by. It trusts nothing: places and sizes are as the file says them.
package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// HeaderBytes is how many bytes a file must have to be looked at.
const HeaderBytes = 64

// Header is the header of a program or shared library.
type Header struct {
	Order    binary.ByteOrder
	Wide     bool     // 64 bits
	Kind     elf.Type // ET_EXEC or ET_DYN
	Segments Table    // of program headers
	Sections Table    // of section headers
	Names    uint64   // index of the section with the names of sections
}

// Table is where headers of one kind are.
type Table struct{ Off, Entry, Count uint64 }

// Size returns how many bytes a table has.
func (t Table) Size() uint64 { return t.Entry * t.Count }

// Read reads the header of a file that begins with head. It reports false for what is neither
// a program nor a shared library.
func Read(head []byte) (h Header, ok bool) {
	if len(head) < HeaderBytes || !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return h, false
	}
	h.Order = binary.LittleEndian
	if head[elf.EI_DATA] == byte(elf.ELFDATA2MSB) {
		h.Order = binary.BigEndian
	}
	h.Wide = head[elf.EI_CLASS] == byte(elf.ELFCLASS64)
	if h.Kind = elf.Type(h.Order.Uint16(head[16:])); h.Kind != elf.ET_EXEC && h.Kind != elf.ET_DYN {
		return h, false
	}
	h.Segments.Off, h.Sections.Off = uint64(h.Order.Uint32(head[28:])), uint64(h.Order.Uint32(head[32:]))
	fields := head[42:]
	if h.Wide {
		h.Segments.Off, h.Sections.Off, fields = h.Order.Uint64(head[32:]), h.Order.Uint64(head[40:]), head[54:]
	}
	field := func(n int) uint64 { return uint64(h.Order.Uint16(fields[2*n:])) }
	h.Segments.Entry, h.Segments.Count, h.Sections.Entry, h.Sections.Count, h.Names = field(0), field(1), field(2), field(3), field(4)
	return h, true
}

// SegmentBytes is the least size of a program header.
func (h *Header) SegmentBytes() uint64 {
	if h.Wide {
		return 56
	}
	return 32
}

// Segment is a program header.
type Segment struct {
	Kind                   elf.ProgType
	Off, Addr, Size, Align uint64 // in the file, in memory; bytes in the file
}

// Segment reads one program header, of at least SegmentBytes.
func (h *Header) Segment(p []byte) Segment {
	kind := elf.ProgType(h.Order.Uint32(p))
	if h.Wide {
		return Segment{kind, h.Order.Uint64(p[8:]), h.Order.Uint64(p[16:]), h.Order.Uint64(p[32:]), h.Order.Uint64(p[48:])}
	}
	word := func(n int) uint64 { return uint64(h.Order.Uint32(p[4*n:])) }
	return Segment{kind, word(1), word(2), word(4), word(7)}
}

// SectionBytes is the size of a section header.
func (h *Header) SectionBytes() uint64 {
	if h.Wide {
		return 64
	}
	return 40
}

// Section is a section header: Name is a place among the names of sections.
type Section struct {
	Name, Off, Size uint64
	Kind            elf.SectionType
}

// Section reads one section header, of SectionBytes.
func (h *Header) Section(p []byte) Section {
	name, kind := uint64(h.Order.Uint32(p)), elf.SectionType(h.Order.Uint32(p[4:]))
	if h.Wide {
		return Section{name, h.Order.Uint64(p[24:]), h.Order.Uint64(p[32:]), kind}
	}
	return Section{name, uint64(h.Order.Uint32(p[16:])), uint64(h.Order.Uint32(p[20:])), kind}
}
