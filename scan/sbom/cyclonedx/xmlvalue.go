package cyclonedx

import (
	"encoding/xml"
)

// item reads the element just started as one value of m.
func (r *xmlReader) item(e *xml.StartElement, m *member) (node, error) {
	if m.choice {
		return r.choice(e, m)
	}
	return r.kind(e, &m.kinds[0], m.other)
}

// choice reads an element that holds one element, which says the type.
func (r *xmlReader) choice(e *xml.StartElement, m *member) (node, error) {
	leave, err := r.enter(e)
	if err != nil {
		return node{}, err
	}
	defer leave()
	var n node
	_, err = r.children(func(e *xml.StartElement, offset int64) error {
		for i := range m.kinds {
			if k := &m.kinds[i]; k.element == e.Name.Local && e.Name.Space == r.namespace && n.kind == 0 {
				n, err = r.alternative(e, m, k)
				return err
			}
		}
		r.note(r.line(), "unexpected element "+quote(e.Name.Local)+" is left out")
		return r.d.Skip()
	})
	return n, err
}

// alternative reads e as kind k and marks it where its content alone would be
// taken for another kind.
func (r *xmlReader) alternative(e *xml.StartElement, m *member, k *kind) (node, error) {
	n, err := r.kind(e, k, nil)
	if err != nil {
		return node{}, err
	}
	if k.wrap != "" {
		n = node{kind: '{', fields: []field{{k.wrap, n}}}
	}
	if n.kind == '{' && m.pick(&n) != k {
		x := n.get(xmlMember)
		x.set(xmlAs, stringNode(k.element))
		n.set(xmlMember, x)
	}
	return n, nil
}

// kind reads the element just started as an object or a scalar.
func (r *xmlReader) kind(e *xml.StartElement, k, other *kind) (node, error) {
	if k.shape != "" && other == nil {
		return r.object(e, shapes().shapes[k.shape])
	}
	if k.shape != "" {
		return r.objectOrText(e, k)
	}
	leave, err := r.enter(e)
	if err != nil {
		return node{}, err
	}
	defer leave()
	ref, isRef := "", false
	for _, a := range e.Attr {
		switch {
		case declaration(a):
		case k.scalar == 'r' && a.Name.Local == "ref":
			ref, isRef = a.Value, true
		default:
			r.note(r.line(), "attribute "+quote(a.Name.Local)+" of "+quote(e.Name.Local)+" is left out")
		}
	}
	text, err := r.children(func(e *xml.StartElement, _ int64) error {
		r.note(r.line(), "unexpected element "+quote(e.Name.Local)+" is left out")
		return r.d.Skip()
	})
	if isRef {
		return stringNode(ref), err
	}
	return scalarNode(k, text), err
}

// objectOrText reads an element that has either members or only text.
func (r *xmlReader) objectOrText(e *xml.StartElement, k *kind) (node, error) {
	s := *shapes().shapes[k.shape]
	s.members = append(s.members[:len(s.members):len(s.members)], member{json: "#text", form: formText, kinds: []kind{{scalar: 's'}}})
	s.text = len(s.members) - 1
	n, err := r.object(e, &s)
	text := n.str("#text")
	n.remove("#text")
	if err == nil && len(n.fields) == 0 {
		return stringNode(text), nil
	}
	return n, err
}
