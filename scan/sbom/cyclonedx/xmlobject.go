package cyclonedx

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// object reads the element just started as an object of shape s.
func (r *xmlReader) object(e *xml.StartElement, s *shape) (node, error) {
	leave, err := r.enter(e)
	if err != nil {
		return node{}, err
	}
	defer leave()
	n := node{kind: '{'}
	var extra node
	for _, a := range e.Attr {
		if declaration(a) {
			continue
		}
		if i, ok := s.attr[a.Name.Local]; ok && a.Name.Space == "" {
			m := &s.members[i]
			n.set(m.json, scalarNode(&m.kinds[0], a.Value))
			continue
		}
		keepAttr(&extra, a)
	}
	text, err := r.children(func(e *xml.StartElement, offset int64) error {
		i, known := s.element[e.Name.Local]
		if !known || e.Name.Space != r.namespace {
			return r.keepElement(&extra, e, offset)
		}
		return r.member(&n, &extra, e, &s.members[i], s)
	})
	switch {
	case err != nil:
		return node{}, err
	case s.text >= 0:
		m := &s.members[s.text]
		n.set(m.json, scalarNode(&m.kinds[0], text))
	case strings.TrimSpace(text) != "":
		r.noteText(e)
	}
	if extra.kind != 0 {
		n.set(xmlMember, extra)
	}
	return n, nil
}

// member reads one child element of an object into n, and what is foreign in
// the element itself into extra.
func (r *xmlReader) member(n, extra *node, e *xml.StartElement, m *member, s *shape) error {
	if n.has(m.json) && m.form != formRepeat {
		return fmt.Errorf("element %q appears twice: %w", e.Name.Local, fault.Invalid)
	}
	switch {
	case m.form == formList:
		return r.list(n, extra, e, m)
	case m.form == formRepeat:
		v, err := r.item(e, m)
		if err != nil {
			return err
		}
		held := n.get(m.json)
		if held.kind == 0 && m.single {
			n.set(m.json, v)
			return nil
		}
		if held.kind != '[' && held.kind != 0 {
			held = node{kind: '[', items: []node{held}}
		}
		held.kind = '['
		held.items = append(held.items, v)
		n.set(m.json, held)
		return nil
	}
	r.childAttributes(n, e, m, s)
	v, err := r.item(e, m)
	if err == nil {
		n.set(m.json, v)
	}
	return err
}

// childAttributes takes attributes of e that the table gives to the object
// around it.
func (r *xmlReader) childAttributes(n *node, e *xml.StartElement, m *member, s *shape) {
	for i := range s.members {
		c := &s.members[i]
		if c.form != formChildAttr || c.xml != m.xml {
			continue
		}
		for j, a := range e.Attr {
			if a.Name.Local == c.child && a.Name.Space == "" {
				n.set(c.json, scalarNode(&c.kinds[0], a.Value))
				e.Attr = append(e.Attr[:j:j], e.Attr[j+1:]...)
				break
			}
		}
	}
}
