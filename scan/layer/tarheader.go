package layer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// parseHeader reads one 512-byte header block.
func parseHeader(b []byte) (header, error) {
	var h header
	if !checksumOK(b) {
		return h, fmt.Errorf("wrong checksum: %w", fault.Invalid)
	}
	var err error
	if h.size, err = number(b[124:136]); err != nil {
		return h, fmt.Errorf("size: %w", err)
	}
	if h.mode, err = number(b[100:108]); err != nil {
		return h, fmt.Errorf("mode: %w", err)
	}
	h.flag = b[156]
	h.link = string(cBytes(b[157:257]))
	h.gnu = string(b[257:265]) == "ustar  \x00"
	name := cBytes(b[0:100])
	if prefix := namePrefix(b, h.gnu); len(prefix) > 0 {
		h.name = string(prefix) + "/" + string(name)
	} else {
		h.name = string(name)
	}
	h.mapped = h.flag == 'S' && b[482] != 0
	return h, nil
}

// namePrefix returns the beginning of a long name.
func namePrefix(b []byte, gnu bool) []byte {
	switch {
	case gnu:
		// GNU headers have times there. Where they are none, archive/tar takes
		// ASCII text for a prefix, as old writers made it (golang.org/issue/21005).
		for _, t := range [][]byte{b[345:357], b[357:369]} {
			if _, err := number(t); err != nil && t[0] != 0 {
				return asciiOnly(cBytes(b[345:500]))
			}
		}
		return nil
	case string(b[257:263]) != "ustar\x00":
		return nil
	case string(b[508:512]) == "tar\x00": // star: a shorter prefix
		return cBytes(b[345:476])
	}
	return cBytes(b[345:500])
}

func asciiOnly(s []byte) []byte {
	for _, c := range s {
		if c >= 0x80 {
			return nil
		}
	}
	return s
}

// checksumOK accepts the sum of unsigned bytes and, as old writers made it, of
// signed bytes.
func checksumOK(b []byte) bool {
	want, err := number(b[148:156])
	if err != nil {
		return false
	}
	// Eight bytes at a time, in four lanes of 16 bits: 64 times twice 255 fits into one.
	const lanes, tops = 0x00ff00ff00ff00ff, 0x8080808080808080
	var lane uint64
	high := 0 // bytes that a signed reading counts as 256 less
	for at := 0; at < block; at += 8 {
		x := binary.LittleEndian.Uint64(b[at:])
		lane += x&lanes + x>>8&lanes
		high += bits.OnesCount64(x & tops)
	}
	var sum int64
	for ; lane > 0; lane >>= 16 {
		sum += int64(lane & 0xffff)
	}
	for _, c := range b[148:156] { // the sum itself counts as spaces
		sum += ' ' - int64(c)
		high -= int(c >> 7)
	}
	return want == sum || want == sum-256*int64(high)
}

// number parses an octal or base-256 field (GNU tar manual, "Extensions").
func number(b []byte) (int64, error) {
	if len(b) > 0 && b[0]&0x80 != 0 {
		return base256(b)
	}
	for len(b) > 0 && (b[0] == ' ' || b[0] == 0) {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == 0) {
		b = b[:len(b)-1]
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '7' || n >= 1<<60 {
			return 0, fmt.Errorf("number %q: %w", b, fault.Invalid)
		}
		n = n<<3 | int64(c-'0')
	}
	return n, nil
}

func base256(b []byte) (int64, error) {
	var flip byte
	if b[0]&0x40 != 0 {
		flip = 0xff // negative, two's complement
	}
	var n uint64
	for i, c := range b {
		c ^= flip
		if i == 0 {
			c &= 0x7f
		}
		if n>>56 > 0 {
			return 0, fmt.Errorf("number of %d bytes does not fit: %w", len(b), fault.Invalid)
		}
		n = n<<8 | uint64(c)
	}
	if n>>63 > 0 {
		return 0, fmt.Errorf("number of %d bytes does not fit: %w", len(b), fault.Invalid)
	}
	if flip == 0xff {
		return ^int64(n), nil
	}
	return int64(n), nil
}

// paxRecords are the records of a PAX header that a scan needs. As in
// archive/tar the last record of a key counts, and an empty value is none.
type paxRecords struct {
	path, link, size string
	sparse           struct {
		name, major, minor, list string
		segments                 bool
	}
}

// parsePAX reads "length key=value\n" records (POSIX.1-2001, pax).
func parsePAX(b []byte) (paxRecords, error) {
	var p paxRecords
	for len(b) > 0 {
		space := bytes.IndexByte(b[:min(len(b), 20)], ' ')
		if space < 0 {
			return p, fmt.Errorf("PAX record without a length: %w", fault.Invalid)
		}
		n, err := strconv.Atoi(string(b[:space]))
		if err != nil || n < space+3 || n > len(b) || b[n-1] != '\n' {
			return p, fmt.Errorf("PAX record with length %q in %d bytes: %w", b[:space], len(b), fault.Invalid)
		}
		key, value, ok := strings.Cut(string(b[space+1:n-1]), "=")
		if !ok || key == "" {
			return p, fmt.Errorf("PAX record without a key: %w", fault.Invalid)
		}
		if err := p.set(key, value); err != nil {
			return p, err
		}
		b = b[n:]
	}
	return p, nil
}

func (p *paxRecords) set(key, value string) error {
	switch key {
	case "path", "linkpath", "GNU.sparse.name":
		if strings.IndexByte(value, 0) >= 0 {
			return fmt.Errorf("PAX %s has a zero byte: %w", key, fault.Invalid)
		}
	}
	switch key {
	case "path":
		p.path = value
	case "linkpath":
		p.link = value
	case "size":
		p.size = value
	case "GNU.sparse.name":
		p.sparse.name = value
	case "GNU.sparse.major":
		p.sparse.major = value
	case "GNU.sparse.minor":
		p.sparse.minor = value
	case "GNU.sparse.map":
		p.sparse.list = value
	case "GNU.sparse.offset": // format 0.0: a record for each segment
		p.sparse.segments = true
	}
	return nil
}

// apply overrides what the header itself says.
func (p *paxRecords) apply(h *header) error {
	if p.path != "" {
		h.name = p.path
	}
	if p.link != "" {
		h.link = p.link
	}
	if p.size == "" {
		return nil
	}
	n, err := strconv.ParseInt(p.size, 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("PAX size %q: %w", p.size, fault.Invalid)
	}
	h.size = n
	return nil
}

// applySparse recognises the sparse formats 0.0, 0.1 and 1.0 (GNU tar manual,
// "Sparse Formats"), by the rules of archive/tar: a file of another version is
// unpacked as it is, under its own name.
func (p *paxRecords) applySparse(h *header) {
	switch s := &p.sparse; {
	case h.flag == 'S': // the old format says it elsewhere
	case s.major == "0" && (s.minor == "0" || s.minor == "1"), s.major == "1" && s.minor == "0",
		s.major == "" && s.minor == "" && (s.list != "" || s.segments):
		h.sparse, h.mapFirst = true, s.major == "1"
		if s.name != "" {
			h.name = s.name
		}
	case s.major != "" || s.minor != "":
		h.odd = "sparse format of an unknown version; unpacked as it is"
	}
}

// sparseMapSize returns where the content begins after the map of format 1.0: a
// count and that many pairs of numbers, one a line, in whole blocks. It returns
// -1 where text does not hold the whole map.
func sparseMapSize(text []byte) int {
	first, _, ok := bytes.Cut(text, []byte{'\n'})
	n, err := strconv.Atoi(string(first))
	if !ok || err != nil || n < 0 || n > len(text) {
		return -1
	}
	at := 0
	for range 1 + 2*n {
		i := bytes.IndexByte(text[at:], '\n')
		if i < 0 {
			return -1
		}
		at += i + 1
	}
	return int(padded(int64(at)))
}
