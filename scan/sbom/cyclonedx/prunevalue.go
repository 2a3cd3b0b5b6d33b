package cyclonedx

import (
	"slices"
	"strconv"
)

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
