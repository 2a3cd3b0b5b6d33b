package hex

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
)

// The limits on the terms of one file.
const (
	maxTerms = 1_000_000
	maxDepth = 500
)

// term is a value of Erlang or Elixir as it is written down. A map is a list of pairs, and
// so is a list of Elixir's "key: value".
type term struct {
	kind  kind
	line  int
	text  []byte // of an atom, a text or a number; may be a part of the input
	items []term // of a tuple or a list
}

type kind uint8

const (
	none kind = iota // what is not there, and Elixir's nil
	atom
	text // a string or binary
	number
	tuple
	list
)

// at returns an item of a tuple or list, or an empty term.
func (t *term) at(i int) *term {
	if 0 <= i && i < len(t.items) {
		return &t.items[i]
	}
	return &term{}
}

// str returns what an atom or text says.
func (t *term) str() string {
	if t.kind == atom || t.kind == text {
		return clean(t.text)
	}
	return ""
}

// get returns what stands beside a name in a list of pairs, or an empty term.
func (t *term) get(name string) *term {
	for i := range t.items {
		if p := &t.items[i]; p.kind == tuple && len(p.items) == 2 && string(p.items[0].text) == name {
			return &p.items[1]
		}
	}
	return &term{}
}

// reader reads terms of Erlang, as file:consult/1 does, or of Elixir, as far as they are
// constants. The first error sticks. What stands before it is kept, but for a tuple that is
// cut, unless it is cut in a list inside it: half a tuple may say something else.
type reader struct {
	data   []byte
	pos    int
	line   int
	depth  int
	terms  int
	elixir bool
	err    error
}

func newReader(data []byte, elixir bool) *reader {
	return &reader{data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), line: 1, elixir: elixir}
}

// all reads the terms of an Erlang file, each with a full stop at its end, into a list.
func (r *reader) all() term {
	out := term{kind: list, line: 1}
	for r.peek() != 0 {
		if t, ok := r.term(); ok {
			out.items = append(out.items, t)
		}
		if r.peek() != '.' {
			r.fail("expected '.' after a term")
			break
		}
		r.pos++
	}
	return out
}

// one reads the one term of an Elixir file. An empty file has none.
func (r *reader) one() term {
	if r.peek() == 0 {
		return term{}
	}
	t, _ := r.term()
	if r.peek() != 0 {
		r.fail("text after the end of the value")
	}
	return t
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("line %d: %s: %w", r.line, what, fault.Invalid)
	}
	r.pos = len(r.data)
}

func (r *reader) limit(what string, most int64) {
	if r.err == nil {
		r.err = &fault.LimitError{What: what, Where: fmt.Sprintf("line %d", r.line), Max: most, Seen: most + 1}
	}
	r.pos = len(r.data)
}

// peek moves over white space and comments and returns the next byte, or 0 at the end.
func (r *reader) peek() byte {
	for r.pos < len(r.data) {
		switch c := r.data[r.pos]; {
		case c == '\n':
			r.line++
			r.pos++
		case c == ' ' || c == '\t' || c == '\r':
			r.pos++
		case c == '%' && !r.elixir, c == '#' && r.elixir:
			if n := bytes.IndexByte(r.data[r.pos:], '\n'); n >= 0 {
				r.pos += n
			} else {
				r.pos = len(r.data)
			}
		case c == 0:
			r.fail("a NUL byte")
		default:
			return c
		}
	}
	return 0
}

// has moves over a word if it stands here.
func (r *reader) has(word string) bool {
	if !bytes.HasPrefix(r.data[r.pos:], []byte(word)) {
		return false
	}
	r.pos += len(word)
	return true
}

// term reads one term. It reports false where there is none, or a tuple that is cut.
func (r *reader) term() (t term, ok bool) {
	c := r.peek()
	if r.terms++; r.terms > maxTerms {
		r.limit("terms", maxTerms)
		return t, false
	}
	t.line = r.line
	switch {
	case !r.elixir && r.has("<<"):
		t.kind, t.text = text, r.binary()
	case r.elixir && r.has("%{"), !r.elixir && r.has("#{"):
		t.kind, t.items = list, r.items('}')
	case c == '{':
		r.pos++
		t.kind, t.items = tuple, r.items('}')
		last := t.at(len(t.items) - 1)
		return t, r.err == nil || last.kind == list
	case c == '[':
		r.pos++
		t.kind, t.items = list, r.items(']')
	case c == '"':
		var b joined
		b.add(r.quoted('"'))
		for !r.elixir && r.peek() == '"' { // "one " "text"
			b.add(r.quoted('"'))
		}
		t.kind, t.text = text, b.text
	case c == '\'':
		if t.kind = atom; r.elixir {
			t.kind = text
		}
		t.text = r.quoted('\'')
	case c == ':' && r.elixir:
		r.pos++
		if t.kind = atom; r.pos < len(r.data) && r.data[r.pos] == '"' {
			t.text = r.quoted('"')
		} else {
			t.text = r.name()
		}
	case c == '$' && !r.elixir:
		t.kind, t.text = number, r.character()
	case c == '-' || c == '+' || '0' <= c && c <= '9':
		t.kind, t.text = number, r.number()
	case isName(c):
		t.kind, t.text = atom, r.name()
		switch {
		case !r.elixir && string(t.text) == "fun":
			r.function()
		case r.elixir && string(t.text) == "nil":
			t.kind = none
		}
	case c == 0:
		r.fail("unexpected end of the file")
	default:
		r.fail(fmt.Sprintf("unexpected %q", c))
	}
	return t, t.kind == list || r.err == nil
}

// items reads what stands in a tuple, list or map up to its end.
func (r *reader) items(end byte) (out []term) {
	if r.depth++; r.depth > maxDepth {
		r.limit("nested terms", maxDepth)
		return nil
	}
	defer func() { r.depth-- }()
	for r.peek() != end {
		t, ok := r.term()
		if !ok {
			return out
		}
		colon := r.elixir && (t.kind == atom || t.kind == text) && r.pos < len(r.data) && r.data[r.pos] == ':' // key: value
		if colon {
			r.pos++
		}
		if r.peek(); colon || r.has("=>") {
			value, ok := r.term()
			if !ok || r.err != nil {
				return out
			}
			t = term{kind: tuple, line: t.line, items: []term{t, value}}
		}
		out = append(out, t)
		switch r.peek() {
		case end:
		case ',', '|':
			r.pos++
		default:
			r.fail(fmt.Sprintf("expected ',' or %q", end))
			return out
		}
	}
	r.pos++
	return out
}

func isName(c byte) bool {
	return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' || c >= utf8.RuneSelf
}

// name moves over a word: an atom of Erlang without quotes, a name or a module of Elixir.
func (r *reader) name() []byte {
	start := r.pos
	for r.pos < len(r.data) {
		c := r.data[r.pos]
		if !isName(c) && !('0' <= c && c <= '9') && c != '@' && !(r.elixir && strings.IndexByte(".?!", c) >= 0) {
			break
		}
		r.pos++
	}
	if r.pos == start {
		r.fail("expected a name")
	}
	return r.data[start:r.pos]
}

// number moves over a number: "-1", "16#ff", "1.5e-3", "1_000".
func (r *reader) number() []byte {
	start := r.pos
	r.pos++
	for r.pos < len(r.data) {
		c := r.data[r.pos]
		digit := func(i int) bool { return i < len(r.data) && '0' <= r.data[i] && r.data[i] <= '9' }
		sign := (c == '-' || c == '+') && r.data[r.pos-1]|0x20 == 'e' && digit(r.pos+1)
		if !isName(c) && !digit(r.pos) && c != '#' && !(c == '.' && digit(r.pos+1)) && !sign {
			break
		}
		r.pos++
	}
	return r.data[start:r.pos]
}

// character moves over "$a" and "$\n".
func (r *reader) character() []byte {
	start := r.pos
	r.pos++
	r.has(`\`)
	if r.pos == len(r.data) {
		r.fail("unexpected end of the file")
	}
	_, n := utf8.DecodeRune(r.data[r.pos:])
	r.pos += n
	return r.data[start:r.pos]
}

// function moves over the rest of "fun module:name/1".
func (r *reader) function() {
	if c := r.peek(); !isName(c) && c != '\'' {
		return // an atom, though one that would need quotes
	}
	for r.pos < len(r.data) && strings.IndexByte(",}])\n", r.data[r.pos]) < 0 {
		r.pos++
	}
}

// binary reads what follows "<<": texts and bytes, with or without a type behind "/" or ":".
func (r *reader) binary() []byte {
	var b joined
	for {
		switch c := r.peek(); {
		case r.has(">>"):
			return b.text
		case c == '"':
			b.add(r.quoted('"'))
		case '0' <= c && c <= '9':
			n, err := strconv.ParseUint(string(r.number()), 10, 8)
			if err != nil {
				r.fail("a byte that is none")
				return nil
			}
			b.add([]byte{byte(n)})
		case c == '<' || c == 0:
			r.fail("binary without end")
			return nil
		default:
			r.fail(fmt.Sprintf("unexpected %q in a binary", c))
			return nil
		}
		for r.peek(); r.has("/") || r.has(":") || r.has("-"); r.peek() { // utf8, 8, unsigned-integer
			for r.pos < len(r.data) && (isName(r.data[r.pos]) || '0' <= r.data[r.pos] && r.data[r.pos] <= '9') {
				r.pos++
			}
		}
		r.has(",")
	}
}

// joined is a text of several parts. One part alone is not copied.
type joined struct {
	text []byte
	own  bool
}

func (b *joined) add(part []byte) {
	switch {
	case b.text == nil:
		b.text = part
	case b.own:
		b.text = append(b.text, part...)
	default:
		b.text, b.own = append(append(make([]byte, 0, 2*(len(b.text)+len(part))), b.text...), part...), true
	}
}

// quoted reads a text in quotation marks: a part of the input where there is nothing to
// unescape.
func (r *reader) quoted(mark byte) []byte {
	r.pos++
	start, escaped := r.pos, false
	for ; r.pos < len(r.data); r.pos++ {
		switch r.data[r.pos] {
		case mark:
			raw := r.data[start:r.pos]
			r.pos++
			if escaped {
				return unescape(raw)
			}
			return raw
		case '\\':
			escaped = true
			if r.pos++; r.pos < len(r.data) && r.data[r.pos] == '\n' {
				r.line++
			}
		case '\n':
			r.line++
		}
	}
	r.fail("text without end")
	return nil
}

// unescape resolves the escapes that both languages have.
func unescape(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		n := bytes.IndexByte(raw, '\\')
		if n < 0 || n+1 == len(raw) {
			return append(out, raw...)
		}
		out = append(out, raw[:n]...)
		c := raw[n+1]
		raw = raw[n+2:]
		switch at := strings.IndexByte("nrtsebfvda", c); {
		case at >= 0:
			out = append(out, "\n\r\t \x1b\b\f\v\x7f\a"[at])
		case c == 'x' || c == 'u':
			var char rune
			char, raw = codePoint(raw, c)
			out = utf8.AppendRune(out, char)
		default:
			out = append(out, c)
		}
	}
	return out
}

// codePoint reads the digits of "\x41", "\x{1f517}" and "\u00e9".
func codePoint(raw []byte, kind byte) (rune, []byte) {
	digits, rest := raw[:min(2, len(raw))], raw[min(2, len(raw)):]
	switch end := bytes.IndexByte(raw, '}'); {
	case len(raw) > 0 && raw[0] == '{' && end > 0 && end < 10:
		digits, rest = raw[1:end], raw[end+1:]
	case kind == 'u':
		digits, rest = raw[:min(4, len(raw))], raw[min(4, len(raw)):]
	}
	n, err := strconv.ParseUint(string(digits), 16, 32)
	if err != nil || n > utf8.MaxRune {
		n = utf8.RuneError
	}
	return rune(n), rest
}
