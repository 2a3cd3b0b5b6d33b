package cyclonedx

import (
	"slices"
)

// Sizes by which the buffer is made large enough at once, in bytes.
const (
	sizeOfPackage      = 700
	sizeOfRelationship = 100
)

// document returns the compact JSON form in two parts.
func (e *encoder) document() (head, body []byte) {
	e.where = "document"
	f := e.foreignNode(e.doc.Foreign, "bom")
	meta := f.get("metadata")
	f.remove("metadata")
	e.link(e.hasSubject())
	e.serialFits = e.foreignSerial(&f)

	e.where = "document"
	e.b = make([]byte, 0, 4096+len(e.doc.Packages)*sizeOfPackage+len(e.doc.Relationships)*sizeOfRelationship)
	e.b = append(e.b, '{')
	e.metadata(meta, e.doc.Source)
	e.components(&f)
	e.rest(&f)
	e.b = append(e.b, '}')
	body = e.b
	hashed := e.withoutSource(body, meta)

	e.b = nil
	e.head(&f, hashed)
	head = e.b
	if len(body) > 2 {
		head = append(head, ',')
	}
	return head, body[1:]
}

// components writes the packages that are not nested in others, and the
// distribution.
func (e *encoder) components(f *node) {
	if f.absent("components") && len(e.doc.Packages) == 0 && e.doc.Subject.OS == nil {
		return
	}
	e.key("components")
	e.begin('[')
	e.operatingSystem()
	for i := range e.doc.Packages {
		if p := &e.doc.Packages[i]; !e.graph.inside[p.ID] {
			e.pkg(p)
		}
	}
	e.end(']')
	e.where = "document"
}

// bomMembers are the members after components in the order of the XML schema.
var bomMembers = []string{"services", "externalReferences", "dependencies", "compositions", "properties",
	"vulnerabilities", "annotations", "formulation", "declarations", "definitions", "citations", "signature"}

// headMembers are written before.
var headMembers = []string{"$schema", "version", "serialNumber", "components", xmlMember}

// rest writes the other members of the document.
func (e *encoder) rest(f *node) {
	dependencies, compositions := f.get("dependencies"), f.get("compositions")
	for _, name := range bomMembers {
		switch v := f.get(name); {
		case name == "dependencies":
			e.dependencies(dependencies)
		case name == "compositions":
			e.compositions(compositions)
		case v.kind != 0 && v.kind != 'n':
			e.key(name)
			e.b = v.append(e.b)
		}
	}
	unknown := node{kind: '{', fields: slices.DeleteFunc(slices.Clone(f.fields), func(m field) bool {
		return slices.Contains(bomMembers, m.name) || slices.Contains(headMembers, m.name)
	})}
	e.members(&unknown)
}

// compositions adds to the foreign ones that the inventory is incomplete where
// a gap is blocking.
func (e *encoder) compositions(list node) {
	if e.doc.Blocked() {
		subject := ""
		if e.hasSubject() {
			subject = e.doc.Subject.ID
		}
		list.kind = '['
		list.items = append(slices.Clone(list.items), incompleteComposition(subject))
	}
	if list.kind == '[' {
		e.key("compositions")
		e.b = list.append(e.b)
	}
}
