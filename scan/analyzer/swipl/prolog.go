package swipl

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
)

// Limits of one file.
const (
	maxDepth = 100
	maxTerms = 100_000
)

// term is an atom, a text or a number, with its arguments if it is compound. Of an expression
// with operators it is the first operand; a list is a term without a name.
type term struct {
	name   string
	isText bool // it has a name, or is a text
	args   []term
}

// line is the text of a term on one line.
func (t *term) line() string { return strings.Join(strings.Fields(t.name), " ") }

// reader reads ground terms of Prolog (SWI-Prolog manual, "Syntax"; ISO/IEC 13211-1, 6.3), of
// which a pack.pl consists.
type reader struct {
	data  []byte
	pos   int
	terms int
	err   error
}

// readProlog returns the clauses of a file. After an error it has what came before.
func readProlog(data []byte) (out []term, err error) {
	r := &reader{data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))}
	for r.space(); r.err == nil && r.pos < len(r.data); r.space() {
		t := r.term(0)
		if r.space(); r.err == nil && !r.end() {
			r.fail("expected '.' after a fact")
		}
		if r.err == nil {
			out = append(out, t)
		}
	}
	return out, r.err
}

// fail makes what is wrong the reader's error, if it is the first, and ends the reading.
func (r *reader) fail(what string) {
	if r.err == nil {
		pos := min(r.pos, len(r.data))
		r.err = fmt.Errorf("line %d: %s: %w", 1+bytes.Count(r.data[:pos], []byte{'\n'}), what, fault.Invalid)
	}
	r.pos = len(r.data)
}

func (r *reader) count(depth int) bool {
	r.terms++
	switch {
	case r.err != nil:
	case r.terms > maxTerms:
		r.err = &fault.LimitError{What: "terms of a pack", Where: fmt.Sprintf("byte %d", r.pos), Max: maxTerms, Seen: maxTerms + 1}
	case depth > maxDepth:
		r.err = &fault.LimitError{What: "nested terms of a pack", Where: fmt.Sprintf("byte %d", r.pos), Max: maxDepth, Seen: maxDepth + 1}
	}
	return r.err == nil
}

// term reads operands with operators between them, and returns the first operand.
func (r *reader) term(depth int) term {
	first := r.operand(depth)
	for r.err == nil {
		if r.space(); !isSymbol(r.peek()) || r.ends() {
			break
		}
		r.symbols()
		r.operand(depth)
	}
	return first
}

// operand reads one term without operators behind it.
func (r *reader) operand(depth int) (t term) {
	if !r.count(depth) {
		return t
	}
	r.space()
	switch c := r.peek(); {
	case c == '\'' || c == '"':
		t.name, t.isText = r.quoted(c), true
	case c == '[':
		r.pos++
		t.args = r.arguments(']', depth)
		return t
	case c == '(':
		r.pos++
		if inner := r.arguments(')', depth); len(inner) > 0 {
			t = inner[0]
		}
		return t
	case '0' <= c && c <= '9':
		t.name, t.isText = r.number(), true
		return t
	case isWord(c):
		t.name, t.isText = r.word(), true
	case isSymbol(c) && !r.ends():
		if t.name = r.symbols(); r.peek() != '(' { // an operator before its operand
			return r.operand(depth + 1)
		}
	default:
		r.fail("expected a term")
		return t
	}
	if r.peek() == '(' { // right behind the name
		r.pos++
		t.args = r.arguments(')', depth)
	}
	return t
}

// arguments reads terms up to a closing mark.
func (r *reader) arguments(end byte, depth int) (out []term) {
	if r.space(); r.peek() == end {
		r.pos++
		return nil
	}
	for r.err == nil {
		t := r.term(depth + 1)
		r.space()
		switch c := r.peek(); {
		case r.err != nil:
		case c == ',' || c == '|' && end == ']':
			r.pos++
		case c == end:
			r.pos++
			return append(out, t)
		default:
			r.fail(fmt.Sprintf("expected ',' or %q", end))
		}
		out = append(out, t)
	}
	return out
}

func (r *reader) peek() byte {
	if r.pos < len(r.data) {
		return r.data[r.pos]
	}
	return 0
}

// ends reports whether a point is next that ends a clause: before a blank, a comment or the end.
func (r *reader) ends() bool {
	if r.peek() != '.' {
		return false
	}
	return r.pos+1 == len(r.data) || strings.IndexByte(" \t\r\n%", r.data[r.pos+1]) >= 0
}

func (r *reader) end() bool {
	is := r.ends()
	if is {
		r.pos++
	}
	return is
}

func isWord(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '_' || c >= utf8.RuneSelf
}

func isSymbol(c byte) bool { return c != 0 && strings.IndexByte("+-*/\\^<>=~:.?@#&$", c) >= 0 }

// word reads an atom or a variable.
func (r *reader) word() string {
	start := r.pos
	for isWord(r.peek()) {
		r.pos++
	}
	return jsontext.Clean(r.data[start:r.pos])
}

// number reads a number, of which a point before a digit is part: 1.2.
func (r *reader) number() string {
	start := r.pos
	for {
		c := r.peek()
		if c == '.' && r.pos+1 < len(r.data) && '0' <= r.data[r.pos+1] && r.data[r.pos+1] <= '9' {
			c = '0'
		}
		if !isWord(c) {
			return jsontext.Clean(r.data[start:r.pos])
		}
		r.pos++
	}
}

func (r *reader) symbols() string {
	start := r.pos
	for isSymbol(r.peek()) {
		r.pos++
	}
	return string(r.data[start:r.pos])
}

// space moves over blanks and comments.
func (r *reader) space() {
	for r.pos < len(r.data) {
		rest := r.data[r.pos:]
		switch c := rest[0]; {
		case c == ' ' || '\t' <= c && c <= '\r':
			r.pos++
		case c == '%':
			n := bytes.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			r.pos += n
		case bytes.HasPrefix(rest, []byte("/*")):
			n := bytes.Index(rest[2:], []byte("*/"))
			if n < 0 {
				r.fail("comment without end")
				return
			}
			r.pos += n + 4
		default:
			return
		}
	}
}

// quoted reads a text in quotes, which stand for themselves when doubled.
func (r *reader) quoted(quote byte) string {
	var out []byte
	start := r.pos
	for r.pos++; r.pos < len(r.data); {
		c := r.data[r.pos]
		r.pos++
		switch {
		case c == quote && r.peek() == quote:
			out = append(out, c)
			r.pos++
		case c == quote:
			return jsontext.Clean(out)
		case c == '\\':
			size := 0
			if out, size = escape(out, r.data[r.pos:]); size == 0 {
				r.fail("unknown escape in a text")
				return jsontext.Clean(out)
			}
			r.pos += size
		default:
			out = append(out, c)
		}
	}
	r.pos = start
	r.fail("text without end")
	return jsontext.Clean(out)
}

// escape decodes what follows a backslash, and returns its length or 0.
func escape(out, b []byte) ([]byte, int) {
	if len(b) == 0 {
		return out, 0
	}
	if b[0] == '\n' || b[0] == 'c' { // the text goes on in the next line
		return out, 1
	}
	if i := strings.IndexByte("abfnrtv0es\\'\"`", b[0]); i >= 0 && (b[0] != '0' || len(b) < 2 || b[1] != '\\') {
		return append(out, "\a\b\f\n\r\t\v\x00\x1b \\'\"`"[i]), 1
	}
	digits, base, skip := b[:min(len(b), 10)], 8, 0
	switch b[0] {
	case 'x':
		digits, base, skip = digits[1:], 16, 1
	case 'u', 'U':
		n := map[byte]int{'u': 4, 'U': 8}[b[0]]
		if len(b) <= n {
			return out, 0
		}
		if v, err := strconv.ParseUint(string(b[1:1+n]), 16, 32); err == nil && v <= utf8.MaxRune {
			return utf8.AppendRune(out, rune(v)), 1 + n
		}
		return out, 0
	}
	end := bytes.IndexByte(digits, '\\')
	if end <= 0 {
		return out, 0
	}
	v, err := strconv.ParseUint(string(digits[:end]), base, 32)
	if err != nil || v > utf8.MaxRune {
		return out, 0
	}
	return utf8.AppendRune(out, rune(v)), skip + end + 1
}
