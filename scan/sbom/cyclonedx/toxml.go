package cyclonedx

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/scan/sbom"
)

// toXML writes the JSON form of this encoder as XML. Lists are read item by
// item, so that only one component at a time is a tree.
func (e *encoder) toXML(form []byte, indent bool) ([]byte, error) {
	w := &xmlWriter{b: make([]byte, 0, 2*len(form)), indent: indent}
	w.b = append(w.b, `<?xml version="1.0" encoding="UTF-8"?>`...)
	w.lose = func(where, what string) {
		if where == "" {
			where = "document"
		}
		e.losses = append(e.losses, sbom.Loss{Where: where, What: what})
	}
	if !indent {
		w.b = append(w.b, '\n')
	}
	if err := w.bom(jsontext.NewDecoder(bytes.NewBuffer(form)), e.version); err != nil {
		return nil, errXML
	}
	return w.b, nil
}

// bom writes the document whose members d reads: first those that are
// attributes, then the others in the order of the XML schema.
func (w *xmlWriter) bom(d *jsontext.Decoder, v version) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	s := shapes().shapes["bom"]
	var head node
	mark := -1
	for d.PeekKind() == '"' {
		tok, err := d.ReadToken()
		if err != nil {
			return err
		}
		name := tok.String()
		at, known := s.json[name]
		if !known || s.members[at].form == formAttribute {
			if head.kind, err = '{', head.read(d, name); err != nil {
				return err
			}
			continue
		}
		if mark < 0 {
			mark = w.bomHead(&head, v)
		}
		if err := w.bomMember(d, &s.members[at], &head); err != nil {
			return err
		}
	}
	if mark < 0 {
		mark = w.bomHead(&head, v)
	}
	extra := head.get(xmlMember)
	w.foreignElements(&extra, nil)
	w.end("bom", mark)
	return nil
}

func (n *node) read(d *jsontext.Decoder, name string) error {
	v, err := readNode(d)
	n.fields = append(n.fields, field{name, v})
	return err
}

func (w *xmlWriter) bomHead(head *node, v version) int {
	w.begin("bom")
	w.attr("xmlns", v.namespace())
	for _, name := range []string{"serialNumber", "version"} {
		if n := head.get(name); n.kind != 0 {
			w.attr(name, w.scalar(&n, nil))
		}
	}
	extra := head.get(xmlMember)
	w.foreignAttrs(&extra, nil)
	return w.open()
}

// bomMember writes one member, lists item by item.
func (w *xmlWriter) bomMember(d *jsontext.Decoder, m *member, head *node) error {
	var document *place
	at := document.member(m.json)
	if m.form != formList || d.PeekKind() != '[' {
		v, err := readNode(d)
		if err == nil {
			w.item(m.xml, &v, m, &at)
		}
		return err
	}
	extra := head.get(xmlMember)
	in := extra.get(xmlIn)
	own := in.get(m.xml)
	w.begin(m.xml)
	w.foreignAttrs(&own, &at)
	mark := w.open()
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for i := 0; d.PeekKind() != ']'; i++ {
		v, err := readNode(d)
		if err != nil {
			return err
		}
		in := at.item(i)
		w.alternative(&v, m, &in)
	}
	w.foreignElements(&own, &at)
	w.end(m.xml, mark)
	_, err := d.ReadToken()
	return err
}
