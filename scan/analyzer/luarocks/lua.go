package luarocks

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
)

// The limits on one program.
const (
	maxDepth  = 200
	maxValues = 500_000
	maxJoined = 16 << 20 // bytes of texts that ".." makes, together
)

// value is what an expression stands for: a text, a table, or something that is not known.
// Numbers and the like are not known: no file has one that matters. A nil value is not known.
type value struct {
	text   string
	isText bool
	fields []field
}

// field is one entry of a table; those of a list have no key.
type field struct {
	key   string
	value *value
}

// get returns the value under a key, or nil. The last one counts.
func (v *value) get(key string) *value {
	if v != nil {
		for i := len(v.fields) - 1; i >= 0; i-- {
			if v.fields[i].key == key {
				return v.fields[i].value
			}
		}
	}
	return new(value)
}

// line returns the text with its words on one line.
func (v *value) line() string { return strings.Join(strings.Fields(v.text), " ") }

// lua reads a program of the kind that LuaRocks has for data (Lua 5.4 reference manual, 9):
// assignments of constants, and at the end "return" with a value.
type lua struct {
	data   []byte
	pos    int
	depth  int
	values int
	joined int
	names  map[string]*value // of variables
	err    error
}

// readLua returns the global and local variables as fields of a table, or the table that the
// program returns. After an error it has what came before.
func readLua(data []byte) (*value, error) {
	l := &lua{data: bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), names: map[string]*value{}}
	if bytes.HasPrefix(l.data, []byte("#")) { // "#!/usr/bin/lua"
		l.pos = len(l.data)
		if n := bytes.IndexByte(l.data, '\n'); n >= 0 {
			l.pos = n
		}
	}
	root := &value{}
	for l.space(); l.err == nil && l.pos < len(l.data); l.space() {
		if v := l.statement(root); v != nil {
			return v, l.err
		}
	}
	return root, l.err
}

// statement reads one statement. It returns the value of a "return".
func (l *lua) statement(root *value) *value {
	if l.take(";") {
		return nil
	}
	word := l.word()
	switch {
	case word == "return":
		v := l.expression()
		l.take(";")
		if l.space(); l.err == nil && l.pos < len(l.data) {
			l.fail("text after return", fault.Invalid)
		}
		return v
	case word == "local":
		word = l.word()
		if l.take("<") { // an attribute
			l.word()
			l.expect(">")
		}
	}
	switch {
	case word == "":
		l.fail("expected an assignment", fault.Invalid)
	case isKeyword(word):
		l.fail(word+" is not read", fault.Unsupported)
	}
	in := root
	for l.take(".") {
		in, word = in.get(word), l.word() // a table that is not known takes it with it
	}
	l.expect("=")
	v := l.expression()
	if word == "" {
		return nil
	}
	in.fields = append(in.fields, field{word, v})
	if in == root {
		l.names[word] = v
	}
	return nil
}

func isKeyword(word string) bool {
	switch word {
	case "and", "break", "do", "else", "elseif", "end", "for", "function", "goto", "if", "in", "not", "or", "repeat", "then", "until", "while":
		return true
	}
	return false
}

// operators join two values into one that is not known, apart from "..". Longer ones first.
var operators = [...]string{"..", "==", "~=", "<=", ">=", "//", "<<", ">>", "+", "-", "*", "/", "%", "^", "<", ">", "&", "|", "~"}

// expression reads values with operators between them.
func (l *lua) expression() *value {
	if l.depth++; l.depth > maxDepth {
		l.limit("nested values", maxDepth)
	}
	defer func() { l.depth-- }()
	v := l.operand()
	var parts []string // of texts that are joined
	for l.err == nil {
		op := l.operator()
		if op == "" {
			break
		}
		w := l.operand()
		if op != ".." || !v.isText || !w.isText {
			v, parts = &value{}, nil
			continue
		}
		if parts == nil {
			parts = []string{v.text}
		}
		parts = append(parts, w.text)
	}
	if parts == nil {
		return v
	}
	n := 0
	for _, s := range parts {
		n += len(s)
	}
	if l.joined += n; l.joined > maxJoined {
		l.limit("bytes of joined texts", maxJoined)
		return &value{}
	}
	return &value{text: strings.Join(parts, ""), isText: true}
}

func (l *lua) operator() string {
	l.space()
	for _, op := range operators {
		if l.take(op) {
			return op
		}
	}
	for _, word := range [...]string{"and", "or"} {
		if rest := l.data[l.pos:]; bytes.HasPrefix(rest, []byte(word)) && (len(rest) == len(word) || !isName(rest[len(word)])) {
			l.pos += len(word)
			return word
		}
	}
	return ""
}

// operand reads one value and what is called on it.
func (l *lua) operand() *value {
	unary := false
	for l.take("-") || l.take("#") || l.take("~") {
		unary = true
	}
	v := l.primary()
	for l.err == nil {
		l.space()
		switch c := l.peek(); {
		case c == '.' && !bytes.HasPrefix(l.data[l.pos:], []byte("..")):
			l.pos++
			v = v.get(l.word())
		case c == ':':
			l.pos++
			l.word()
			v = &value{}
			l.arguments()
		case c == '[' && l.long() < 0:
			l.pos++
			v = v.get(l.expression().text)
			l.expect("]")
		case c == '(' || c == '{' || c == '"' || c == '\'' || c == '[':
			v = &value{}
			l.arguments()
		default:
			if unary {
				return &value{}
			}
			return v
		}
	}
	return v
}

// arguments reads what a function gets: a list, a table or a text.
func (l *lua) arguments() {
	if !l.take("(") {
		l.primary()
		return
	}
	for l.err == nil && !l.take(")") {
		l.expression()
		if !l.take(",") {
			l.expect(")")
			return
		}
	}
}

// primary reads a text, a table, a number, a name or what is in parentheses.
func (l *lua) primary() *value {
	if l.values++; l.values > maxValues {
		l.limit("values", maxValues)
		return &value{}
	}
	l.space()
	switch c := l.peek(); {
	case c == '"' || c == '\'':
		return &value{text: l.quoted(c), isText: true}
	case c == '[' && l.long() >= 0:
		return &value{text: l.bracketed(l.long()), isText: true}
	case c == '{':
		return l.table()
	case c == '(':
		l.pos++
		v := l.expression()
		l.expect(")")
		return v
	case '0' <= c && c <= '9' || c == '.':
		for l.pos < len(l.data) && (isName(l.data[l.pos]) || l.data[l.pos] == '.') {
			l.pos++
		}
		return &value{}
	}
	word := l.word()
	switch {
	case word == "":
		l.fail("expected a value", fault.Invalid)
	case word == "not":
		l.operand()
		return &value{}
	case isKeyword(word):
		l.fail(word+" is not read", fault.Unsupported)
	}
	if v := l.names[word]; v != nil {
		return v
	}
	return &value{}
}

// table reads { name = value, ["key"] = value, value }.
func (l *lua) table() *value {
	if l.depth++; l.depth > maxDepth {
		l.limit("nested values", maxDepth)
	}
	defer func() { l.depth-- }()
	l.pos++
	v := &value{}
	for l.err == nil && !l.take("}") {
		var f field
		switch start := l.pos; {
		case l.peek() == '[' && l.long() < 0:
			l.pos++
			f.key = l.expression().text
			l.expect("]")
			l.expect("=")
		default:
			if word := l.word(); word != "" && l.take("=") && l.peek() != '=' {
				f.key = word
			} else {
				l.pos = start
			}
		}
		f.value = l.expression()
		v.fields = append(v.fields, f)
		if !l.take(",") && !l.take(";") {
			l.expect("}")
			break
		}
		l.space()
	}
	return v
}

func (l *lua) fail(what string, kind error) {
	if l.err == nil {
		line := 1 + bytes.Count(l.data[:min(l.pos, len(l.data))], []byte{'\n'})
		l.err = fmt.Errorf("line %d: %s: %w", line, what, kind)
	}
	l.pos = len(l.data)
}

func (l *lua) limit(what string, most int64) {
	if l.err == nil {
		l.err = &fault.LimitError{What: what, Where: fmt.Sprintf("byte %d", l.pos), Max: most, Seen: most + 1}
	}
	l.pos = len(l.data)
}

func (l *lua) expect(mark string) {
	if !l.take(mark) {
		l.fail("expected "+mark, fault.Invalid)
	}
}

// text returns well-formed UTF-8.
func text(raw []byte) string { return jsontext.Clean(raw) }
