// Package jsontext reads JSON documents of package managers: manifests and lockfiles, of
// which a few members count and all must be well-formed.
package jsontext

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// MaxDepth bounds how deep objects and arrays, blocks and flows may nest.
const MaxDepth = 500

// Reader is a JSON reader (RFC 8259) over a document in memory. It hands out
// what the caller asks for and skips the rest, but checks the syntax of all of
// it: what it accepts, JSON.parse accepts. Of members with one name the last
// one counts, as there, when the caller overwrites what it has.
//
// The first error sticks: all methods do nothing after it.
type Reader struct {
	data  []byte
	pos   int
	depth int
	err   error
}

// New returns a reader of data. A byte order mark is left out, as node
// does for package.json.
func New(data []byte) *Reader {
	return &Reader{data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))}
}

// Document reads the whole document with value and returns the error, which
// names the line.
func (r *Reader) Document(value func()) error {
	value()
	if r.err == nil && r.Peek() != 0 {
		r.Fail("text after the end of the value")
	}
	if r.err == nil && r.pos < len(r.data) {
		r.Fail("text after the end of the value") // a NUL byte
	}
	return r.err
}

// Err returns the first error.
func (r *Reader) Err() error { return r.err }

// Rest returns what has not been read.
func (r *Reader) Rest() []byte { return r.data[r.pos:] }

// Fail makes what is wrong the reader's error, if it is the first, and names the line.
func (r *Reader) Fail(what string) {
	if r.err == nil {
		pos := min(r.pos, len(r.data))
		line := 1 + bytes.Count(r.data[:pos], []byte{'\n'})
		r.err = fmt.Errorf("line %d (byte %d): %s: %w", line, pos, what, fault.Invalid)
	}
	r.pos = len(r.data)
}

// Peek moves over white space and returns the next byte, or 0 at the end and
// after an error.
func (r *Reader) Peek() byte {
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

// Object calls each for every member of the next value, in order. each may
// read the member's value; otherwise it is skipped. If the next value is not
// an object it is skipped, and object reports false.
func (r *Reader) Object(each func(key []byte)) bool {
	if r.Peek() != '{' {
		r.Skip()
		return false
	}
	if !r.enter() {
		return true
	}
	for closed := r.closes('}'); !closed && r.err == nil; closed = r.next('}') {
		if r.Peek() != '"' {
			r.Fail("expected a member name in quotes")
			return true
		}
		key := r.Quoted()
		if r.Peek() != ':' {
			r.Fail("expected ':' after a member name")
			return true
		}
		r.pos++
		if start := r.start(); r.err == nil {
			if each(key); r.pos == start {
				r.Skip()
			}
		}
	}
	r.depth--
	return true
}

// Array calls each for every element of the next value, like object.
func (r *Reader) Array(each func()) bool {
	if r.Peek() != '[' {
		r.Skip()
		return false
	}
	if !r.enter() {
		return true
	}
	for closed := r.closes(']'); !closed && r.err == nil; closed = r.next(']') {
		if start := r.start(); r.err == nil {
			if each(); r.pos == start {
				r.Skip()
			}
		}
	}
	r.depth--
	return true
}

// Text returns the next value if it is a string. Any other value is skipped.
// Ill-formed UTF-8 and lone surrogates become U+FFFD, as in node.
func (r *Reader) Text() (string, bool) {
	if r.Peek() != '"' {
		r.Skip()
		return "", false
	}
	return Clean(r.Quoted()), r.err == nil
}

// Truth reports whether the next value is true. Any value is consumed.
func (r *Reader) Truth() bool {
	is := r.Peek() == 't'
	r.Skip()
	return is
}

// Skip moves over one value and checks its syntax.
func (r *Reader) Skip() {
	switch c := r.Peek(); {
	case c == '"':
		r.pass()
	case c == '{':
		r.Object(func([]byte) {})
	case c == '[':
		r.Array(func() {})
	case c == '-' || '0' <= c && c <= '9':
		r.number()
	case c == 't':
		r.word("true")
	case c == 'f':
		r.word("false")
	case c == 'n':
		r.word("null")
	case r.pos >= len(r.data):
		r.Fail("unexpected end of the document")
	default:
		r.Fail(fmt.Sprintf("unexpected %q", c))
	}
}

// Raw returns the next value as it is written.
func (r *Reader) Raw() []byte {
	start := r.start()
	r.Skip()
	return r.data[start:r.pos]
}

func (r *Reader) enter() bool {
	if r.depth++; r.depth > MaxDepth {
		r.err = &fault.LimitError{What: "nested values", Where: fmt.Sprintf("byte %d", r.pos), Max: MaxDepth, Seen: int64(r.depth)}
		r.pos = len(r.data)
		return false
	}
	r.pos++
	return true
}

func (r *Reader) closes(end byte) bool {
	if r.Peek() != end {
		return false
	}
	r.pos++
	return true
}

// next moves behind the comma or the closing bracket after a value.
func (r *Reader) next(end byte) bool {
	switch r.Peek() {
	case end:
		r.pos++
		return true
	case ',':
		r.pos++
	default:
		if r.err == nil {
			r.Fail(fmt.Sprintf("expected ',' or %q", end))
		}
	}
	return false
}

// start is where the next value begins.
func (r *Reader) start() int {
	r.Peek()
	return r.pos
}

// pass moves over a string.
func (r *Reader) pass() {
	r.pos++
	for {
		r.pos += Plain(r.data[r.pos:])
		switch {
		case r.pos >= len(r.data):
			r.Fail("string without end")
			return
		case r.data[r.pos] == '"':
			r.pos++
			return
		case r.data[r.pos] != '\\':
			r.Fail("control character in a string")
			return
		}
		if n := Escape(r.data[r.pos:]); n > 0 {
			r.pos += n
		} else {
			r.Fail("unknown escape in a string")
			return
		}
	}
}

// Quoted moves over a string and returns its bytes: a part of the document
// where there is nothing to unescape.
func (r *Reader) Quoted() []byte {
	start := r.pos + 1
	r.pass()
	if r.err != nil {
		return nil
	}
	raw := r.data[start : r.pos-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw
	}
	return Unescape(raw)
}

func (r *Reader) word(w string) {
	if !bytes.HasPrefix(r.data[r.pos:], []byte(w)) {
		r.Fail("expected " + w)
		return
	}
	r.pos += len(w)
}

func (r *Reader) number() {
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
		r.Fail("malformed number")
	}
}
