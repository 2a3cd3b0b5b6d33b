package gobinary

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// Before Go 1.18 the header holds the addresses of two Go strings: their
// headers follow in the data segment, but the texts are read-only data, which
// has streamed by when the header is reached. So the texts that could be meant
// are remembered on the way: few texts look like a Go version, and the module
// list is framed by a fixed sequence of bytes.
const (
	listStart     = "\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6"
	versionStart  = "go1."
	versionBefore = 8  // bytes kept in front, for "devel go1.…" and the like
	versionAfter  = 48 // bytes kept from the start

	maxVersions = 512 // texts that look like a version; real binaries have fewer than 40
	maxLists    = 2   // module lists
	maxVersion  = versionAfter
)

// recall holds the texts of one executable that old build information may
// point to.
type recall struct {
	versions []memo
	lists    []memo
}

// memo is a piece of the file.
type memo struct {
	off  uint64
	text string
}

// at returns n bytes of a memo at an offset of the file.
func at(memos []memo, off, n uint64) (string, bool) {
	for _, m := range memos {
		if m.off <= off && off-m.off <= uint64(len(m.text)) && n <= uint64(len(m.text))-(off-m.off) {
			return m.text[off-m.off:][:n], true
		}
	}
	return "", false
}

// remember streams through the next size bytes. Texts at the very end of the
// file's window are not missed: consecutive windows overlap.
func (r *recall) remember(ctx context.Context, s *stream, size uint64) error {
	const overlap = versionBefore + versionAfter
	end := s.off + size
	for s.off < end {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := s.window(end - s.off)
		if err != nil {
			return err
		}
		whole := uint64(len(p)) == end-s.off
		r.noteVersions(p, s.off)
		if i := bytes.Index(p, []byte(listStart)); i >= 0 && len(r.lists) < maxLists {
			s.advance(i)
			if err := r.noteList(s, end); err != nil {
				return err
			}
			continue
		}
		if whole || len(p) <= overlap {
			s.advance(len(p))
			continue
		}
		s.advance(len(p) - overlap)
	}
	return nil
}

// noteVersions keeps what in p, at the offset off of the file, looks like a Go
// version.
func (r *recall) noteVersions(p []byte, off uint64) {
	for base := 0; len(r.versions) < maxVersions; {
		i := bytes.Index(p[base:], []byte(versionStart))
		if i < 0 {
			return
		}
		i += base
		from, to := max(0, i-versionBefore), min(len(p), i+versionAfter)
		if i+len(versionStart) < len(p) && p[i+len(versionStart)] >= '0' && p[i+len(versionStart)] <= '9' {
			r.versions = append(r.versions, memo{off + uint64(from), string(p[from:to])})
		}
		base = i + len(versionStart)
	}
}

// noteList keeps the module list at s up to its end mark, within the limit.
// Its real length is known only when the header is read.
func (r *recall) noteList(s *stream, end uint64) error {
	const listEnd = "\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2"
	off := s.off
	var text []byte
	for s.off < end && len(text) < maxText {
		p, err := s.window(min(end-s.off, maxText-uint64(len(text))))
		if err != nil {
			return err
		}
		old := max(0, len(text)-len(listEnd))
		text = append(text, p...)
		s.advance(len(p))
		if i := bytes.Index(text[old:], []byte(listEnd)); i >= 0 {
			r.lists = append(r.lists, memo{off, string(text[:old+i+len(listEnd)])})
			break
		}
	}
	r.noteVersions(text, off)
	return nil
}

// pointed reads the two texts that a header of the old format points to.
func (m *image) pointed(s *stream, header [headerSize]byte, old *recall) (buildInfo, error) {
	size := int(header[14])
	if size != 4 && size != 8 {
		return buildInfo{}, errDamaged
	}
	var order binary.ByteOrder = binary.LittleEndian
	if header[15]&flagBigEndian != 0 {
		order = binary.BigEndian
	}
	version, modules, lost, err := m.stringHeaders(s, order, size, header[16:])
	if err != nil {
		return buildInfo{}, err
	}
	info := buildInfo{lost: lost}
	var ok bool
	if info.version, ok = at(old.versions, version.off, version.size); !ok {
		return buildInfo{}, fmt.Errorf("the Go version, of Go 1.17 or older, %w", errPassed)
	}
	if modules.size > 0 {
		if info.modules, ok = at(old.lists, modules.off, modules.size); !ok {
			info.lost = fmt.Errorf("the module list, of Go 1.17 or older, %w", errPassed)
		}
	}
	return info, nil
}

// stringHeaders follows the two pointers to their Go string headers, in the
// order in which these are in the file, and returns where the texts are. The
// version is needed; lost says what is wrong with the other.
func (m *image) stringHeaders(s *stream, order binary.ByteOrder, size int, pointers []byte) (version, modules segment, lost, err error) {
	v, leftV, okV := m.locate(word(order, size, pointers))
	l, leftL, okL := m.locate(word(order, size, pointers[size:]))
	need := uint64(2 * size)
	if !okV || leftV < need {
		return version, modules, nil, errDamaged
	}
	if okL = okL && leftL >= need; !okL && word(order, size, pointers[size:]) != 0 {
		lost = errDamaged
	}
	if okL && l < v {
		modules, lost = m.stringHeader(s, order, size, l, maxText)
	}
	if version, err = m.stringHeader(s, order, size, v, maxVersion); err != nil {
		return version, modules, lost, err
	}
	if okL && l >= v {
		modules, lost = m.stringHeader(s, order, size, l, maxText)
	}
	return version, modules, lost, nil
}

// stringHeader reads the Go string header (address, length) at an offset of
// the file and returns where the text is. The empty string is nowhere.
func (m *image) stringHeader(s *stream, order binary.ByteOrder, size int, off, max uint64) (segment, error) {
	if err := s.skipTo(off); err != nil {
		return segment{}, err
	}
	p := s.peek(uint64(2 * size))
	if len(p) < 2*size {
		return segment{}, errDamaged
	}
	addr, n := word(order, size, p), word(order, size, p[size:])
	if n == 0 {
		return segment{}, nil
	}
	if n > max {
		return segment{}, tooLong(n, max)
	}
	off, left, ok := m.locate(addr)
	if !ok || left < n {
		return segment{}, errDamaged
	}
	return segment{addr: addr, off: off, size: n}, nil
}

// tooLong says that a text of n bytes is over its limit.
func tooLong(n, max uint64) error {
	return &fault.LimitError{What: "bytes of one text", Where: "Go build information", Max: int64(max), Seen: int64(min(n, 1<<62))}
}
