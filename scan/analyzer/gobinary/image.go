package gobinary

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// image is what the headers of an executable say about where its build
// information may be.
type image struct {
	segments []segment // sorted by offset
	sign     bool      // a Go build ID was seen: the file was made by Go
	packed   bool      // compressed by an executable packer
	blind    bool      // the headers come too late: any place may be the data
	inner    uint64    // offset of the executable inside a universal file; 0 for a plain one
	tries    int       // places with the magic that could not be read
}

// role says what is done with the bytes of a segment as they stream by.
type role byte

const (
	passed role = iota // not looked at; known so that addresses in it can be told apart from nonsense
	texts              // read-only data: the strings that old build information points to
	data               // may hold the build information
)

// segment is a part of the file that is mapped into memory.
type segment struct {
	addr uint64 // in memory
	off  uint64 // in the file
	size uint64 // in the file
	role role
}

// locate translates an address in memory to an offset in the file, with the
// bytes left in the segment from there. Where segments overlap, the first one
// in the file wins.
func (m *image) locate(addr uint64) (off, left uint64, ok bool) {
	for _, g := range m.segments {
		if g.addr <= addr && addr-g.addr < g.size {
			return g.off + (addr - g.addr), g.size - (addr - g.addr), true
		}
	}
	return 0, 0, false
}

// parseImage reads the headers in head, which starts at the offset base of the
// file.
func parseImage(head []byte, base uint64) (*image, error) {
	var m *image
	var err error
	switch {
	case len(head) < 64:
		return nil, errNotGo
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		m, err = parseELF(head)
	case bytes.HasPrefix(head, []byte("MZ")):
		m, err = parsePE(head)
	case bytes.HasPrefix(head, []byte("\xca\xfe\xba\xbe")), bytes.HasPrefix(head, []byte("\xca\xfe\xba\xbf")):
		m, err = parseFat(head)
	default:
		m, err = parseMachO(head)
	}
	if err != nil {
		return nil, err
	}
	m.segments = slices.DeleteFunc(m.segments, func(g segment) bool {
		return g.size == 0 || g.off+g.size < g.off || g.addr+g.size < g.addr || g.off+base < g.off
	})
	for i := range m.segments {
		m.segments[i].off += base
	}
	slices.SortStableFunc(m.segments, func(a, b segment) int { return cmp.Compare(a.off, b.off) })
	return m, nil
}

// within returns n bytes of head at off, or nil.
func within(head []byte, off, n uint64) []byte {
	if off > uint64(len(head)) || n > uint64(len(head))-off {
		return nil
	}
	return head[off : off+n]
}

// buildIDSign begins the text of Go executables that are not ELF
// (cmd/internal/buildid).
const buildIDSign = "\xff Go build ID: \""

// hasSign reports whether the text that starts at off begins with a build ID.
func hasSign(head []byte, off uint64) bool {
	return string(within(head, off, uint64(len(buildIDSign)))) == buildIDSign
}

// word reads a pointer of the given size.
func word(order binary.ByteOrder, size int, p []byte) uint64 {
	if size == 4 {
		return uint64(order.Uint32(p))
	}
	return order.Uint64(p)
}
