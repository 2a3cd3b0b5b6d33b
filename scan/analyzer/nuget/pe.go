package nuget

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/stella-ops/stella/internal/fault"
)

// The limits on one PE file. They bound what is read of it: headers and a few tables, never
// the code.
const (
	maxSections = 96 // as Windows has it
	maxStreams  = 32
	maxName     = 1 << 10 // bytes of an assembly's name; the specification allows 1,023
	maxEntries  = 4096    // of a folder of resources
	maxVersion  = 64 << 10
)

// errNotCLI means that a file is no PE file, or one without CLI metadata. It is no failure.
var errNotCLI = errors.New("not a .NET assembly")

// The places of the data directories that matter (PE Format, "Optional Header Data
// Directories").
const (
	directoryResources = 2
	directoryCLI       = 14
)

// span is a part of the memory image, by its relative virtual address.
type span struct{ addr, size uint32 }

// section is where a part of the memory image is in the file.
type section struct {
	addr, size uint32 // in memory
	off, raw   uint32 // in the file
}

// image is a PE file of which the headers were read (Microsoft, "PE Format"). Everything else
// is read where it is asked for.
type image struct {
	r         io.ReaderAt
	size      uint64
	machine   uint16
	sections  []section
	cli, tree span // CLI header and resources
}

// readImage reads the headers of a PE file with CLI metadata.
func readImage(r io.ReaderAt, size int64) (*image, error) {
	m := &image{r: r, size: uint64(max(size, 0))}
	le := binary.LittleEndian
	dos, err := m.read(0, 64, "DOS header")
	if err != nil || dos[0] != 'M' || dos[1] != 'Z' {
		return nil, unlessLost(err)
	}
	start := uint64(le.Uint32(dos[0x3c:]))
	file, err := m.read(start, 24, "PE header")
	if err != nil || string(file[:4]) != "PE\x00\x00" {
		return nil, unlessLost(err) // a DOS program
	}
	m.machine = le.Uint16(file[4:])
	count, size16 := uint64(le.Uint16(file[6:])), uint64(le.Uint16(file[20:]))
	optional, err := m.read(start+24, size16, "optional header")
	if err != nil {
		return nil, err
	}
	if err := m.directories(optional); err != nil {
		return nil, err
	}
	if count > maxSections {
		return nil, &fault.LimitError{What: "sections of a PE file", Where: fmt.Sprintf("byte %d", start+6), Max: maxSections, Seen: int64(count)}
	}
	table, err := m.read(start+24+size16, count*40, "section table")
	if err != nil {
		return nil, err
	}
	for ; len(table) >= 40; table = table[40:] {
		m.sections = append(m.sections, section{addr: le.Uint32(table[12:]), size: le.Uint32(table[8:]), off: le.Uint32(table[20:]), raw: le.Uint32(table[16:])})
	}
	return m, nil
}

// unlessLost tells a file of another kind from one whose content could not be read.
func unlessLost(err error) error {
	if err == nil || errors.Is(err, fault.Invalid) {
		return errNotCLI
	}
	return err
}

// directories finds the CLI header and the resources.
func (m *image) directories(optional []byte) error {
	le := binary.LittleEndian
	at := 0
	switch {
	case len(optional) >= 96 && le.Uint16(optional) == 0x10b:
		at = 96
	case len(optional) >= 112 && le.Uint16(optional) == 0x20b:
		at = 112
	default:
		return errNotCLI
	}
	directory := func(i int) (s span) {
		if p := at + 8*i; uint32(i) < le.Uint32(optional[at-4:]) && p+8 <= len(optional) {
			s = span{le.Uint32(optional[p:]), le.Uint32(optional[p+4:])}
		}
		return s
	}
	m.cli, m.tree = directory(directoryCLI), directory(directoryResources)
	if m.cli.addr == 0 {
		return errNotCLI // native code
	}
	return nil
}

// read returns n bytes at an offset of the file. Callers bound n.
func (m *image) read(off, n uint64, what string) ([]byte, error) {
	if off > m.size || n > m.size-off {
		return nil, fmt.Errorf("%s at byte %d: the file ends before it: %w", what, off, fault.Invalid)
	}
	p := make([]byte, n)
	if got, err := m.r.ReadAt(p, int64(off)); uint64(got) < n {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("%s at byte %d: %w", what, off, err)
	}
	return p, nil
}

// locate translates an address to an offset of the file.
func (m *image) locate(addr uint32, what string) (uint64, error) {
	for _, s := range m.sections {
		if s.addr <= addr && addr-s.addr < max(s.size, s.raw) {
			if addr-s.addr >= s.raw {
				break // memory that is zero and not in the file
			}
			return uint64(s.off) + uint64(addr-s.addr), nil
		}
	}
	return 0, fmt.Errorf("%s: no section has the address %#x: %w", what, addr, fault.Invalid)
}

// readAddr returns n bytes at an address.
func (m *image) readAddr(addr uint32, n uint64, what string) ([]byte, error) {
	off, err := m.locate(addr, what)
	if err != nil {
		return nil, err
	}
	return m.read(off, n, what)
}
