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

func (p *pruner) value(v *node, m *member, at *place) bool {
	switch {
	case v.kind == '[':
		p.array(v, m, at)
	case m.other != nil && m.form == formList && p.version < 5:
		p.lose(at.String(), "only a list of tools before CycloneDX 1.5")
		return p.drop(v)
	case m.other != nil && m.form == formList:
		return p.kind(v, m.other, at)
	default:
		return p.kind(v, m.pick(v), at)
	}
	return true
}

// drop empties v, which then is not written.
func (p *pruner) drop(v *node) bool {
	*v = node{}
	return true
}

func (p *pruner) array(v *node, m *member, at *place) {
	i := -1
	v.items = slices.DeleteFunc(v.items, func(n node) bool {
		i++
		if m.form == formRepeat && m.other != nil && n.kind == '{' && p.version < 7 {
			in := at.item(i)
			p.lose(in.String(), "only a reference before CycloneDX 1.7")
			return true
		}
		return false
	})
	for i := range v.items {
		if in := at.item(i); !p.kind(&v.items[i], m.pick(&v.items[i]), &in) {
			v.items[i] = node{}
		}
	}
	v.items = slices.DeleteFunc(v.items, func(n node) bool { return n.kind == 0 })
	if m.form == formRepeat && m.kinds[0].shape == "componentData" && p.format == inXML && p.version == 5 && len(v.items) > 1 {
		p.lose(at.String(), "only one in the XML form of CycloneDX 1.5, the first is kept")
		v.items = v.items[:1]
	}
	if m.json == "licenses" && p.version < 7 {
		p.unmix(v, at)
	}
	if m.single && p.version < 6 {
		if len(v.items) > 1 {
			p.lose(at.String(), "only one before CycloneDX 1.6, the first is kept")
		}
		if len(v.items) > 0 {
			*v = v.items[0]
		}
	}
}

// unmix turns expressions beside other licences into names: before 1.7 an
// expression stands alone.
func (p *pruner) unmix(v *node, at *place) {
	if len(v.items) < 2 {
		return
	}
	for i := range v.items {
		if !v.items[i].has("expression") {
			continue
		}
		in := at.item(i)
		p.lose(in.String(), "an expression stands alone before CycloneDX 1.7, written as a name")
		var license, entry node
		license.set("name", stringNode(v.items[i].str("expression")))
		if a := v.items[i].get("acknowledgement"); a.kind == '"' {
			license.set("acknowledgement", a)
		}
		entry.set("license", license)
		v.items[i] = entry
	}
}

// kind prunes one value and reports whether its holder can stay.
func (p *pruner) kind(v *node, k *kind, at *place) bool {
	switch {
	case k.enum != "" && v.kind == '"':
		e := shapes().enums[k.enum]
		if e.since[v.text] <= int(p.version) {
			return true
		}
		p.lose(at.String(), "value "+strconv.Quote(v.text)+" only since CycloneDX 1."+strconv.Itoa(e.since[v.text]))
		v.text = e.fallback
		return e.fallback != "-"
	case k.shape == "":
		return true
	case k.wrap != "" && v.kind == '{':
		for i := range v.fields {
			if v.fields[i].name == k.wrap {
				in := at.member(k.wrap)
				p.object(&v.fields[i].value, shapes().shapes[k.shape], &in)
			}
		}
		return true
	}
	return p.object(v, shapes().shapes[k.shape], at)
}

// pick returns the kind that a value of m has, by its type and members.
func (m *member) pick(v *node) *kind {
	if m.other != nil && v.kind != '{' {
		return m.other
	}
	for i := range m.kinds {
		k := &m.kinds[i]
		switch {
		case k.shape == "" && len(m.kinds) > 1:
			if v.kind != '{' {
				return k
			}
		case len(k.when) == 0:
			if v.kind == '{' || len(m.kinds) == 1 {
				return k
			}
		case slices.ContainsFunc(k.when, v.has):
			return k
		}
	}
	return &m.kinds[len(m.kinds)-1]
}
