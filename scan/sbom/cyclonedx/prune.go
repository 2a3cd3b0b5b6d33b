package cyclonedx

import (
	"slices"
	"strconv"
	"strings"
)

// The formats, as indexes into member.since.
const (
	inJSON = iota
	inXML
)

// A pruner takes out of foreign members what a version or format of CycloneDX
// cannot carry, and says so.
type pruner struct {
	version version
	format  int
	lose    func(where, what string)
}

// object prunes the members of n and reports whether n itself can stay.
// Members that the table does not know stay in JSON: they are extensions.
func (p *pruner) object(n *node, s *shape, at *place) bool {
	if n.kind != '{' {
		return true
	}
	keep := true
	n.fields = slices.DeleteFunc(n.fields, func(f field) bool { return p.missing(&f, s, at) })
	for i := range n.fields {
		f := &n.fields[i]
		if i, ok := s.json[f.name]; ok {
			in := at.member(f.name)
			keep = p.value(&f.value, &s.members[i], &in) && keep
		}
	}
	n.fields = slices.DeleteFunc(n.fields, func(f field) bool { return f.value.kind == 0 })
	return keep
}

// missing reports whether the target has no place for f at all.
func (p *pruner) missing(f *field, s *shape, at *place) bool {
	if f.name == xmlMember {
		return p.format == inJSON && p.loseXML(&f.value, at)
	}
	i, ok := s.json[f.name]
	in := at.member(f.name)
	if !ok {
		if p.format == inXML && !strings.HasPrefix(f.name, "#") {
			p.lose(in.String(), "the XML form has no such member")
		}
		return p.format == inXML
	}
	m := &s.members[i]
	switch {
	case p.format == inXML && m.kinds[0].scalar == 'j', m.since[p.format] == never:
		p.lose(in.String(), "this format has no such member")
	case m.since[p.format] > int(p.version):
		p.lose(in.String(), "only since CycloneDX 1."+strconv.Itoa(m.since[p.format]))
	default:
		return false
	}
	return true
}

// loseXML says what JSON cannot carry of an XML object; it is always true.
func (p *pruner) loseXML(x *node, at *place) bool {
	if len(x.fields) > 1 || !x.has(xmlAs) {
		p.lose(at.String(), "foreign XML elements or attributes have no place in JSON")
	}
	return true
}
