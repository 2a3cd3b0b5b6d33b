package tomltree

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// peek returns the byte at the position, or 0 at the end.
func (d *document) peek() byte {
	if d.pos < len(d.data) {
		return d.data[d.pos]
	}
	return 0
}

// skip moves over blanks and comments, and over the ends of lines too if lines
// is set.
func (d *document) skip(lines bool) {
	for d.pos < len(d.data) {
		switch c := d.data[d.pos]; {
		case c == ' ' || c == '\t' || lines && c == '\n':
			d.pos++
		case c == '\r' && bytes.HasPrefix(d.data[d.pos:], []byte("\r\n")):
			if d.pos++; !lines {
				return
			}
		case c == '#':
			n := bytes.IndexByte(d.data[d.pos:], '\n')
			if n < 0 {
				n = len(d.data) - d.pos
			}
			d.pos += n
		default:
			return
		}
	}
}

// take moves over blanks and s, if s is next.
func (d *document) take(s string) bool {
	for c := d.peek(); c == ' ' || c == '\t'; c = d.peek() {
		d.pos++
	}
	if !bytes.HasPrefix(d.data[d.pos:], []byte(s)) {
		return false
	}
	d.pos += len(s)
	return true
}

// key reads one part of a key.
func (d *document) key() string {
	d.take("")
	if c := d.peek(); c == '"' || c == '\'' {
		if bytes.HasPrefix(d.data[d.pos:], []byte{c, c, c}) {
			d.fail("a key cannot go on over lines")
			return ""
		}
		return d.text()
	}
	start := d.pos
	for c := d.peek(); isAlnum(c) || c == '-' || c == '_'; c = d.peek() {
		d.pos++
	}
	if d.pos == start {
		d.fail("expected a key")
		return ""
	}
	name, known := d.names[string(d.data[start:d.pos])]
	if !known {
		name = utf8Text(d.data[start:d.pos])
		if len(d.names) < 100 {
			d.names[name] = name
		}
	}
	return name
}

// text reads a text in quotes of any of the four kinds.
func (d *document) text() string {
	quote := d.data[d.pos : d.pos+1]
	long := bytes.Repeat(quote, 3)
	if !bytes.HasPrefix(d.data[d.pos:], long) {
		return d.until(quote)
	}
	s := d.until(long)
	for range 2 { // quotes right before the closing ones belong to the text
		if d.err == nil && d.peek() == quote[0] {
			s += string(quote)
			d.pos++
		}
	}
	return s
}

// until reads the text between quote at the position and the next one.
func (d *document) until(quote []byte) string {
	start := d.pos
	at := start + len(quote)
	var out []byte
	if len(quote) == 3 {
		at += leadingBreak(d.data[at:])
	}
	for from := at; ; {
		n := bytes.IndexAny(d.data[at:], string(quote[:1])+"\\\n")
		if n < 0 {
			d.pos = start
			d.fail("text without end")
			return ""
		}
		at += n
		switch c := d.data[at]; {
		case c == quote[0] && bytes.HasPrefix(d.data[at:], quote):
			d.pos = at + len(quote)
			return utf8Text(append(out, d.data[from:at]...))
		case c == '\n' && len(quote) == 1:
			d.pos = start
			d.fail("text without end on its line")
			return ""
		case c == '\\' && quote[0] == '"':
			var size int
			out = append(out, d.data[from:at]...)
			if out, size = appendEscape(out, d.data[at:], len(quote) == 3); size == 0 {
				d.pos = at
				d.fail("unknown escape in a text")
				return ""
			}
			at += size
			from = at
		default:
			at++
		}
	}
}

// leadingBreak is the length of the line break that b begins with.
func leadingBreak(b []byte) int {
	switch {
	case bytes.HasPrefix(b, []byte("\n")):
		return 1
	case bytes.HasPrefix(b, []byte("\r\n")):
		return 2
	}
	return 0
}

// appendEscape decodes the escape that b begins with and returns its length, or
// 0. A backslash at the end of a line of a long text takes the white space that
// follows with it.
func appendEscape(out, b []byte, long bool) ([]byte, int) {
	if len(b) < 2 {
		return out, 0
	}
	if i := strings.IndexByte(`btnfre"\`, b[1]); i >= 0 {
		return append(out, "\b\t\n\f\r\x1b\"\\"[i]), 2
	}
	size := map[byte]int{'x': 2, 'u': 4, 'U': 8}[b[1]]
	if size > 0 && len(b) >= 2+size {
		var r rune
		for _, c := range b[2 : 2+size] {
			i := strings.IndexByte("0123456789abcdef", lower(c))
			if i < 0 {
				return out, 0
			}
			r = r<<4 | rune(i)
		}
		if !utf8.ValidRune(r) {
			return out, 0
		}
		return utf8.AppendRune(out, r), 2 + size
	}
	blank := bytes.TrimLeft(b[1:], " \t")
	if long && leadingBreak(blank) > 0 {
		return out, len(b) - len(bytes.TrimLeft(blank, " \t\r\n"))
	}
	return out, 0
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// utf8Text copies b into a string that is well-formed UTF-8.
func utf8Text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
