package luarocks

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
)

// peek returns the byte at the position, or 0 at the end.
func (l *lua) peek() byte {
	if l.pos < len(l.data) {
		return l.data[l.pos]
	}
	return 0
}

// space moves over blanks and comments.
func (l *lua) space() {
	for l.pos < len(l.data) {
		switch c := l.data[l.pos]; {
		case c == ' ' || '\t' <= c && c <= '\r':
			l.pos++
		case c == '-' && bytes.HasPrefix(l.data[l.pos:], []byte("--")):
			l.pos += 2
			if n := l.long(); l.peek() == '[' && n >= 0 {
				l.bracketed(n)
			} else if n := bytes.IndexByte(l.data[l.pos:], '\n'); n >= 0 {
				l.pos += n
			} else {
				l.pos = len(l.data)
			}
		default:
			return
		}
	}
}

// take moves over blanks and mark, if mark is next.
func (l *lua) take(mark string) bool {
	l.space()
	if !bytes.HasPrefix(l.data[l.pos:], []byte(mark)) {
		return false
	}
	l.pos += len(mark)
	return true
}

func isName(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '_'
}

// word reads a name, or nothing.
func (l *lua) word() string {
	l.space()
	start := l.pos
	if c := l.peek(); '0' <= c && c <= '9' {
		return ""
	}
	for l.pos < len(l.data) && isName(l.data[l.pos]) {
		l.pos++
	}
	return string(l.data[start:l.pos])
}

// long returns the number of "=" in a long bracket "[==[" at the position, or -1.
func (l *lua) long() int {
	rest := l.data[l.pos:]
	n := 1
	for n < len(rest) && rest[n] == '=' {
		n++
	}
	if len(rest) > n && rest[0] == '[' && rest[n] == '[' {
		return n - 1
	}
	return -1
}

// bracketed reads a text or comment in long brackets. A first line break is left out.
func (l *lua) bracketed(level int) string {
	start := l.pos + level + 2
	end := "]" + strings.Repeat("=", level) + "]"
	n := bytes.Index(l.data[start:], []byte(end))
	if n < 0 {
		l.fail("text without end", fault.Invalid)
		return ""
	}
	l.pos = start + n + len(end)
	body := bytes.TrimPrefix(l.data[start:start+n], []byte("\r"))
	return text(bytes.TrimPrefix(body, []byte("\n")))
}

// quoted reads a text in quotes.
func (l *lua) quoted(quote byte) string {
	start := l.pos
	var out []byte
	for l.pos++; l.pos < len(l.data); {
		c := l.data[l.pos]
		switch {
		case c == quote:
			l.pos++
			return text(out)
		case c == '\n':
			l.pos = start
			l.fail("text without end on its line", fault.Invalid)
			return text(out)
		case c == '\\':
			var size int
			if out, size = appendEscape(out, l.data[l.pos:]); size == 0 {
				l.fail("unknown escape in a text", fault.Invalid)
				return text(out)
			}
			l.pos += size
		default:
			out = append(out, c)
			l.pos++
		}
	}
	l.pos = start
	l.fail("text without end", fault.Invalid)
	return text(out)
}

// appendEscape decodes the escape that b begins with, and returns its length or 0.
func appendEscape(out, b []byte) ([]byte, int) {
	if len(b) < 2 {
		return out, 0
	}
	c := b[1]
	if i := strings.IndexByte("abfnrtv\\\"'\n", c); i >= 0 {
		return append(out, "\a\b\f\n\r\t\v\\\"'\n"[i]), 2
	}
	switch {
	case c == 'z': // skips blanks
		return out, len(b) - len(bytes.TrimLeft(b[2:], " \t\r\n\v\f"))
	case c == 'x' && len(b) >= 4:
		if v, err := strconv.ParseUint(string(b[2:4]), 16, 8); err == nil {
			return append(out, byte(v)), 4
		}
	case '0' <= c && c <= '9':
		n := 2
		for n < 4 && n < len(b) && '0' <= b[n] && b[n] <= '9' {
			n++
		}
		if v, err := strconv.ParseUint(string(b[1:n]), 10, 8); err == nil {
			return append(out, byte(v)), n
		}
	case c == 'u' && len(b) > 3 && b[2] == '{':
		if end := bytes.IndexByte(b[:min(len(b), 14)], '}'); end > 0 {
			if v, err := strconv.ParseUint(string(b[3:end]), 16, 32); err == nil && v <= utf8.MaxRune {
				return utf8.AppendRune(out, rune(v)), end + 1
			}
		}
	}
	return out, 0
}
