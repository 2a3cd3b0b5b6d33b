package layer

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

const (
	block      = 512
	maxSpecial = 1 << 20 // bytes of a PAX header or a GNU long name, as in archive/tar
	maxSparse  = 1 << 16 // extension blocks of an old GNU sparse map; archive/tar stops at 2²⁰ segments, 21 a block
)

// header is one tar entry as far as a scan needs it.
type header struct {
	name   string
	link   string
	size   int64 // bytes in the archive
	mode   int64
	flag   byte
	sparse bool // content in the archive is not the file's content
	gnu    bool // the header is in GNU format, the only one with old sparse maps
	mapped bool // an old GNU sparse map goes on in blocks after the header
	// mapFirst: the content in the archive begins with a sparse map (format 1.0).
	mapFirst bool
	odd      string // irregular in a way worth a note
}

// tarReader walks the headers of a tar: ustar, PAX (POSIX.1-2001) and GNU, with
// the same reading of ambiguous input as Go's archive/tar, since container
// runtimes unpack with it. It returns io.EOF at the end marker.
type tarReader struct {
	s     *stream
	rest  int64 // bytes of the current entry not taken, with padding
	names int64 // longest name allowed
}

func padded(n int64) int64 { return (n + block - 1) &^ (block - 1) }

// next skips what is left of the current entry and reads the next header.
func (t *tarReader) next() (header, error) {
	var ext extended
	for {
		if err := t.s.skip(t.rest); err != nil {
			return header{}, err
		}
		t.rest = 0
		raw, err := t.headerBlock()
		if err != nil {
			return header{}, err
		}
		h, err := parseHeader(raw)
		if err != nil {
			return h, fmt.Errorf("tar header at offset %d: %w", t.s.offset(), err)
		}
		t.s.pos += block
		switch h.flag {
		case 'x', 'g', 'L', 'K':
			body, err := t.specialBody(h)
			if err != nil {
				return h, err
			}
			if err := ext.add(h, body); err != nil {
				return h, fmt.Errorf("tar header %q: %w", h.name, err)
			}
		default:
			return t.finish(h, &ext)
		}
	}
}

// extended are the headers that come before the one they are about.
type extended struct {
	pax                paxRecords
	longName, longLink string
	have               string // flags seen
	odd                string
}

func (e *extended) add(h header, body []byte) error {
	flag := string(h.flag)
	if flag != "g" && strings.Contains(e.have, flag) {
		e.odd = "more than one extended header of a kind; the last one counts"
	}
	e.have += flag
	switch h.flag {
	case 'L':
		e.longName = string(cBytes(body))
	case 'K':
		e.longLink = string(cBytes(body))
	default:
		pax, err := parsePAX(body)
		if err != nil {
			return err
		}
		if h.flag == 'x' {
			e.pax = pax
			break
		}
		// archive/tar gives a global header out as an entry of its own: it is
		// applied to nothing, and what came before it is forgotten.
		*e = extended{}
		if pax != (paxRecords{}) {
			e.odd = "a global PAX header sets paths or sizes; unpackers differ in applying it"
		}
	}
	return nil
}

// headerBlock peeks the next header, or finds the end of the archive.
func (t *tarReader) headerBlock() ([]byte, error) {
	raw, err := t.s.peek(block)
	if err != nil {
		if err == io.EOF && len(raw) > 0 {
			err = fmt.Errorf("tar ends inside a header: %w", io.ErrUnexpectedEOF)
		}
		return nil, err
	}
	if raw[0] != 0 || !isZero(raw) {
		return raw, nil
	}
	two, err := t.s.peek(2 * block)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(two) == 2*block && !isZero(two[block:]) {
		return nil, fmt.Errorf("tar: lone zero block at offset %d: %w", t.s.offset(), fault.Invalid)
	}
	return nil, io.EOF
}

// finish applies extended headers and leaves the stream at the content.
func (t *tarReader) finish(h header, ext *extended) (header, error) {
	h.odd = ext.odd
	if err := ext.pax.apply(&h); err != nil {
		return h, fmt.Errorf("tar header %q: %w", h.name, err)
	}
	// GNU names win over PAX names, in archive/tar as here.
	if ext.longName != "" {
		h.name = ext.longName
	}
	if ext.longLink != "" {
		h.link = ext.longLink
	}
	if h.flag == 0 {
		h.flag = '0'
		if strings.HasSuffix(h.name, "/") {
			h.flag = '5'
		}
	}
	ext.pax.applySparse(&h)
	if int64(len(h.name)) > t.names || int64(len(h.link)) > t.names {
		return h, &fault.LimitError{What: "bytes of a path", Where: "tar entry " + strconv.Quote(h.name[:min(len(h.name), 80)]), Max: t.names, Seen: int64(max(len(h.name), len(h.link)))}
	}
	switch h.flag {
	case '1', '2', '3', '4', '5', '6':
		h.size = 0 // header only, whatever the field says
	case 'S':
		if !h.gnu {
			return h, fmt.Errorf("tar header %q: sparse file in a header that is not GNU's: %w", h.name, fault.Invalid)
		}
		if err := t.skipSparseMap(h); err != nil {
			return h, err
		}
		h.sparse = true
	}
	if h.size < 0 || padded(h.size) < 0 {
		return h, fmt.Errorf("tar header %q: size %d: %w", h.name, h.size, fault.Invalid)
	}
	t.rest = padded(h.size)
	return h, nil
}

// skipSparseMap takes the extension blocks of an old GNU sparse header, each of
// which says at byte 504 whether another follows.
func (t *tarReader) skipSparseMap(h header) error {
	n := int64(0)
	for more := h.mapped; more; n++ {
		if n == maxSparse {
			return &fault.LimitError{What: "blocks of a sparse map", Where: strconv.Quote(h.name), Max: maxSparse, Seen: n + 1}
		}
		raw, err := t.s.peek(block)
		if err != nil {
			return unexpected(err)
		}
		more = raw[504] != 0
		t.s.pos += block
	}
	return nil
}

func (t *tarReader) specialBody(h header) ([]byte, error) {
	if h.size < 0 {
		return nil, fmt.Errorf("extended tar header %q: size %d: %w", h.name, h.size, fault.Invalid)
	}
	if h.size > maxSpecial {
		return nil, &fault.LimitError{What: "bytes of an extended tar header", Where: strconv.Quote(h.name), Max: maxSpecial, Seen: h.size}
	}
	body := make([]byte, h.size)
	if _, err := io.ReadFull(t.s, body); err != nil {
		return nil, unexpected(err)
	}
	t.rest = padded(h.size) - h.size
	return body, nil
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// cBytes returns what stands before the first zero byte.
func cBytes(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return b
}
