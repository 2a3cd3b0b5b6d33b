package policyfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/suggest"
)

// reader reads the nodes of one document.
type reader struct{ *source }

// open reads a text as one YAML document. A nil node means that something is wrong,
// which is noted.
func open(name string, text []byte) (*reader, *yaml.Node, error) {
	if len(text) > MaxDocument {
		return nil, nil, fmt.Errorf("%s: %w", name, &fault.LimitError{What: "bytes", Where: "document", Max: MaxDocument, Seen: int64(len(text))})
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	r := &reader{newSource(name, strings.ReplaceAll(string(text), "\r\n", "\n"))}
	if !utf8.Valid(text) {
		valid := bytes.ToValidUTF8(text, []byte("\x00"))
		r.note(Diagnostic{Line: 1 + bytes.Count(valid[:bytes.IndexByte(valid, 0)], []byte("\n")), Column: 1, Message: "it is not UTF-8"})
		return r, nil, nil
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	var first, second yaml.Node
	switch err := d.Decode(&first); {
	case errors.Is(err, io.EOF) || err == nil && len(first.Content) == 0:
		r.note(Diagnostic{Message: "it is empty"})
		return r, nil, nil
	case err != nil:
		r.syntax(err)
		return r, nil, nil
	}
	if err := d.Decode(&second); err == nil {
		r.note(Diagnostic{Line: second.Line, Column: second.Column, Message: "a second document: a file holds one"})
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
	}
	if !r.plain(first.Content[0], "", 0) {
		return r, nil, nil
	}
	return r, first.Content[0], nil
}

// syntax notes what the library says of a text that is no YAML.
func (r *reader) syntax(err error) {
	said := strings.TrimPrefix(err.Error(), "yaml: ")
	d := Diagnostic{Line: 1, Column: 1, Message: said} // it does not name the first line
	if rest, ok := strings.CutPrefix(said, "line "); ok {
		number, what, _ := strings.Cut(rest, ": ")
		if n, err := strconv.Atoi(number); err == nil {
			d.Line, d.Column, d.Message = n, 1, what
		}
	}
	// The library gives the line before or after a tab where indentation is wanted.
	for n := max(d.Line-1, 1); n <= min(d.Line+1, len(r.lines)); n++ {
		if line := r.lines[n-1]; strings.Contains(line[:len(line)-len(strings.TrimLeft(line, " \t"))], "\t") {
			d.Line, d.Column = n, strings.IndexByte(line, '\t')+1
			d.Message = "a tab: YAML is indented with spaces"
			break
		}
	}
	r.note(d)
}

func (r *reader) bad(n *yaml.Node, path, format string, args ...any) {
	d := Diagnostic{Path: path, Message: fmt.Sprintf(format, args...)}
	if n != nil {
		d.Line, d.Column = n.Line, n.Column
	}
	r.note(d)
}

func (r *reader) warn(n *yaml.Node, path, format string, args ...any) {
	d := Diagnostic{Warning: true, Path: path, Message: fmt.Sprintf(format, args...)}
	if n != nil {
		d.Line, d.Column = n.Line, n.Column
	}
	r.note(d)
}

// maxDepth bounds how deep a document is nested.
const maxDepth = 20

// plain reports whether a document is what it looks like: no aliases, no tags, not
// nested deeply. It also notes floating-point numbers and names that are in a mapping
// twice.
func (r *reader) plain(n *yaml.Node, path string, depth int) bool {
	ok := true
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		r.bad(n, path, "anchors and aliases are not read: write it out")
		return false
	case n.Style&yaml.TaggedStyle != 0:
		r.bad(n, path, "tags such as %.40s are not read", n.Tag)
		return false
	case depth > maxDepth:
		r.bad(n, path, "it is nested deeper than %d levels", maxDepth)
		return false
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!float":
		r.bad(n, path, "%.40s is a floating-point number: write it as a text in quotes, %q", n.Value, n.Value)
	case n.Kind == yaml.MappingNode:
		seen := make(map[string]int, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || key.Anchor != "" || key.Style&yaml.TaggedStyle != 0 {
				r.bad(key, path, "a key is a plain text")
				ok = false
				continue
			}
			if line := seen[key.Value]; line > 0 {
				r.bad(key, path, "%.60q is there twice, first in line %d", key.Value, line)
			}
			seen[key.Value] = key.Line
			ok = r.plain(n.Content[i+1], under(path, key.Value), depth+1) && ok
		}
	default:
		for i, x := range n.Content {
			if !r.plain(x, fmt.Sprintf("%s[%d]", path, i), depth+1) {
				ok = false
				if len(r.found) >= maxProblems {
					return false
				}
			}
		}
	}
	return ok
}

func under(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// fields returns the members of a mapping by name, nil where it is none. Unknown ones
// are noted.
func (r *reader) fields(n *yaml.Node, path string, known ...string) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		r.bad(n, path, "want a mapping with %s", strings.Join(known, ", "))
		return nil
	}
	out := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if !has(known, key.Value) {
			r.bad(key, path, "unknown field %.60q%s", key.Value, whyUnknown(key.Value, known))
			continue
		}
		out[key.Value] = n.Content[i+1]
	}
	return out
}

func whyUnknown(name string, known []string) string {
	switch name {
	case "include", "import", "extends", "imports", "includes", "<<":
		return ": a policy stands alone, it includes nothing"
	}
	return suggest.Phrase(name, known)
}

func has(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// text returns a text without the space around it; "" where it is absent or none.
func (r *reader) text(n *yaml.Node, path string, limit int) string {
	if n == nil {
		return ""
	}
	s := strings.TrimSpace(n.Value)
	switch {
	case isFloat(n): // noted by plain
	case n.Kind != yaml.ScalarNode:
		r.bad(n, path, "want a text")
	case n.ShortTag() != "!!str":
		r.bad(n, path, "%.40q is a %s: want a text, in quotes", n.Value, kindOf(n))
	case s == "":
		r.bad(n, path, "it is empty")
	case len(s) > limit:
		r.bad(n, path, "%d bytes, at most %d", len(s), limit)
	default:
		return s
	}
	return ""
}

func isFloat(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!float" }

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "mapping"
	case n.Kind == yaml.SequenceNode:
		return "list"
	}
	switch n.ShortTag() {
	case "!!int":
		return "number"
	case "!!bool":
		return "truth value"
	case "!!timestamp":
		return "date"
	case "!!null":
		return "null"
	}
	return "text"
}

// oneOf returns a text that must be one of a list.
func (r *reader) oneOf(n *yaml.Node, path string, list []string) string {
	s := r.text(n, path, 128)
	if s != "" && !has(list, s) {
		r.bad(n, path, "%.60q is none of %s%s", s, strings.Join(list, ", "), suggest.Phrase(s, list))
		return ""
	}
	return s
}

// flag returns a truth value, false where it is absent.
func (r *reader) flag(n *yaml.Node, path string) bool {
	switch {
	case n == nil || isFloat(n):
		return false
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool":
		return n.Value == "true" || n.Value == "True" || n.Value == "TRUE"
	}
	r.bad(n, path, "want true or false, without quotes")
	return false
}

// number returns a whole number within bounds, 0 where it is absent or none.
func (r *reader) number(n *yaml.Node, path string, least, most int) int {
	if n == nil || isFloat(n) {
		return 0
	}
	v, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil || strconv.Itoa(v) != n.Value || v < least || v > most {
		r.bad(n, path, "%.40q: want a whole number of %d to %d", n.Value, least, most)
		return 0
	}
	return v
}

// list returns the elements of a list; a single one need not be in a list.
func (r *reader) list(n *yaml.Node, path string) []*yaml.Node {
	switch {
	case n == nil:
		return nil
	case n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null":
		return []*yaml.Node{n}
	case n.Kind != yaml.SequenceNode:
		r.bad(n, path, "want a list")
		return nil
	case len(n.Content) == 0:
		r.bad(n, path, "the list is empty")
	}
	return n.Content
}

// texts returns the texts of a list, those of known where that is not nil.
func (r *reader) texts(n *yaml.Node, path string, known []string) []string {
	var out []string
	for i, x := range r.list(n, path) {
		at := fmt.Sprintf("%s[%d]", path, i)
		s := ""
		if known != nil {
			s = r.oneOf(x, at, known)
		} else {
			s = r.text(x, at, 1024)
		}
		switch {
		case s == "":
		case has(out, s):
			r.bad(x, at, "%.60q is there twice", s)
		default:
			out = append(out, s)
		}
	}
	return out
}

// time returns a time: a date means its beginning in UTC.
func (r *reader) time(n *yaml.Node, path string) time.Time {
	if n == nil || isFloat(n) {
		return time.Time{}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, n.Value); n.Kind == yaml.ScalarNode && err == nil && t.Year() > 1 {
			return t.UTC()
		}
	}
	r.bad(n, path, "%.40q: want a date such as 2027-01-31, or a time with its zone such as 2027-01-31T12:00:00Z", n.Value)
	return time.Time{}
}

// strs makes texts of values of a text type.
func strs[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = string(x)
	}
	return out
}
