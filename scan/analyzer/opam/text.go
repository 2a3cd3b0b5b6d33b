package opam

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
)

// Limits of one file.
const (
	maxDepth  = 100
	maxValues = 200_000
)

// value is what a field holds: a text, a list, or a word of which nothing is known. A value
// may have a filter: "dune" {= "3.0" & with-test}.
type value struct {
	text   string
	isText bool
	list   []value
	filter []token
}

// texts returns the text, or those of a list.
func (v *value) texts() (out []string) {
	if v == nil {
		return nil
	}
	if v.isText {
		return []string{v.text}
	}
	for i := range v.list {
		if v.list[i].isText {
			out = append(out, v.list[i].text)
		}
	}
	return out
}

// first returns the first text, or "".
func (v *value) first() string {
	if t := v.texts(); len(t) > 0 {
		return strings.Join(strings.Fields(t[0]), " ")
	}
	return ""
}

// token is a text, a word or a mark.
type token struct {
	kind byte // '"', 'w', or the mark itself; 0 at the end
	text string
}

// reader reads an opam file (https://opam.ocaml.org/doc/Manual.html, "Common file format").
// Fields of sections ("url { … }") are named after both: "url.src".
type reader struct {
	data   []byte
	pos    int
	next   token
	values int
	err    error
}

// readFields returns the fields of a file; of several of one name the last. After an error it
// has what came before.
func readFields(data []byte) (map[string]*value, error) {
	r := &reader{data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))}
	out := map[string]*value{}
	r.advance()
	r.fields("", 0, out)
	if r.err == nil && r.next.kind != 0 {
		r.fail("expected a field")
	}
	return out, r.err
}

// fields reads "name: value" and "name "label" { fields }".
func (r *reader) fields(prefix string, depth int, out map[string]*value) {
	for r.err == nil && r.next.kind == 'w' {
		name := prefix + r.next.text
		r.advance()
		if r.next.kind == ':' {
			r.advance()
			v := r.value(0)
			out[name] = &v
			continue
		}
		for r.next.kind == '"' {
			r.advance()
		}
		if r.next.kind != '{' || depth >= maxDepth {
			r.fail("expected a value or a section")
			return
		}
		r.advance()
		r.fields(name+".", depth+1, out)
		r.expect('}')
	}
}

// value reads one value. What operators join ("a | b", "(a)") is a list.
func (r *reader) value(depth int) (v value) {
	if r.values++; r.values > maxValues || depth > maxDepth {
		if r.err == nil {
			r.err = &fault.LimitError{What: "values, or their depth,", Where: fmt.Sprintf("line %d", r.line()), Max: maxValues, Seen: int64(r.values)}
		}
		return v
	}
	switch t := r.next; t.kind {
	case '"':
		v = value{text: t.text, isText: true}
		r.advance()
	case 'w':
		r.advance()
	case '[', '(':
		end := map[byte]byte{'[': ']', '(': ')'}[t.kind]
		r.advance()
		for r.err == nil && r.next.kind != end {
			if r.next.kind == 'o' {
				r.advance()
				continue
			}
			v.list = append(v.list, r.value(depth+1))
		}
		r.expect(end)
	default:
		r.fail("expected a value")
		return v
	}
	if r.next.kind == '{' {
		v.filter = r.filter()
	}
	return v
}

// filter reads the tokens of "{ … }", with those of inner braces.
func (r *reader) filter() (out []token) {
	r.advance()
	for open := 1; r.err == nil; r.advance() {
		switch r.next.kind {
		case 0:
			r.fail("expected }")
		case '{':
			open++
		case '}':
			if open--; open == 0 {
				r.advance()
				return out
			}
		}
		if r.values++; r.values > maxValues {
			r.err = &fault.LimitError{What: "values", Where: fmt.Sprintf("line %d", r.line()), Max: maxValues, Seen: maxValues + 1}
		}
		out = append(out, r.next)
	}
	return nil
}

func (r *reader) line() int { return 1 + bytes.Count(r.data[:min(r.pos, len(r.data))], []byte{'\n'}) }

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("line %d: %s: %w", r.line(), what, fault.Invalid)
	}
	r.next = token{}
}

func (r *reader) expect(kind byte) {
	if r.next.kind != kind {
		r.fail("expected " + string(kind))
		return
	}
	r.advance()
}

// advance reads the next token.
func (r *reader) advance() {
	r.space()
	r.next = token{}
	if r.err != nil || r.pos >= len(r.data) {
		return
	}
	c := r.data[r.pos]
	switch {
	case c == '"':
		r.quoted()
	case isWord(c):
		start := r.pos
		for r.pos < len(r.data) && isWord(r.data[r.pos]) {
			r.pos++
		}
		r.next = token{'w', jsontext.Clean(r.data[start:r.pos])}
	case bytes.IndexByte([]byte("[](){}:"), c) >= 0:
		r.pos++
		r.next = token{c, string(c)}
	case bytes.IndexByte([]byte("=<>!&|?"), c) >= 0:
		start := r.pos
		for r.pos < len(r.data) && bytes.IndexByte([]byte("=<>!&|?"), r.data[r.pos]) >= 0 {
			r.pos++
		}
		r.next = token{'o', string(r.data[start:r.pos])}
	default:
		r.fail("a character that no value begins with")
	}
}

func isWord(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || bytes.IndexByte([]byte("_-+./%~@^"), c) >= 0
}

// space passes blanks and comments: "# …" and "(* … *)", which nest.
func (r *reader) space() {
	for open := 0; r.pos < len(r.data); {
		rest := r.data[r.pos:]
		switch {
		case bytes.HasPrefix(rest, []byte("(*")):
			open++
			r.pos += 2
		case open > 0 && bytes.HasPrefix(rest, []byte("*)")):
			open--
			r.pos += 2
		case open > 0 || rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\n' || rest[0] == '\r':
			r.pos++
		case rest[0] == '#':
			n := bytes.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			r.pos += n
		default:
			return
		}
	}
}

// quoted reads "text" or """text""".
func (r *reader) quoted() {
	mark := []byte(`"`)
	if bytes.HasPrefix(r.data[r.pos:], []byte(`"""`)) {
		mark = []byte(`"""`)
	}
	r.pos += len(mark)
	var text []byte
	for r.pos < len(r.data) {
		rest := r.data[r.pos:]
		switch {
		case bytes.HasPrefix(rest, mark):
			r.pos += len(mark)
			r.next = token{'"', jsontext.Clean(text)}
			return
		case rest[0] == '\\' && len(rest) > 1:
			if c := rest[1]; c != '\n' {
				text = append(text, map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', 'b': '\b'}[c])
				if text[len(text)-1] == 0 {
					text[len(text)-1] = c
				}
			}
			r.pos += 2
		default:
			text = append(text, rest[0])
			r.pos++
		}
	}
	r.fail("a text that does not end")
}
