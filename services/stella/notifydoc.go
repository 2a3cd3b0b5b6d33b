package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/cel"
	"github.com/stella-ops/stella/internal/plain"
	"github.com/stella-ops/stella/policy/policyfile"
)

// The bounds of a document of settings.
const (
	maxSettings = 8 << 20 // bytes
	maxNested   = 20
	maxSaid     = 100 // problems that are said
)

// document is a text in YAML or JSON as it was written, and what is wrong with it.
type document struct {
	name  string
	lines []string
	found []policyfile.Diagnostic
	more  bool // there were too many
}

// note adds what is wrong, with an excerpt where the message has none.
func (d *document) note(p policyfile.Diagnostic) {
	if len(d.found) >= maxSaid {
		d.more = true
		return
	}
	p.File, p.Path = d.name, plain.Text(p.Path)
	message, marked, _ := strings.Cut(p.Message, "\n")
	p.Message = plain.Text(message)
	for line := range strings.Lines(marked) {
		p.Excerpt += "\n" + plain.Text(strings.TrimRight(line, "\n"))
	}
	if marked == "" && p.Line > 0 && p.Line <= len(d.lines) {
		p.Excerpt = cel.Caret(d.lines[p.Line-1], 1, p.Column)
	}
	d.found = append(d.found, p)
}

func (d *document) bad(n *yaml.Node, path, format string, args ...any) {
	d.note(at(n, path, fmt.Sprintf(format, args...)))
}

func (d *document) warn(n *yaml.Node, path, format string, args ...any) {
	w := at(n, path, fmt.Sprintf(format, args...))
	w.Warning = true
	d.note(w)
}

func at(n *yaml.Node, path, message string) policyfile.Diagnostic {
	out := policyfile.Diagnostic{Path: path, Message: message}
	if n != nil {
		out.Line, out.Column = n.Line, n.Column
	}
	return out
}

// wrong reports whether something is an error.
func (d *document) wrong() bool {
	for i := range d.found {
		if !d.found[i].Warning {
			return true
		}
	}
	return false
}

// parse reads the text as one document of YAML, or of JSON where it begins with a brace.
// Nil means that something is wrong, which is noted.
func (d *document) parse(text []byte) *yaml.Node {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	whole := strings.ReplaceAll(string(text), "\r\n", "\n")
	d.lines = strings.Split(whole, "\n")
	if !utf8.ValidString(whole) {
		valid := strings.ToValidUTF8(whole, "\x00")
		d.note(policyfile.Diagnostic{Line: 1 + strings.Count(valid[:strings.IndexByte(valid, 0)], "\n"), Column: 1, Message: "it is not UTF-8"})
		return nil
	}
	var n *yaml.Node
	if strings.HasPrefix(strings.TrimLeft(whole, " \t\n"), "{") {
		n = d.parseJSON(whole)
	} else {
		n = d.parseYAML(whole)
	}
	if n == nil || !d.plain(n, "", 0) {
		return nil
	}
	return n
}

func (d *document) parseYAML(text string) *yaml.Node {
	dec := yaml.NewDecoder(strings.NewReader(text))
	var first, second yaml.Node
	switch err := dec.Decode(&first); {
	case errors.Is(err, io.EOF) || err == nil && len(first.Content) == 0:
		d.note(policyfile.Diagnostic{Message: "it is empty"})
		return nil
	case err != nil:
		d.syntax(err)
		return nil
	}
	if err := dec.Decode(&second); err == nil {
		d.bad(&second, "", "a second document: a file holds one")
	} else if !errors.Is(err, io.EOF) {
		d.syntax(err)
	}
	return first.Content[0]
}

// syntax notes what the library says of a text that is no YAML.
func (d *document) syntax(err error) {
	said := strings.TrimPrefix(err.Error(), "yaml: ")
	p := policyfile.Diagnostic{Line: 1, Column: 1, Message: said} // it does not name the first line
	if rest, ok := strings.CutPrefix(said, "line "); ok {
		number, what, _ := strings.Cut(rest, ": ")
		if n, err := strconv.Atoi(number); err == nil {
			p.Line, p.Message = n, what
		}
	}
	// The library gives the line before or after a tab where indentation is wanted.
	for n := max(p.Line-1, 1); n <= min(p.Line+1, len(d.lines)); n++ {
		if line := d.lines[n-1]; strings.Contains(line[:len(line)-len(strings.TrimLeft(line, " \t"))], "\t") {
			p.Line, p.Column = n, strings.IndexByte(line, '\t')+1
			p.Message = "a tab: YAML is indented with spaces"
			break
		}
	}
	d.note(p)
}

// parseJSON reads JSON as the nodes of YAML, with their places.
func (d *document) parseJSON(text string) *yaml.Node {
	r := &jsonReader{text: text, dec: jsontext.NewDecoder(strings.NewReader(text), jsontext.AllowDuplicateNames(true))} // those are noted later
	n, err := r.read(0)
	if err == nil {
		if _, err = r.dec.ReadToken(); errors.Is(err, io.EOF) {
			return n
		}
		if err == nil {
			err = errors.New("something follows: a file holds one document")
		}
	}
	offset := r.dec.InputOffset()
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		offset = syntactic.ByteOffset
		err = syntactic.Err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ends too early")
	}
	line, column := r.place(offset)
	d.note(policyfile.Diagnostic{Line: line, Column: column, Message: err.Error()})
	return nil
}

type jsonReader struct {
	text string
	dec  *jsontext.Decoder
	// from is where line begins: places are asked for in their order.
	from int64
	line int
}

// place is the line and the column, in characters, of an offset.
func (r *jsonReader) place(offset int64) (line, column int) {
	offset = min(offset, int64(len(r.text)))
	if offset < r.from {
		r.from, r.line = 0, 0
	}
	between := r.text[r.from:offset]
	r.line += strings.Count(between, "\n")
	if i := strings.LastIndexByte(between, '\n'); i >= 0 {
		r.from += int64(i) + 1
	}
	return r.line + 1, utf8.RuneCountInString(r.text[r.from:offset]) + 1
}

func (r *jsonReader) read(depth int) (*yaml.Node, error) {
	if depth > maxNested+1 {
		return nil, fmt.Errorf("it is nested deeper than %d levels", maxNested)
	}
	kind := r.dec.PeekKind()
	if kind != '{' && kind != '[' {
		return r.scalar()
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return nil, err
	}
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	end := jsontext.Kind('}')
	if kind == '[' {
		n.Kind, n.Tag, end = yaml.SequenceNode, "!!seq", ']'
	}
	n.Line, n.Column = r.place(r.dec.InputOffset() - 1)
	for r.dec.PeekKind() != end {
		child, err := r.read(depth + 1)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, child)
	}
	_, err := r.dec.ReadToken()
	return n, err
}

func (r *jsonReader) scalar() (*yaml.Node, error) {
	text, err := r.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: string(text)}
	n.Line, n.Column = r.place(r.dec.InputOffset() - int64(len(text)))
	switch text.Kind() {
	case '"':
		value, err := jsontext.AppendUnquote(nil, text)
		if err != nil {
			return nil, err
		}
		n.Tag, n.Value, n.Style = "!!str", string(value), yaml.DoubleQuotedStyle
	case '0':
		n.Tag = "!!int"
		if strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!float"
		}
	case 't', 'f':
		n.Tag = "!!bool"
	default:
		n.Tag = "!!null"
	}
	return n, nil
}

// plain reports whether a document is what it looks like: no aliases, no tags, not nested
// deeply. It also notes names that are in a mapping twice.
func (d *document) plain(n *yaml.Node, path string, depth int) bool {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.bad(n, path, "anchors and aliases are not read: write it out")
		return false
	case n.Style&yaml.TaggedStyle != 0:
		d.bad(n, path, "tags such as %.40s are not read", n.Tag)
		return false
	case depth > maxNested:
		d.bad(n, path, "it is nested deeper than %d levels", maxNested)
		return false
	}
	ok := true
	seen := map[string]int{}
	for i, x := range n.Content {
		if d.more {
			return false
		}
		if n.Kind != yaml.MappingNode {
			ok = d.plain(x, fmt.Sprintf("%s[%d]", path, i), depth+1) && ok
			continue
		}
		if i%2 == 1 {
			ok = d.plain(x, below(path, n.Content[i-1].Value), depth+1) && ok
			continue
		}
		if x.Kind != yaml.ScalarNode || x.Anchor != "" || x.Style&yaml.TaggedStyle != 0 {
			d.bad(x, path, "a key is a plain text")
			ok = false
		} else if line := seen[x.Value]; line > 0 {
			d.bad(x, path, "%.60q is there twice, first in line %d", x.Value, line)
		}
		seen[x.Value] = x.Line
	}
	return ok
}

func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
