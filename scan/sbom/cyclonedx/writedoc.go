package cyclonedx

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
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

// withoutSource returns the body as it would be without a Source: that part
// must not change what a document is named.
func (e *encoder) withoutSource(body []byte, meta node) [][]byte {
	if e.doc.Source == nil {
		return [][]byte{body}
	}
	losses := e.losses
	e.b = []byte{'{'}
	e.metadata(meta, e.doc.Source)
	with := len(e.b)
	e.b = []byte{'{'}
	e.metadata(meta, nil)
	e.losses = losses
	tail := body[with:]
	if len(e.b) == 1 { // no metadata left: what follows comes first
		tail = []byte(strings.TrimPrefix(string(tail[:1]), ",") + string(tail[1:]))
	}
	return [][]byte{e.b, tail}
}

// head writes the members that say what the document is.
func (e *encoder) head(f *node, body [][]byte) {
	e.begin('{')
	if x := f.get(xmlMember); e.xml && x.kind != 0 {
		e.key(xmlMember)
		e.b = x.append(e.b)
	}
	if !f.absent("$schema") {
		e.text("$schema", e.version.schema())
	}
	e.text("bomFormat", "CycloneDX")
	e.text("specVersion", e.version.String())
	switch {
	case fitSerial(e.doc.Namespace), e.serialFits:
		e.text("serialNumber", e.doc.Namespace)
	case e.doc.Namespace != "", !f.absent("serialNumber"):
		e.text("serialNumber", e.serial(body))
	}
	switch v := f.get("version"); {
	case v.kind == '0':
		e.key("version")
		e.b = append(e.b, v.text...)
	case v.kind != 'n' || e.version < 5:
		e.b = append(e.b, `,"version":1`...)
	}
}

// foreignSerial reports whether the Namespace is a serial number of a decoded
// document that does not have the form for it.
func (e *encoder) foreignSerial(f *node) bool {
	return e.doc.Namespace != "" && f.str("serialNumber") == e.doc.Namespace
}

// serial makes a UUID of version 8 (RFC 9562 §5.8) of the content.
func (e *encoder) serial(parts [][]byte) string {
	h := sha256.New()
	h.Write([]byte("CycloneDX " + e.version.String() + "\n"))
	for _, p := range parts {
		h.Write(p)
	}
	id := h.Sum(nil)[:16]
	id[6] = id[6]&0x0F | 0x80
	id[8] = id[8]&0x3F | 0x80
	s := hex.EncodeToString(id)
	return "urn:uuid:" + strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

// fitSerial reports whether s has the form that the schemas ask for.
func fitSerial(s string) bool {
	s, ok := strings.CutPrefix(s, "urn:uuid:")
	if !ok || len(s) != 36 {
		return false
	}
	for i, part := range []int{8, 4, 4, 4, 12} {
		if i > 0 {
			if s[0] != '-' {
				return false
			}
			s = s[1:]
		}
		if !hexDigits(s[:part], part) {
			return false
		}
		s = s[part:]
	}
	return true
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

// operatingSystem writes the distribution as a component, unless a package
// stands for it already.
func (e *encoder) operatingSystem() {
	os := e.doc.Subject.OS
	if os == nil {
		return
	}
	found := 0
	for i := range e.doc.Packages {
		p := &e.doc.Packages[i]
		if p.Type != "operating-system" {
			continue
		}
		found++
		if f := osFacts(p); f != nil && sameOS(f, os) && found == 1 {
			return
		}
	}
	p := osPackage(os)
	p.ID = e.freeID("os-" + os.ID)
	e.pkg(&p)
}

func sameOS(a, b *sbom.OS) bool {
	x, y := *a, *b
	like := slices.Equal(x.IDLike, y.IDLike)
	x.IDLike, y.IDLike = nil, nil
	return like && x.ID == y.ID && x.Name == y.Name && x.PrettyName == y.PrettyName && x.VersionID == y.VersionID &&
		x.Codename == y.Codename && x.CPE == y.CPE && x.BuildID == y.BuildID && x.VariantID == y.VariantID
}

// freeID returns id, with dashes if an element has it already.
func (e *encoder) freeID(id string) string {
	for e.doc.PackageByID(id) != nil || e.doc.Subject.ID == id {
		id += "-"
	}
	return id
}
