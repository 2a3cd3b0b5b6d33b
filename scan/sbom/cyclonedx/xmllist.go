package cyclonedx

import (
	"encoding/xml"
)

// list reads the element that holds a list, or the object in its place.
func (r *xmlReader) list(n, extra *node, e *xml.StartElement, m *member) error {
	leave, err := r.enter(e)
	if err != nil {
		return err
	}
	defer leave()
	var own node
	for _, a := range e.Attr {
		if !declaration(a) {
			keepAttr(&own, a)
		}
	}
	v := node{kind: '['}
	_, err = r.children(func(e *xml.StartElement, offset int64) error {
		if e.Name.Space != r.namespace {
			return r.keepElement(&own, e, offset)
		}
		for i := range m.kinds {
			if k := &m.kinds[i]; k.element == e.Name.Local && v.kind == '[' {
				item, err := r.alternative(e, m, k)
				v.items = append(v.items, item)
				return err
			}
		}
		if m.other != nil {
			return r.instead(&v, e, m.other)
		}
		return r.keepElement(&own, e, offset)
	})
	if own.kind != 0 {
		in := extra.get(xmlIn)
		in.set(m.xml, own)
		extra.set(xmlIn, in)
	}
	if err == nil {
		n.set(m.json, v)
	}
	return err
}

// instead reads a member of the object that stands in the place of a list.
func (r *xmlReader) instead(v *node, e *xml.StartElement, other *kind) error {
	s := shapes().shapes[other.shape]
	i, ok := s.element[e.Name.Local]
	if !ok || len(v.items) > 0 {
		r.note(r.line(), "unexpected element "+quote(e.Name.Local)+" is left out")
		return r.d.Skip()
	}
	v.kind = '{'
	var extra node
	err := r.member(v, &extra, e, &s.members[i], s)
	if extra.kind != 0 {
		v.set(xmlMember, extra)
	}
	return err
}
