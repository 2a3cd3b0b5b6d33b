package cyclonedx

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/scan/sbom"
)

// value reads any value as a node. The recursion is bounded by MaxDepth.
func (r *reader) value() (node, error) {
	switch r.d.PeekKind() {
	case '{':
		n := node{kind: '{'}
		err := r.object(func(name string) error {
			v, err := r.value()
			n.fields = append(n.fields, field{name, v})
			return err
		})
		return n, err
	case '[':
		n := node{kind: '['}
		err := r.array(func() error {
			v, err := r.value()
			n.items = append(n.items, v)
			return err
		})
		return n, err
	}
	raw, err := r.d.ReadValue()
	if err != nil {
		return node{}, r.syntax(err)
	}
	n := node{kind: raw.Kind()}
	switch n.kind {
	case '"':
		n.text = unquote(raw)
	case '0':
		n.text = string(raw)
	}
	return n, nil
}

func (r *reader) rawValue() (jsontext.Value, error) {
	raw, err := r.d.ReadValue()
	if err != nil {
		return nil, r.syntax(err)
	}
	return raw, r.deep(r.d.StackDepth() + depthOf(raw))
}

// keep reads any value into the foreign members of its object.
func (r *reader) keep(foreign *node, name string) error {
	raw, err := r.rawValue()
	if err != nil {
		return err
	}
	raw = raw.Clone()
	if err := raw.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)); err != nil {
		return r.syntax(err)
	}
	foreign.kind = '{'
	foreign.fields = append(foreign.fields, field{name, node{kind: rawKind, text: string(raw)}})
	return nil
}

// foreignOf returns the members of n as canonical text, or nothing.
func foreignOf(n *node) sbom.Foreign {
	if len(n.fields) == 0 {
		return nil
	}
	n.sort()
	return sbom.Foreign{family: sbom.RawObject(n.append(nil))}
}

// depthOf returns how deep the objects and arrays of a valid value nest.
func depthOf(raw []byte) int {
	depth, deepest := 0, 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		case '"':
			for i++; raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		}
	}
	return deepest
}

// unquote returns the text of a valid JSON string.
func unquote(raw []byte) string {
	if body := raw[1 : len(raw)-1]; !slices.Contains(body, '\\') {
		return string(body)
	}
	text, _ := jsontext.AppendUnquote(nil, raw)
	return string(text)
}
