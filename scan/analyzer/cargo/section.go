package cargo

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer/internal/elffile"
)

// sectionName is the section that cargo-auditable makes in all formats of executables.
const sectionName = ".dep-v0"

// Limits of one executable. Linkers stay far below.
const (
	maxNames    = 1 << 20 // bytes of the names of an ELF file's sections
	maxCommands = 1 << 20 // bytes of the load commands of a Mach-O file
	maxArchs    = 32      // of a universal file
)

// findSection returns the bytes of the section, or nil where there is none. It reads the
// headers, a few KiB, and nothing else. What is cut off before its headers end, or is no
// executable, has none.
func findSection(at io.ReaderAt, size int64) (io.Reader, error) {
	b := &binaryFile{at: at, size: size}
	head := b.bytes(0, 64)
	if head == nil {
		return nil, b.err
	}
	var off, n uint64
	switch {
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		off, n = b.elf(head)
	case bytes.HasPrefix(head, []byte("MZ")):
		off, n = b.pe(head)
	case bytes.HasPrefix(head, []byte("\xca\xfe\xba")):
		off, n = b.universal(head)
	default:
		off, n = b.machO(0, head)
	}
	switch {
	case b.err != nil:
		return nil, b.err
	case n == 0:
		return nil, nil
	case off > uint64(size) || n > uint64(size)-off:
		return nil, fmt.Errorf("section %s ends behind the file: %w", sectionName, fault.Invalid)
	}
	return io.NewSectionReader(at, int64(off), int64(n)), nil
}

// binaryFile gives parts of an executable.
type binaryFile struct {
	at   io.ReaderAt
	size int64
	err  error // why the file could not be read, or the limit that was reached
}

// bytes returns n bytes at off, or nil where the file does not have them.
func (b *binaryFile) bytes(off, n uint64) []byte {
	if b.err != nil || n == 0 || off > uint64(b.size) || n > uint64(b.size)-off {
		return nil
	}
	p := make([]byte, n)
	if _, err := b.at.ReadAt(p, int64(off)); err != nil && err != io.EOF {
		b.err = err
		return nil
	}
	return p
}

// bounded is bytes for parts whose size the file says.
func (b *binaryFile) bounded(off, n, limit uint64, what string) []byte {
	if n > limit {
		b.err = &fault.LimitError{What: what, Where: "headers", Max: int64(limit), Seen: int64(min(n, 1<<62))}
		return nil
	}
	return b.bytes(off, n)
}

// elfSections reads the header of a program or shared library; ok is false for one without
// sections, or with more than linkers make.
func elfSections(head []byte) (h elffile.Header, ok bool) {
	h, ok = elffile.Read(head)
	return h, ok && h.Sections.Entry == h.SectionBytes() && h.Names < h.Sections.Count
}

// elf finds the section of a program or shared library.
func (b *binaryFile) elf(head []byte) (off, n uint64) {
	h, ok := elfSections(head)
	if !ok {
		return 0, 0
	}
	t := h.Sections
	p := b.bytes(t.Off+h.Names*t.Entry, t.Entry) // the names decide: few executables have ours
	if p == nil {
		return 0, 0
	}
	names := h.Section(p)
	text := b.bounded(names.Off, names.Size, maxNames, "bytes of section names")
	if !bytes.Contains(text, []byte(sectionName+"\x00")) {
		return 0, 0
	}
	for list := b.bytes(t.Off, t.Size()); uint64(len(list)) >= t.Entry; list = list[t.Entry:] {
		x := h.Section(list)
		if x.Name < uint64(len(text)) && bytes.HasPrefix(text[x.Name:], []byte(sectionName+"\x00")) && x.Kind != elf.SHT_NOBITS {
			return x.Off, x.Size
		}
	}
	return 0, 0
}

// pe finds the section of a Windows executable.
func (b *binaryFile) pe(head []byte) (off, n uint64) {
	le := binary.LittleEndian
	start := uint64(le.Uint32(head[0x3c:]))
	file := b.bytes(start, 24)
	if file == nil || string(file[:4]) != "PE\x00\x00" {
		return 0, 0
	}
	table := start + 24 + uint64(le.Uint16(file[20:]))
	for list := b.bytes(table, 40*uint64(le.Uint16(file[6:]))); len(list) >= 40; list = list[40:] {
		if name8(list[:8]) == sectionName {
			return uint64(le.Uint32(list[20:])), uint64(le.Uint32(list[16:]))
		}
	}
	return 0, 0
}

// universal finds the section of the first architecture that has one: all are built from
// the same crates. Java class files begin alike; a class has no small number there.
func (b *binaryFile) universal(head []byte) (off, n uint64) {
	be := binary.BigEndian
	count, entry := be.Uint32(head[4:]), uint64(20)
	if head[3] == 0xbf {
		entry = 32
	}
	if count > maxArchs {
		return 0, 0
	}
	for list := b.bytes(8, uint64(count)*entry); uint64(len(list)) >= entry; list = list[entry:] {
		start := uint64(be.Uint32(list[8:]))
		if entry == 32 {
			start = be.Uint64(list[8:])
		}
		if inner := b.bytes(start, 64); inner != nil {
			if off, n = b.machO(start, inner); n > 0 {
				return off, n
			}
		}
	}
	return 0, 0
}

// machO finds the section of a Mach-O file that starts at base.
func (b *binaryFile) machO(base uint64, head []byte) (off, n uint64) {
	var order binary.ByteOrder = binary.LittleEndian
	magic := order.Uint32(head)
	if magic&^1 != macho.Magic32 {
		order, magic = binary.BigEndian, binary.BigEndian.Uint32(head)
	}
	header, segment, section := uint64(28), 56, 68
	switch magic {
	case macho.Magic64:
		header, segment, section = 32, 72, 80
	case macho.Magic32:
	default:
		return 0, 0
	}
	list := b.bounded(base+header, uint64(order.Uint32(head[20:])), maxCommands, "bytes of load commands")
	for len(list) >= 8 {
		size := order.Uint32(list[4:])
		if size < 8 || uint64(size) > uint64(len(list)) {
			return 0, 0
		}
		p := list[:size]
		list = list[size:]
		if c := macho.LoadCmd(order.Uint32(p)); c != macho.LoadCmdSegment && c != macho.LoadCmdSegment64 || len(p) < segment {
			continue
		}
		for p = p[segment:]; len(p) >= section; p = p[section:] {
			if name8(p[:16]) != sectionName {
				continue
			}
			if section == 80 {
				return base + uint64(order.Uint32(p[48:])), order.Uint64(p[40:])
			}
			return base + uint64(order.Uint32(p[40:])), uint64(order.Uint32(p[36:]))
		}
	}
	return 0, 0
}

// name8 returns a name that zeroes pad.
func name8(p []byte) string { return string(bytes.TrimRight(p, "\x00")) }
