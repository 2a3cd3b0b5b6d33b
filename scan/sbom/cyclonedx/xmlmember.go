package cyclonedx

import (
	"encoding/xml"
)

// member writes one member of n, if it is there.
func (w *xmlWriter) member(n *node, m *member, s *shape, extra *node, at *place) {
	v := n.get(m.json)
	if v.kind == 0 || v.kind == 'n' {
		return
	}
	in := at.member(m.json)
	switch {
	case m.form == formChildAttr:
	case m.form == formList:
		lists := extra.get(xmlIn)
		own := lists.get(m.xml)
		w.list(&v, m, &own, &in)
	case m.form == formRepeat && v.kind == '[':
		for i := range v.items {
			item := in.item(i)
			w.item(m.xml, &v.items[i], m, &item)
		}
	default:
		w.item(m.xml, &v, m, &in, childAttrs(n, m, s)...)
	}
}

// childAttrs are attributes of m's element that are members of n.
func childAttrs(n *node, m *member, s *shape) (head []xml.Attr) {
	for i := range s.members {
		if c := &s.members[i]; c.form == formChildAttr && c.xml == m.xml && n.has(c.json) {
			head = append(head, xml.Attr{Name: xml.Name{Local: c.child}, Value: n.str(c.json)})
		}
	}
	return head
}

// list writes the element that holds the items of v, or the object in place of
// a list.
func (w *xmlWriter) list(v *node, m *member, own *node, at *place) {
	if v.kind == '{' && m.other != nil {
		w.object(m.xml, v, shapes().shapes[m.other.shape], at)
		return
	}
	w.begin(m.xml)
	w.foreignAttrs(own, at)
	mark := w.open()
	for i := range v.items {
		in := at.item(i)
		w.alternative(&v.items[i], m, &in)
	}
	if v.kind != '[' {
		w.lose(at.String(), "not a list")
	}
	w.foreignElements(own, at)
	w.end(m.xml, mark)
}

// item writes one value of m as an element of that name.
func (w *xmlWriter) item(name string, v *node, m *member, at *place, head ...xml.Attr) {
	if m.choice {
		w.begin(name)
		mark := w.open()
		w.alternative(v, m, at)
		w.end(name, mark)
		return
	}
	k := m.pick(v)
	switch {
	case k.shape != "":
		if v.kind != '{' {
			w.lose(at.String(), "not an object")
			return
		}
		w.object(name, v, shapes().shapes[k.shape], at, head...)
	case k.scalar == 'r':
		w.begin(name)
		w.attr("ref", w.scalar(v, at))
		w.end(name, w.open())
	case len(head) > 0:
		w.begin(name)
		for _, a := range head {
			w.attr(a.Name.Local, a.Value)
		}
		inline := w.inline
		mark := w.open()
		w.inline = true
		w.b = appendXML(w.b, w.scalar(v, at), false)
		w.end(name, mark)
		w.inline = inline
	default:
		w.text(name, v, at)
	}
}

// alternative writes v as the element that its content calls for.
func (w *xmlWriter) alternative(v *node, m *member, at *place) {
	if len(m.kinds) > 1 && v.kind == '{' && len(v.fields) == 0 {
		w.lose(at.String(), "nothing tells which element it is")
		return
	}
	k := m.pick(v)
	marked := v.get(xmlMember)
	if as := marked.str(xmlAs); as != "" {
		for i := range m.kinds {
			if m.kinds[i].element == as {
				k = &m.kinds[i]
			}
		}
	}
	if k.wrap != "" && v.kind == '{' {
		inner := v.get(k.wrap)
		v = &inner
	}
	w.item(k.element, v, &member{kinds: []kind{*k}}, at)
}
