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
)

// header is one tar entry as far as a scan needs it.
type header struct {
	name   string
	link   string
	size   int64 // bytes in the archive
	mode   int64
	flag   byte
	sparse bool // content in the archive is not the file's content
	mapped bool // an old GNU sparse map goes on in blocks after the header
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
	var h header
	var pax paxRecords
	var longName, longLink string
	for {
		if err := t.s.skip(t.rest); err != nil {
			return h, err
		}
		t.rest = 0
		raw, err := t.headerBlock()
		if err != nil {
			return h, err
		}
		if h, err = parseHeader(raw); err != nil {
			return h, fmt.Errorf("tar header at offset %d: %w", t.s.offset(), err)
		}
		t.s.pos += block
		switch h.flag {
		case 'x', 'g', 'L', 'K':
			body, err := t.specialBody(h)
			if err != nil {
				return h, err
			}
			switch h.flag {
			case 'x':
				if pax, err = parsePAX(body); err != nil {
					return h, fmt.Errorf("tar header %q: %w", h.name, err)
				}
			case 'L':
				longName = cString(body)
			case 'K':
				longLink = cString(body)
			}
			continue
		}
		return t.finish(h, pax, longName, longLink)
	}
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
func (t *tarReader) finish(h header, pax paxRecords, longName, longLink string) (header, error) {
	if longName != "" {
		h.name = longName
	}
	if longLink != "" {
		h.link = longLink
	}
	if pax.path != "" {
		h.name = pax.path
	}
	if pax.link != "" {
		h.link = pax.link
	}
	if pax.hasSize {
		h.size = pax.size
	}
	if pax.sparse {
		h.sparse = true
		if pax.sparseName != "" {
			h.name = pax.sparseName
		}
	}
	if int64(len(h.name)) > t.names || int64(len(h.link)) > t.names {
		return h, &fault.LimitError{What: "bytes of a path", Where: "tar entry " + strconv.Quote(h.name[:min(len(h.name), 80)]), Max: t.names, Seen: int64(max(len(h.name), len(h.link)))}
	}
	if h.flag == 0 {
		h.flag = '0'
		if strings.HasSuffix(h.name, "/") {
			h.flag = '5'
		}
	}
	switch h.flag {
	case '1', '2', '3', '4', '5', '6':
		h.size = 0 // header only, whatever the field says
	case 'S':
		if err := t.skipSparseMap(h.mapped); err != nil {
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
func (t *tarReader) skipSparseMap(more bool) error {
	for more {
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
	if h.size < 0 || h.size > maxSpecial {
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

func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
