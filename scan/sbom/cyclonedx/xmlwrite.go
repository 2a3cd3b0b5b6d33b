package cyclonedx

import (
	"encoding/xml"
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
func (w *xmlWriter) text(name string, n *node, at *place) {
	w.begin(name)
	w.b = append(w.b, '>')
	w.b = appendXML(w.b, w.scalar(n, at), false)
	w.b = append(append(append(w.b, "</"...), name...), '>')
	w.depth--
}

// scalar returns the text of a value.
func (w *xmlWriter) scalar(n *node, at *place) string {
	switch n.kind {
	case 't':
		return "true"
	case 'f':
		return "false"
	case '{', '[':
		w.lose(at.String(), "an object or a list where the XML form has text")
		return ""
	}
	if !xmlSafe(n.text) {
		w.lose(at.String(), "characters that XML cannot hold were replaced")
	}
	return n.text
}

// object writes n as an element of that name. The attributes of head come
// first.
func (w *xmlWriter) object(name string, n *node, s *shape, at *place, head ...xml.Attr) {
	w.begin(name)
	for _, a := range head {
		w.attr(a.Name.Local, a.Value)
	}
	for i := range s.members {
		if m := &s.members[i]; m.form == formAttribute && n.has(m.json) {
			v := n.get(m.json)
			in := at.member(m.json)
			w.attr(m.xml, w.scalar(&v, &in))
		}
	}
	extra := n.get(xmlMember)
	w.foreignAttrs(&extra, at)
	mark, inline := w.open(), w.inline
	if s.text >= 0 {
		w.inline = true
		v := n.get(s.members[s.text].json)
		w.b = appendXML(w.b, w.scalar(&v, at), false)
	}
	for i := range s.members {
		if m := &s.members[i]; m.form != formAttribute && m.form != formText {
			w.member(n, m, s, &extra, at)
		}
	}
	w.foreignElements(&extra, at)
	w.end(name, mark)
	w.inline = inline
}
