package cyclonedx

import (
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// foreignNode returns the foreign members of an element, without those that
// the target cannot carry.
func (e *encoder) foreignNode(f sbom.Foreign, shape string) node {
	text, ok := f[family]
	if !ok {
		return node{}
	}
	n, err := parseNode([]byte(text))
	if err != nil || n.kind != '{' {
		e.lose("", "the foreign members are not a JSON object")
		return node{}
	}
	p := pruner{version: e.version, format: inJSON, lose: e.lose}
	if e.xml {
		p.format = inXML
	}
	marks := n.marks()
	p.object(&n, shapes().shapes[shape], nil)
	n.fields = append(n.fields, marks...)
	return n
}

// marks returns the members that are notes of Decode and belong to no format.
func (n *node) marks() (marks []field) {
	rest := n.fields[:0:0]
	for _, f := range n.fields {
		if f.value.kind == 'n' || strings.HasPrefix(f.name, "#") && f.name != xmlMember {
			marks = append(marks, f)
		} else {
			rest = append(rest, f)
		}
	}
	n.fields = rest
	return marks
}

// members writes the foreign members that are left, but for notes.
func (e *encoder) members(n *node) {
	for i := range n.fields {
		f := &n.fields[i]
		if f.value.kind == 'n' || f.value.kind == 0 || strings.HasPrefix(f.name, "#") && (f.name != xmlMember || !e.xml) {
			continue
		}
		e.comma()
		e.b = append(appendString(e.b, f.name), ':')
		e.b = f.value.append(e.b)
	}
}

// take removes a member from n and returns it where agrees holds for it:
// then it is written in place of what the model says.
func (n *node) take(name string, agrees func(v *node) bool) (node, bool) {
	v := n.get(name)
	if v.kind == 'n' {
		v = node{}
	}
	if v.kind == 0 {
		return v, false
	}
	n.remove(name)
	return v, agrees(&v)
}

// memberOr writes the foreign form of a member where it agrees with the model,
// and the model's otherwise.
func (e *encoder) memberOr(f *node, name string, agrees func(v *node) bool, model func()) {
	if len(f.fields) > 0 {
		v, ok := f.take(name, agrees)
		if ok {
			e.key(name)
			e.b = v.append(e.b)
			return
		}
		if v.kind != 0 {
			e.lose(name, superseded)
		}
	}
	model()
}

// superseded is why a foreign member is left out that Encode could have kept.
const superseded = "what the decoded document said is superseded by the model"

// textOr is memberOr for strings.
func (e *encoder) textOr(f *node, name, value string, agrees func(s string) bool) {
	e.memberOr(f, name, func(v *node) bool { return v.kind == '"' && agrees(v.text) }, func() { e.text(name, value) })
}
