package cyclonedx

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// A node is one JSON value, for the parts of a document that the model has no
// place for and for the way between XML and JSON.
type node struct {
	kind   jsontext.Kind // '{', '[', '"', '0', 't', 'f' or 'n'; 0 for no value
	text   string        // of strings unquoted, of numbers as written
	fields []field       // of objects, in their order
	items  []node        // of arrays
}

// rawKind is the kind of a node that holds the canonical text of a value.
const rawKind jsontext.Kind = 'r'

type field struct {
	name  string
	value node
}

func stringNode(s string) node { return node{kind: '"', text: s} }

// parseNode reads the value of raw, which is valid JSON.
func parseNode(raw []byte) (node, error) {
	return readNode(jsontext.NewDecoder(bytes.NewBuffer(raw)))
}

// readNode reads the next value. Its recursion is bounded by the decoder's own
// limit, and below that by the depth that callers check first.
func readNode(d *jsontext.Decoder) (node, error) {
	tok, err := d.ReadToken()
	if err != nil {
		return node{}, err
	}
	n := node{kind: tok.Kind()}
	switch n.kind {
	case '"', '0':
		n.text = tok.String()
	case '{':
		for d.PeekKind() != '}' {
			name, err := d.ReadToken()
			if err != nil {
				return node{}, err
			}
			key := name.String()
			v, err := readNode(d)
			if err != nil {
				return node{}, err
			}
			n.fields = append(n.fields, field{key, v})
		}
		_, err = d.ReadToken()
	case '[':
		for d.PeekKind() != ']' {
			v, err := readNode(d)
			if err != nil {
				return node{}, err
			}
			n.items = append(n.items, v)
		}
		_, err = d.ReadToken()
	}
	return n, err
}

// get returns the member of that name; a node of kind 0 where there is none.
func (n *node) get(name string) node {
	for i := range n.fields {
		if n.fields[i].name == name {
			return n.fields[i].value
		}
	}
	return node{}
}

// has reports whether n has that member, null included.
func (n *node) has(name string) bool {
	return slices.ContainsFunc(n.fields, func(f field) bool { return f.name == name })
}

// str returns the member's text where it is a string.
func (n *node) str(name string) string {
	if v := n.get(name); v.kind == '"' {
		return v.text
	}
	return ""
}

// absent reports whether n says by a null that a document lacks the member.
func (n *node) absent(name string) bool {
	v := n.get(name)
	return v.kind == 'n'
}

func (n *node) set(name string, v node) {
	n.kind = '{'
	for i := range n.fields {
		if n.fields[i].name == name {
			n.fields[i].value = v
			return
		}
	}
	n.fields = append(n.fields, field{name, v})
}

func (n *node) remove(name string) {
	n.fields = slices.DeleteFunc(n.fields, func(f field) bool { return f.name == name })
}

// sort puts the members of all objects in n into the order of their names, as
// the canonical form wants it.
func (n *node) sort() {
	slices.SortFunc(n.fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	for i := range n.fields {
		n.fields[i].value.sort()
	}
	for i := range n.items {
		n.items[i].sort()
	}
}

// append writes n as compact JSON.
func (n *node) append(b []byte) []byte {
	switch n.kind {
	case '"':
		return appendString(b, n.text)
	case '0', rawKind:
		return append(b, n.text...)
	case 't':
		return append(b, "true"...)
	case 'f':
		return append(b, "false"...)
	case '{':
		b = append(b, '{')
		for i := range n.fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, n.fields[i].name), ':')
			b = n.fields[i].value.append(b)
		}
		return append(b, '}')
	case '[':
		b = append(b, '[')
		for i := range n.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = n.items[i].append(b)
		}
		return append(b, ']')
	}
	return append(b, "null"...)
}

// appendString quotes s; bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s)
	return b
}
