package gobinary

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// The build information starts with a header of 32 bytes, at an address that
// is a multiple of 16: a magic of 14 bytes, the size of a pointer, flags.
const (
	magic      = "\xff Go buildinf:"
	alignment  = 16
	headerSize = 32

	flagBigEndian = 1 // of the pointers
	flagInline    = 2 // two texts follow the header (Go 1.18); else two pointers are in it

	maxTries = 64 // places in one file that have the magic and cannot be read
)

// errDamaged means that the magic was found and what follows makes no sense.
var errDamaged = fmt.Errorf("build information is damaged: %w", fault.Invalid)

// errMissing means that a file was made by Go and has no build information.
var errMissing = fmt.Errorf("the file has a Go build ID but no build information (stripped, or Go 1.12 and older): %w", fault.Unsupported)

// search streams through the segments and returns the first build information
// that can be read.
func (m *image) search(ctx context.Context, s *stream) (buildInfo, error) {
	failed := errNotGo // what to say when nothing is found
	if m.sign {
		failed = errMissing
	}
	var old recall
	for _, g := range m.segments {
		if g.role == passed || (g.role == texts && !m.sign) {
			continue
		}
		g, ok := g.from(s.off)
		if !ok {
			continue
		}
		err := s.skipTo(g.off)
		switch {
		case err != nil:
		case g.role == texts:
			err = old.remember(ctx, s, g.size)
		default:
			var info buildInfo
			if info, err = m.find(ctx, s, g.size, &old); err == nil {
				return info, nil
			}
		}
		switch {
		case err == nil || errors.Is(err, errNotGo):
		case isDamage(err) && m.tries <= maxTries:
			failed = err
		case errors.Is(err, errShort):
			return buildInfo{}, failed // no sign of Go in what there is, or a better reason
		default:
			return buildInfo{}, err
		}
	}
	return buildInfo{}, failed
}

// from returns the part of g that begins at or behind an offset of the file,
// and for data at an aligned address. It reports whether there is any.
func (g segment) from(off uint64) (segment, bool) {
	skip := uint64(0)
	if g.off < off {
		skip = off - g.off
	}
	if g.role == data {
		skip += -(g.addr + skip) % alignment
	}
	if skip >= g.size {
		return g, false
	}
	g.off, g.addr, g.size = g.off+skip, g.addr+skip, g.size-skip
	return g, true
}

// isDamage reports whether err is about one place that has the magic. Another
// one may follow.
func isDamage(err error) bool {
	return errors.Is(err, errDamaged) || errors.Is(err, errPassed) || errors.Is(err, fault.Limit)
}

// find looks for the magic in the next size bytes, which start at an aligned
// address, and decodes what follows it. Where that is damaged, the search goes
// on behind it.
func (m *image) find(ctx context.Context, s *stream, size uint64, old *recall) (buildInfo, error) {
	start, failed := s.off, errNotGo
	for s.off-start+headerSize <= size {
		if err := ctx.Err(); err != nil {
			return buildInfo{}, err
		}
		if odd := (s.off - start) % alignment; odd != 0 { // behind a damaged one
			if err := s.skipTo(s.off + alignment - odd); err != nil {
				return buildInfo{}, failed
			}
			continue
		}
		p, err := s.window(size - (s.off - start))
		if err != nil || len(p) < headerSize {
			if failed == errNotGo {
				failed = errShort
			}
			return buildInfo{}, failed
		}
		at := indexMagic(p)
		if at < 0 {
			s.advance(len(p) &^ (alignment - 1))
			continue
		}
		s.advance(at)
		info, err := m.decode(s, start+size, old)
		if err == nil {
			return info, nil
		}
		if errors.Is(err, errShort) {
			err = errDamaged
		}
		if m.blind && isDamage(err) {
			continue // bytes that look like the magic are to be expected
		}
		if m.tries++; !isDamage(err) || m.tries > maxTries {
			return buildInfo{}, err
		}
		failed = err
	}
	return buildInfo{}, failed
}

// indexMagic returns the first multiple of 16 at which p has the magic, or -1.
func indexMagic(p []byte) int {
	first := binary.LittleEndian.Uint64([]byte(magic))
	for i := 0; i+len(magic) <= len(p); i += alignment {
		if binary.LittleEndian.Uint64(p[i:]) == first && string(p[i:i+len(magic)]) == magic {
			return i
		}
	}
	return -1
}

// decode reads the header at s and the two texts it announces, which end
// before the offset end.
func (m *image) decode(s *stream, end uint64, old *recall) (buildInfo, error) {
	h := s.peek(headerSize)
	if len(h) < headerSize || end-s.off < headerSize {
		s.advance(len(h))
		return buildInfo{}, errDamaged
	}
	var header [headerSize]byte
	copy(header[:], h)
	s.advance(headerSize)
	var info buildInfo
	var err error
	switch {
	case header[15]&flagInline != 0:
		if info.version, err = inlineText(s, end); err == nil {
			info.modules, info.lost = inlineText(s, end)
		}
	case m.blind: // addresses mean nothing
		err = errDamaged
	default:
		info, err = m.pointed(s, header, old)
	}
	if err != nil {
		return buildInfo{}, err
	}
	toolchain := strings.HasPrefix(info.version, "go") || strings.HasPrefix(info.version, "devel")
	if info.version == "" || !toolchain && (m.blind || info.lost != nil) {
		return buildInfo{}, errDamaged
	}
	info.modules = unframe(info.modules)
	return info, nil
}

// inlineText reads a text behind its length, a variable-length integer.
func inlineText(s *stream, end uint64) (string, error) {
	n, used := binary.Uvarint(s.peek(min(binary.MaxVarintLen64, end-s.off)))
	if used <= 0 {
		return "", errDamaged
	}
	s.advance(used)
	if n > end-s.off {
		return "", errDamaged
	}
	if n > maxText {
		return "", tooLong(n, maxText)
	}
	p, err := s.read(n)
	return string(p), err
}

// unframe removes the 16 bytes on each side by which the go command finds the
// module list in memory. What is not framed is not a module list.
func unframe(text string) string {
	if len(text) < 33 || text[len(text)-17] != '\n' {
		return ""
	}
	return text[16 : len(text)-16]
}
