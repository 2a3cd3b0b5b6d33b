package layer

import (
	"bytes"
	"fmt"
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
	h.name = cString(b[0:100])
	h.link = cString(b[157:257])
	if string(b[257:263]) == "ustar\x00" {
		prefix := cString(b[345:500])
		if string(b[508:512]) == "tar\x00" { // star: a shorter prefix
			prefix = cString(b[345:476])
		}
		if prefix != "" {
			h.name = prefix + "/" + h.name
		}
	}
	h.mapped = h.flag == 'S' && b[482] != 0
	return h, nil
}

// checksumOK accepts the sum of unsigned bytes and, as old writers made it, of
// signed bytes.
func checksumOK(b []byte) bool {
	want, err := number(b[148:156])
	if err != nil {
		return false
	}
	var sum, high int64 // high: bytes that a signed reading counts as 256 less
	for _, c := range b[:148] {
		sum += int64(c)
		high += int64(c >> 7)
	}
	for _, c := range b[156:block] {
		sum += int64(c)
		high += int64(c >> 7)
	}
	sum += 8 * ' '
	return want == sum || want == sum-256*high
}

// number parses an octal or base-256 field (GNU tar manual, "Extensions").
func number(b []byte) (int64, error) {
	if len(b) > 0 && b[0]&0x80 != 0 {
		return base256(b)
	}
	b = bytes.Trim(b, " \x00")
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

// paxRecords are the records of a PAX header that a scan needs.
type paxRecords struct {
	path, link string
	size       int64
	hasSize    bool
	sparse     bool
	sparseName string
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
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return fmt.Errorf("PAX size %q: %w", value, fault.Invalid)
		}
		p.size, p.hasSize = n, true
	case "GNU.sparse.name":
		p.sparseName = value
	case "GNU.sparse.major", "GNU.sparse.map", "GNU.sparse.numblocks":
		p.sparse = true
	}
	return nil
}
