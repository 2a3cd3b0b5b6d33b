package cyclonedx

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// An xmlWriter writes the XML form of nodes that were pruned for it.
type xmlWriter struct {
	b      []byte
	indent bool
	depth  int
	inline bool // the element being written has text: no white space is added
	lose   func(where, what string)
}

// begin writes a start tag up to its attributes.
func (w *xmlWriter) begin(name string) {
	w.newline()
	w.b = append(append(w.b, '<'), name...)
	w.depth++
}

func (w *xmlWriter) newline() {
	if w.indent && !w.inline && len(w.b) > 0 {
		w.b = append(w.b, '\n')
		for range w.depth {
			w.b = append(w.b, "  "...)
		}
	}
}

func (w *xmlWriter) attr(name, value string) {
	w.b = append(append(append(w.b, ' '), name...), `="`...)
	w.b = append(appendXML(w.b, value, true), '"')
}

// end closes an element whose content began at mark.
func (w *xmlWriter) end(name string, mark int) {
	w.depth--
	if len(w.b) == mark { // nothing inside: <name/>
		w.b = append(w.b[:mark-1], "/>"...)
		return
	}
	w.newline()
	w.b = append(append(append(w.b, "</"...), name...), '>')
}

// open ends a start tag and returns where the content begins.
func (w *xmlWriter) open() int {
	w.b = append(w.b, '>')
	return len(w.b)
}

// text writes an element that holds only text.
func (w *xmlWriter) text(name string, n *node, where string) {
	w.begin(name)
	w.b = append(w.b, '>')
	w.b = appendXML(w.b, w.scalar(n, where), false)
	w.b = append(append(append(w.b, "</"...), name...), '>')
	w.depth--
}

// scalar returns the text of a value.
func (w *xmlWriter) scalar(n *node, where string) string {
	switch n.kind {
	case 't':
		return "true"
	case 'f':
		return "false"
	case '{', '[':
		w.lose(where, "an object or a list where the XML form has text")
		return ""
	}
	if !xmlSafe(n.text) {
		w.lose(where, "characters that XML cannot hold were replaced")
	}
	return n.text
}

// object writes n as an element of that name. The attributes of head come
// first.
func (w *xmlWriter) object(name string, n *node, s *shape, where string, head ...xml.Attr) {
	w.begin(name)
	for _, a := range head {
		w.attr(a.Name.Local, a.Value)
	}
	for i := range s.members {
		if m := &s.members[i]; m.form == formAttribute && n.has(m.json) {
			v := n.get(m.json)
			w.attr(m.xml, w.scalar(&v, where+"/"+m.json))
		}
	}
	extra := n.get(xmlMember)
	w.foreignAttrs(&extra, where)
	mark, inline := w.open(), w.inline
	if s.text >= 0 {
		w.inline = true
		v := n.get(s.members[s.text].json)
		w.b = appendXML(w.b, w.scalar(&v, where), false)
	}
	for i := range s.members {
		if m := &s.members[i]; m.form != formAttribute && m.form != formText {
			w.member(n, m, s, &extra, where)
		}
	}
	w.foreignElements(&extra, where)
	w.end(name, mark)
	w.inline = inline
}

// member writes one member of n, if it is there.
func (w *xmlWriter) member(n *node, m *member, s *shape, extra *node, where string) {
	v := n.get(m.json)
	if v.kind == 0 || v.kind == 'n' {
		return
	}
	where += "/" + m.json
	switch {
	case m.form == formChildAttr:
	case m.form == formList:
		in := extra.get(xmlIn)
		own := in.get(m.xml)
		w.list(&v, m, &own, where)
	case m.form == formRepeat && v.kind == '[':
		for i := range v.items {
			w.item(m.xml, &v.items[i], m, where+"/"+strconv.Itoa(i))
		}
	default:
		w.item(m.xml, &v, m, where, childAttrs(n, m, s)...)
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
func (w *xmlWriter) list(v *node, m *member, own *node, where string) {
	if v.kind == '{' && m.other != nil {
		w.object(m.xml, v, shapes().shapes[m.other.shape], where)
		return
	}
	w.begin(m.xml)
	w.foreignAttrs(own, where)
	mark := w.open()
	for i := range v.items {
		w.alternative(&v.items[i], m, where+"/"+strconv.Itoa(i))
	}
	if v.kind != '[' {
		w.lose(where, "not a list")
	}
	w.foreignElements(own, where)
	w.end(m.xml, mark)
}

// item writes one value of m as an element of that name.
func (w *xmlWriter) item(name string, v *node, m *member, where string, head ...xml.Attr) {
	if m.choice {
		w.begin(name)
		mark := w.open()
		w.alternative(v, m, where)
		w.end(name, mark)
		return
	}
	k := m.pick(v)
	switch {
	case k.shape != "":
		if v.kind != '{' {
			w.lose(where, "not an object")
			return
		}
		w.object(name, v, shapes().shapes[k.shape], where, head...)
	case k.scalar == 'r':
		w.begin(name)
		w.attr("ref", w.scalar(v, where))
		w.end(name, w.open())
	case len(head) > 0:
		w.begin(name)
		for _, a := range head {
			w.attr(a.Name.Local, a.Value)
		}
		inline := w.inline
		mark := w.open()
		w.inline = true
		w.b = appendXML(w.b, w.scalar(v, where), false)
		w.end(name, mark)
		w.inline = inline
	default:
		w.text(name, v, where)
	}
}

// alternative writes v as the element that its content calls for.
func (w *xmlWriter) alternative(v *node, m *member, where string) {
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
	w.item(k.element, v, &member{kinds: []kind{*k}}, where)
}

// foreignAttrs writes the attributes that an extra part holds.
func (w *xmlWriter) foreignAttrs(extra *node, where string) {
	attrs := extra.get(xmlAttr)
	for i, f := range attrs.fields {
		space, local := "", f.name
		if strings.HasPrefix(local, "{") {
			space, local, _ = strings.Cut(local[1:], "}")
		}
		if !xmlName(local) || f.value.kind != '"' {
			w.lose(where, "attribute "+quote(f.name)+" cannot be written")
			continue
		}
		switch space {
		case "":
		case xmlURL:
			local = "xml:" + local
		default:
			prefix := "ns" + strconv.Itoa(i+1)
			w.attr("xmlns:"+prefix, space)
			local = prefix + ":" + local
		}
		w.attr(local, w.scalar(&f.value, where))
	}
}

// foreignElements writes the elements that an extra part holds, each checked
// to be one element and nothing else.
func (w *xmlWriter) foreignElements(extra *node, where string) {
	any := extra.get(xmlAny)
	for i := range any.items {
		text := any.items[i].text
		if err := oneElement(text); err != nil {
			w.lose(where, fmt.Sprintf("a foreign element cannot be written: %v", err))
			continue
		}
		w.newline()
		w.b = append(w.b, text...)
	}
}

// oneElement reports why text is not exactly one well-formed element.
func oneElement(text string) error {
	d := xml.NewDecoder(strings.NewReader(text))
	depth, elements := 0, 0
	for {
		tok, err := d.Token()
		if err == io.EOF && elements == 1 && depth == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			depth++
			if depth == 1 {
				elements++
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && !blank(t) {
				return fmt.Errorf("text outside")
			}
		case xml.Directive:
			return fmt.Errorf("a directive")
		}
	}
}

// xmlName reports whether s is plain enough for the name of an attribute.
func xmlName(s string) bool {
	return s != "" && !bytes.ContainsAny([]byte(s), "\"'<>&=/ \t\r\n:") && xmlSafe(s) &&
		!slices.Contains([]byte("0123456789-."), s[0])
}
