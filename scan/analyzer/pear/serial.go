package pear

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
)

// Limits of one file.
const (
	maxDepth  = 50
	maxValues = 1_000_000
)

// reader reads what PHP's serialize writes of arrays, texts, numbers and null: lengths are in
// bytes, and nothing is escaped (PHP manual, "serialize"). Objects and references, which PEAR
// does not write, are an error. It hands out what the caller asks for and skips the rest. The
// first error sticks.
type reader struct {
	data          []byte
	pos           int
	depth, values int
	err           error
}

func (r *reader) fail(what string, kind error) {
	if r.err == nil {
		r.err = fmt.Errorf("byte %d: %s: %w", r.pos, what, kind)
	}
	r.pos = len(r.data)
}

// end checks that nothing but white space follows.
func (r *reader) end() {
	if r.err == nil && len(bytes.TrimSpace(r.data[r.pos:])) > 0 {
		r.fail("text after the end of the value", fault.Invalid)
	}
}

func (r *reader) peek() byte {
	if r.pos < len(r.data) {
		return r.data[r.pos]
	}
	return 0
}

// mark moves over a text that must follow.
func (r *reader) mark(text string) {
	if r.err == nil && !bytes.HasPrefix(r.data[r.pos:], []byte(text)) {
		r.fail("expected "+strconv.Quote(text), fault.Invalid)
		return
	}
	if r.err == nil {
		r.pos += len(text)
	}
}

// size reads the length in "s:5:" and "a:5:".
func (r *reader) size() int {
	r.pos++ // the letter
	r.mark(":")
	start := r.pos
	for c := r.peek(); '0' <= c && c <= '9'; c = r.peek() {
		r.pos++
	}
	n, err := strconv.Atoi(string(r.data[start:min(r.pos, start+20)]))
	if r.err == nil && (err != nil || n > len(r.data)) {
		r.pos = start
		r.fail("a length that cannot be", fault.Invalid)
	}
	r.mark(":")
	return n
}

// raw reads a text.
func (r *reader) raw() []byte {
	n := r.size()
	r.mark(`"`)
	if r.err == nil && n > len(r.data)-r.pos {
		r.fail("text without end", fault.Invalid)
	}
	if r.err != nil {
		return nil
	}
	text := r.data[r.pos : r.pos+n]
	r.pos += n
	r.mark(`";`)
	return text
}

// count charges one value.
func (r *reader) count() bool {
	if r.values++; r.err == nil && r.values > maxValues {
		r.err = &fault.LimitError{What: "values of a package file", Where: fmt.Sprintf("byte %d", r.pos), Max: maxValues, Seen: maxValues + 1}
		r.pos = len(r.data)
	}
	return r.err == nil
}

// line returns the next value as one line if it is a text. Anything else is left where it is.
func (r *reader) line() (string, bool) {
	if r.err != nil || r.peek() != 's' || !r.count() {
		return "", false
	}
	text := r.raw()
	return strings.Join(strings.Fields(jsontext.Clean(text)), " "), r.err == nil
}

// array calls each for every entry of the next value, in order; a number as key is a text. each
// may read the entry's value, else it is skipped. If the value is no array it is left where it
// is, and array reports false.
func (r *reader) array(each func(key string)) bool {
	if r.err != nil || r.peek() != 'a' || !r.count() {
		return false
	}
	if r.depth++; r.depth > maxDepth {
		r.err = &fault.LimitError{What: "nested arrays of a package file", Where: fmt.Sprintf("byte %d", r.pos), Max: maxDepth, Seen: int64(r.depth)}
		return true
	}
	n := r.size()
	r.mark("{")
	for ; n > 0 && r.err == nil; n-- {
		key := r.key()
		if r.err != nil {
			break
		}
		start := r.pos
		if each(key); r.err == nil && r.pos == start {
			r.skip()
		}
	}
	r.mark("}")
	r.depth--
	return true
}

// each calls read for every element of the next value if it is a list, and else for the value
// itself: what an element of XML is that may be repeated.
func (r *reader) each(read func()) {
	if r.peek() != 'a' || !r.isList() {
		read()
		return
	}
	r.array(func(string) { read() })
}

// isList reports whether the array that follows has numbers for keys.
func (r *reader) isList() bool {
	open := bytes.IndexByte(r.data[r.pos:min(len(r.data), r.pos+30)], '{')
	return open >= 0 && bytes.HasPrefix(r.data[r.pos+open+1:], []byte("i:"))
}

func (r *reader) key() string {
	switch r.peek() {
	case 's':
		return string(r.raw())
	case 'i':
		return r.plain()
	}
	r.fail("expected a key", fault.Invalid)
	return ""
}

// plain reads a number or truth, up to its semicolon.
func (r *reader) plain() string {
	n := bytes.IndexByte(r.data[r.pos:min(len(r.data), r.pos+400)], ';')
	if n < 3 || r.data[r.pos+1] != ':' || bytes.ContainsAny(r.data[r.pos:r.pos+n], "{}\"\n") {
		r.fail("malformed number", fault.Invalid)
		return ""
	}
	text := string(r.data[r.pos+2 : r.pos+n])
	r.pos += n + 1
	return text
}

// skip moves over one value.
func (r *reader) skip() {
	if r.peek() == 'a' {
		r.array(func(string) {})
		return
	}
	if !r.count() {
		return
	}
	switch r.peek() {
	case 's':
		r.raw()
	case 'i', 'd', 'b':
		r.plain()
	case 'N':
		r.mark("N;")
	case 'O', 'C', 'E', 'r', 'R', 'S':
		r.fail("an object or a reference", fault.Unsupported)
	default:
		r.fail("expected a value", fault.Invalid)
	}
}
