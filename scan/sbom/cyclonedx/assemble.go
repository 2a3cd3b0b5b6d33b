package cyclonedx

import (
	"slices"

	"github.com/stella-ops/stella/scan/sbom"
)

// assemble puts the document together when all of it was read.
func (r *reader) assemble(v version) *sbom.Document {
	d := &r.doc
	r.operatingSystem()
	r.nameless()
	if d.Subject.ID == "" && r.needsSubjectID() {
		subject := sbom.Document{Subject: d.Subject}
		subject.Normalize()
		d.Subject.ID = subject.Subject.ID
	}
	known := map[string]bool{}
	for i := range r.packages {
		known[r.packages[i].ID] = !slices.Contains(r.systems, i)
	}
	if d.Subject.ID != "" {
		known[d.Subject.ID] = true
	}
	r.graph(known)
	r.containers()
	r.readTools(v)
	r.ownComposition()
	for i := range r.packages {
		if !slices.Contains(r.systems, i) {
			r.dropRewritten(i, v)
			r.packages[i].Foreign = foreignOf(&r.kept[i])
			d.Packages = append(d.Packages, r.packages[i])
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

// needsSubjectID reports whether a relationship names the subject.
func (r *reader) needsSubjectID() bool { return r.all || slices.Contains(r.parents, inSubject) }

// operatingSystem finds the distribution among the components: one that Encode
// made of it becomes the subject's alone, a single other one stays a package
// as well.
func (r *reader) operatingSystem() {
	var found []int
	for i := range r.packages {
		if r.packages[i].Type != "operating-system" || r.parents[i] != top {
			continue
		}
		if os := readOS(&r.packages[i], &r.kept[i]); os != nil && len(r.systems) == 0 {
			r.doc.Subject.OS = os
			r.systems = append(r.systems, i)
			continue
		}
		found = append(found, i)
	}
	if r.doc.Subject.OS == nil && len(found) == 1 {
		r.doc.Subject.OS = osFacts(&r.packages[found[0]])
	}
}

// readTools reads metadata.tools, and keeps it as it is unless Encode would
// write the same.
func (r *reader) readTools(v version) {
	if r.tools.kind == 0 {
		return
	}
	r.doc.Tools = toolsOf(&r.tools)
	e := encoder{version: v}
	e.b = append(e.b, '{')
	e.tools(r.doc.Tools)
	e.b = append(e.b, '}')
	if !sameMember(e.b, "tools", &r.tools) {
		r.meta.set("tools", r.tools)
	}
}

// toolsOf reads both forms: the list until 1.4, and components and services.
func toolsOf(n *node) (tools []sbom.Tool) {
	for i := range n.items {
		t := &n.items[i]
		tools = append(tools, sbom.Tool{Vendor: t.str("vendor"), Name: t.str("name"), Version: t.str("version")})
	}
	components, services := n.get("components"), n.get("services")
	for i := range components.items {
		c := &components.items[i]
		tools = append(tools, sbom.Tool{Vendor: vendorOf(c), Name: c.str("name"), Version: c.str("version")})
	}
	for i := range services.items {
		s := &services.items[i]
		provider := s.get("provider")
		tools = append(tools, sbom.Tool{Vendor: provider.str("name"), Name: s.str("name"), Version: s.str("version")})
	}
	return slices.DeleteFunc(tools, func(t sbom.Tool) bool { return t == sbom.Tool{} })
}

// vendorOf finds who made the component of a tool.
func vendorOf(c *node) string {
	for _, name := range []string{"manufacturer", "supplier"} {
		n := c.get(name)
		if s := n.str("name"); s != "" {
			return s
		}
	}
	for _, name := range []string{"publisher", "author", "group"} {
		if s := c.str(name); s != "" {
			return s
		}
	}
	return ""
}

// dropRewritten forgets licences kept as they are that Encode would write the
// same: what that is depends on the version.
func (r *reader) dropRewritten(i int, v version) {
	kept := r.kept[i].get("licenses")
	if kept.kind == 0 || v < oldestOut {
		return
	}
	e := encoder{version: v}
	e.b = append(e.b, '{')
	e.licenses(r.packages[i].Licenses)
	e.b = append(e.b, '}')
	if len(e.losses) == 0 && sameMember(e.b, "licenses", &kept) {
		r.kept[i].remove("licenses")
	}
}

// sameMember reports whether the member of a written object equals n, lists
// compared without regard to order.
func sameMember(object []byte, name string, n *node) bool {
	o, err := parseNode(object)
	if err != nil {
		return false
	}
	written := o.get(name)
	return equalNodes(&written, n)
}

func equalNodes(a, b *node) bool { return canonicalText(a) == canonicalText(b) }

// canonicalText is the text of n with members and items in order.
func canonicalText(n *node) string {
	c := node{kind: n.kind, text: n.text}
	for i := range n.items {
		c.items = append(c.items, node{kind: rawKind, text: canonicalText(&n.items[i])})
	}
	slices.SortFunc(c.items, func(a, b node) int { return compareText(a.text, b.text) })
	for i := range n.fields {
		c.fields = append(c.fields, field{n.fields[i].name, node{kind: rawKind, text: canonicalText(&n.fields[i].value)}})
	}
	c.sort()
	return string(c.append(nil))
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
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
