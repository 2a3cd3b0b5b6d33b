package terraform

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
	maxDepth  = 50
	maxValues = 500_000
)

// field is an attribute, "name = value", or a block, `name "label" { fields }`.
type field struct {
	name    string
	labels  []string
	isBlock bool
	body    []field
	value   value
	line    int
}

// value is a text or a list. What else the language has as a constant is an empty text.
type value struct {
	text string
	list []value
}

// reader reads the part of HCL's native syntax that lock files are written in: blocks,
// attributes, texts without templates, lists and constants (HCL Native Syntax Specification).
type reader struct {
	data   []byte
	pos    int
	values int
	err    error
}

// readHCL returns the fields of a file. After an error it has what came before.
func readHCL(data []byte) ([]field, error) {
	r := &reader{data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))}
	out := r.fields(0)
	if r.err == nil && r.pos < len(r.data) {
		r.fail("expected a name", fault.Invalid)
	}
	return out, r.err
}

// fail makes what is wrong the reader's error, if it is the first, and ends the reading.
func (r *reader) fail(what string, kind error) {
	if r.err == nil {
		r.err = fmt.Errorf("line %d: %s: %w", r.line(r.pos), what, kind)
	}
	r.pos = len(r.data)
}

func (r *reader) line(pos int) int {
	return 1 + bytes.Count(r.data[:min(pos, len(r.data))], []byte{'\n'})
}

// count charges one field, value or label.
func (r *reader) count(depth int) bool {
	r.values++
	switch {
	case r.err != nil:
	case r.values > maxValues:
		r.err = &fault.LimitError{What: "values of a lock file", Where: fmt.Sprintf("byte %d", r.pos), Max: maxValues, Seen: maxValues + 1}
	case depth > maxDepth:
		r.err = &fault.LimitError{What: "nested values of a lock file", Where: fmt.Sprintf("byte %d", r.pos), Max: maxDepth, Seen: maxDepth + 1}
	}
	return r.err == nil
}

// fields reads attributes and blocks up to a closing brace or the end. A field that is cut
// short by an error is kept where its name and labels were read.
func (r *reader) fields(depth int) (out []field) {
	counted, line := 0, 1 // where lines have been counted to
	for r.err == nil {
		r.space()
		start := r.pos
		f := field{name: r.word()}
		if f.name == "" || !r.count(depth) {
			return out
		}
		if depth == 0 {
			line += bytes.Count(r.data[counted:start], []byte{'\n'})
			counted, f.line = start, line
		}
		for r.space(); r.err == nil && (r.peek() == '"' || isName(r.peek())) && r.count(depth); r.space() {
			if r.peek() == '"' {
				f.labels = append(f.labels, r.text())
			} else {
				f.labels = append(f.labels, r.word())
			}
		}
		switch {
		case r.err != nil:
			return out
		case r.take('=') && len(f.labels) == 0:
			f.value = r.read(depth + 1)
		case r.take('{'):
			f.isBlock, f.body = true, r.fields(depth+1)
			if r.space(); r.err == nil && !r.take('}') {
				r.fail("expected a name or '}'", fault.Invalid)
			}
		default:
			r.fail("expected '=' or '{'", fault.Invalid)
			return out
		}
		out = append(out, f)
	}
	return out
}

// read reads a value.
func (r *reader) read(depth int) (v value) {
	if !r.count(depth) {
		return v
	}
	r.space()
	switch c := r.peek(); {
	case c == '"':
		v.text = r.text()
	case c == '[':
		r.pos++
		for r.space(); r.err == nil && !r.take(']'); r.space() {
			v.list = append(v.list, r.read(depth+1))
			if r.space(); r.err == nil && !r.take(',') && r.peek() != ']' {
				r.fail("expected ',' or ']'", fault.Invalid)
			}
		}
	case '0' <= c && c <= '9', c == '-':
		r.pos++
		for isName(r.peek()) || r.peek() == '.' {
			r.pos++
		}
	default:
		if w := r.word(); w != "true" && w != "false" && w != "null" {
			r.fail("a value that is no text, list or constant", fault.Unsupported)
		}
	}
	return v
}

// peek returns the byte at the position, or 0 at the end.
func (r *reader) peek() byte {
	if r.pos < len(r.data) {
		return r.data[r.pos]
	}
	return 0
}

func (r *reader) take(mark byte) bool {
	if r.peek() != mark {
		return false
	}
	r.pos++
	return true
}

func isName(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// word reads a name, or nothing.
func (r *reader) word() string {
	start := r.pos
	for r.pos < len(r.data) && isName(r.data[r.pos]) {
		r.pos++
	}
	return string(r.data[start:r.pos])
}

// space moves over blanks, line breaks and comments.
func (r *reader) space() {
	for r.pos < len(r.data) {
		rest := r.data[r.pos:]
		switch c := rest[0]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			r.pos++
		case c == '#' || bytes.HasPrefix(rest, []byte("//")):
			n := bytes.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			r.pos += n
		case bytes.HasPrefix(rest, []byte("/*")):
			n := bytes.Index(rest[2:], []byte("*/"))
			if n < 0 {
				r.fail("comment without end", fault.Invalid)
				return
			}
			r.pos += n + 4
		default:
			return
		}
	}
}

// text reads a text in quotes.
func (r *reader) text() string {
	var out []byte
	for r.pos++; r.err == nil; {
		n := bytes.IndexAny(r.data[r.pos:], "\"\\\n$%")
		if n < 0 {
			r.fail("text without end", fault.Invalid)
			break
		}
		out = append(out, r.data[r.pos:r.pos+n]...)
		r.pos += n
		rest := r.data[r.pos:]
		switch c := rest[0]; {
		case c == '"':
			r.pos++
			return jsontext.Clean(out)
		case c == '\n':
			r.fail("text without end on its line", fault.Invalid)
		case c == '\\':
			var size int
			if out, size = escape(out, rest); size == 0 {
				r.fail("unknown escape in a text", fault.Invalid)
			}
			r.pos += size
		case len(rest) > 2 && rest[1] == c && rest[2] == '{': // "$${" is no template
			out = append(out, c, '{')
			r.pos += 3
		case len(rest) > 1 && rest[1] == '{':
			r.fail("a template in a text", fault.Unsupported)
		default:
			out = append(out, c)
			r.pos++
		}
	}
	return jsontext.Clean(out)
}

// escape decodes the escape that b begins with, and returns its length or 0.
func escape(out, b []byte) ([]byte, int) {
	if len(b) < 2 {
		return out, 0
	}
	if i := strings.IndexByte(`nrt"\`, b[1]); i >= 0 {
		return append(out, "\n\r\t\"\\"[i]), 2
	}
	digits := map[byte]int{'u': 4, 'U': 8}[b[1]]
	if digits == 0 || len(b) < 2+digits {
		return out, 0
	}
	v, err := strconv.ParseUint(string(b[2:2+digits]), 16, 32)
	if err != nil || v > utf8.MaxRune {
		return out, 0
	}
	return utf8.AppendRune(out, rune(v)), 2 + digits
}
