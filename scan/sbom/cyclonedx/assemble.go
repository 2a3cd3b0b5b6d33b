package cyclonedx

import (
	"slices"

	"github.com/stella-ops/stella/scan/sbom"
)

// assemble puts the document together when all of it was read.
func (r *reader) assemble(v version) *sbom.Document {
	d := &r.doc
	r.joinTwins()
	r.operatingSystem()
	r.repeatedSubject()
	r.nameless()
	if d.Subject.ID == "" && r.needsSubjectID() {
		subject := sbom.Document{Subject: d.Subject}
		subject.Normalize()
		d.Subject.ID = subject.Subject.ID
	}
	known := make(map[string]bool, len(r.components)+1)
	for _, c := range r.components {
		known[c.ID] = !c.system
	}
	if d.Subject.ID != "" {
		known[d.Subject.ID] = true
	}
	r.graph(known)
	r.containers()
	r.readTools(v)
	r.ownComposition()
	d.Packages = slices.Grow(d.Packages, len(r.components))
	for _, c := range r.components {
		if !c.system {
			c.dropRewritten(v)
			c.Foreign = foreignOf(&c.foreign)
			d.Packages = append(d.Packages, c.Package)
		}
	}
	if r.meta.kind != 0 {
		r.foreign.set("metadata", r.meta)
	}
	d.Foreign = foreignOf(&r.foreign)
	d.Gaps = append(d.Gaps, r.notes...)
	d.Normalize()
	return d
}

// repeatedSubject gives way where metadata.component is listed among the
// components again, as Red Hat's documents have it: the graph then is about the
// listed one, and the subject keeps the bom-ref as a foreign member.
func (r *reader) repeatedSubject() {
	s := &r.doc.Subject
	if !r.refs[s.ID] {
		return
	}
	r.note("/metadata/component/bom-ref", "is also the bom-ref of a component, taken for the same thing")
	if s.Package == nil {
		s.Package = &sbom.Package{Name: s.Name, Version: s.Version}
	}
	f := node{kind: '{'}
	if text, ok := s.Package.Foreign[family]; ok {
		f, _ = parseNode([]byte(text)) // of our own making
	}
	f.set("bom-ref", stringNode(s.ID))
	s.Package.Foreign = foreignOf(&f)
	s.ID = ""
}

// needsSubjectID reports whether a relationship names the subject.
func (r *reader) needsSubjectID() bool {
	return r.all || slices.ContainsFunc(r.components, func(c *component) bool { return c.parent != nil && c.parent.subject })
}

// operatingSystem finds the distribution among the components: one that Encode
// made of it becomes the subject's alone, a single other one stays a package
// as well.
func (r *reader) operatingSystem() {
	var others []*component
	for _, c := range r.components {
		if c.Type != "operating-system" || c.parent != nil {
			continue
		}
		if os := readOS(&c.Package, c.foreign); os != nil && r.doc.Subject.OS == nil {
			r.doc.Subject.OS = os
			c.system = true
			continue
		}
		others = append(others, c)
	}
	if r.doc.Subject.OS == nil && len(others) == 1 {
		r.doc.Subject.OS = osFacts(&others[0].Package)
	}
}

// dropRewritten forgets licences kept as they are that Encode would write the
// same: what that is depends on the version.
func (c *component) dropRewritten(v version) {
	kept := c.foreign.get("licenses")
	if kept.kind == 0 || v < oldestOut {
		return
	}
	e := encoder{version: v}
	e.b = append(e.b, '{')
	e.licenses(c.Licenses)
	e.b = append(e.b, '}')
	if len(e.losses) == 0 && sameMember(e.b, "licenses", &kept) {
		c.foreign.remove("licenses")
	}
}

// ownComposition takes out the composition that Encode adds for blocking gaps.
func (r *reader) ownComposition() {
	list := r.foreign.get("compositions")
	if !r.doc.Blocked() || list.kind != '[' {
		return
	}
	own := incompleteComposition(r.doc.Subject.ID)
	text := canonicalText(&own)
	list.items = slices.DeleteFunc(list.items, func(n node) bool { return canonicalText(&n) == text })
	if len(list.items) == 0 {
		r.foreign.remove("compositions")
		return
	}
	r.foreign.set("compositions", list)
}

// incompleteComposition says that the inventory is known to lack something.
func incompleteComposition(subject string) node {
	n := node{kind: '{', fields: []field{{"aggregate", stringNode("incomplete")}}}
	if subject != "" {
		n.fields = append(n.fields, field{"assemblies", node{kind: '[', items: []node{stringNode(subject)}}})
	}
	return n
}
