package npm

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// maxDepth bounds how deep objects and arrays, blocks and flows may nest.
const maxDepth = 500

// reader is a JSON reader (RFC 8259) over a document in memory. It hands out
// what the caller asks for and skips the rest, but checks the syntax of all of
// it: what it accepts, JSON.parse accepts. Of members with one name the last
// one counts, as there, when the caller overwrites what it has.
//
// The first error sticks: all methods do nothing after it.
type reader struct {
	data  []byte
	pos   int
	depth int
	err   error
}

// newReader returns a reader of data. A byte order mark is left out, as node
// does for package.json.
func newReader(data []byte) *reader {
	return &reader{data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))}
}

// document reads the whole document with value and returns the error, which
// names the line.
func (r *reader) document(value func()) error {
	value()
	if r.err == nil && r.peek() != 0 {
		r.fail("text after the end of the value")
	}
	if r.err == nil && r.pos < len(r.data) {
		r.fail("text after the end of the value") // a NUL byte
	}
	return r.err
}

func (r *reader) fail(what string) {
	if r.err == nil {
		pos := min(r.pos, len(r.data))
		line := 1 + bytes.Count(r.data[:pos], []byte{'\n'})
		r.err = fmt.Errorf("line %d (byte %d): %s: %w", line, pos, what, fault.Invalid)
	}
	r.pos = len(r.data)
}

// peek moves over white space and returns the next byte, or 0 at the end and
// after an error.
func (r *reader) peek() byte {
	for r.pos < len(r.data) {
		switch c := r.data[r.pos]; c {
		case ' ', '\n', '\r', '\t':
			r.pos++
		default:
			return c
		}
	}
	return 0
}

// object calls each for every member of the next value, in order. each may
// read the member's value; otherwise it is skipped. If the next value is not
// an object it is skipped, and object reports false.
func (r *reader) object(each func(key []byte)) bool {
	if r.peek() != '{' {
		r.skip()
		return false
	}
	if !r.enter() {
		return true
	}
	for closed := r.closes('}'); !closed && r.err == nil; closed = r.next('}') {
		if r.peek() != '"' {
			r.fail("expected a member name in quotes")
			return true
		}
		key := r.quoted()
		if r.peek() != ':' {
			r.fail("expected ':' after a member name")
			return true
		}
		r.pos++
		if start := r.start(); r.err == nil {
			if each(key); r.pos == start {
				r.skip()
			}
		}
	}
	r.depth--
	return true
}

// array calls each for every element of the next value, like object.
func (r *reader) array(each func()) bool {
	if r.peek() != '[' {
		r.skip()
		return false
	}
	if !r.enter() {
		return true
	}
	for closed := r.closes(']'); !closed && r.err == nil; closed = r.next(']') {
		if start := r.start(); r.err == nil {
			if each(); r.pos == start {
				r.skip()
			}
		}
	}
	r.depth--
	return true
}

// text returns the next value if it is a string. Any other value is skipped.
// Ill-formed UTF-8 and lone surrogates become U+FFFD, as in node.
func (r *reader) text() (string, bool) {
	if r.peek() != '"' {
		r.skip()
		return "", false
	}
	return clean(r.quoted()), r.err == nil
}

// truth reports whether the next value is true. Any value is consumed.
func (r *reader) truth() bool {
	is := r.peek() == 't'
	r.skip()
	return is
}

// skip moves over one value and checks its syntax.
func (r *reader) skip() {
	switch c := r.peek(); {
	case c == '"':
		r.pass()
	case c == '{':
		r.object(func([]byte) {})
	case c == '[':
		r.array(func() {})
	case c == '-' || '0' <= c && c <= '9':
		r.number()
	case c == 't':
		r.word("true")
	case c == 'f':
		r.word("false")
	case c == 'n':
		r.word("null")
	case r.pos >= len(r.data):
		r.fail("unexpected end of the document")
	default:
		r.fail(fmt.Sprintf("unexpected %q", c))
	}
}

func (r *reader) enter() bool {
	if r.depth++; r.depth > maxDepth {
		r.err = &fault.LimitError{What: "nested values", Where: fmt.Sprintf("byte %d", r.pos), Max: maxDepth, Seen: int64(r.depth)}
		r.pos = len(r.data)
		return false
	}
	r.pos++
	return true
}

func (r *reader) closes(end byte) bool {
	if r.peek() != end {
		return false
	}
	r.pos++
	return true
}

// next moves behind the comma or the closing bracket after a value.
func (r *reader) next(end byte) bool {
	switch r.peek() {
	case end:
		r.pos++
		return true
	case ',':
		r.pos++
	default:
		if r.err == nil {
			r.fail(fmt.Sprintf("expected ',' or %q", end))
		}
	}
	return false
}

// start is where the next value begins.
func (r *reader) start() int {
	r.peek()
	return r.pos
}

// pass moves over a string.
func (r *reader) pass() {
	r.pos++
	for {
		r.pos += plain(r.data[r.pos:])
		switch {
		case r.pos >= len(r.data):
			r.fail("string without end")
			return
		case r.data[r.pos] == '"':
			r.pos++
			return
		case r.data[r.pos] != '\\':
			r.fail("control character in a string")
			return
		}
		if n := escape(r.data[r.pos:]); n > 0 {
			r.pos += n
		} else {
			r.fail("unknown escape in a string")
			return
		}
	}
}

// quoted moves over a string and returns its bytes: a part of the document
// where there is nothing to unescape.
func (r *reader) quoted() []byte {
	start := r.pos + 1
	r.pass()
	if r.err != nil {
		return nil
	}
	raw := r.data[start : r.pos-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	return unescape(raw)
}

func (r *reader) word(w string) {
	if !bytes.HasPrefix(r.data[r.pos:], []byte(w)) {
		r.fail("expected " + w)
		return
	}
	r.pos += len(w)
}

func (r *reader) number() {
	digits := func() bool {
		from := r.pos
		for r.pos < len(r.data) && '0' <= r.data[r.pos] && r.data[r.pos] <= '9' {
			r.pos++
		}
		return r.pos > from
	}
	at := func(set string) bool {
		if r.pos < len(r.data) && strings.IndexByte(set, r.data[r.pos]) >= 0 {
			r.pos++
			return true
		}
		return false
	}
	at("-")
	ok := at("0") || digits()
	if ok && at(".") {
		ok = digits()
	}
	if ok && at("eE") {
		at("+-")
		ok = digits()
	}
	if !ok {
		r.fail("malformed number")
	}
}
