package cyclonedx

import (
	"cmp"

	"github.com/stella-ops/stella/scan/sbom"
)

// An edge is a relationship as the document states it, by bom-ref.
type edge struct {
	from, to string
	kind     sbom.RelationshipKind
	where    string
	of       *component // that says so, at the end that is empty
}

// edgeProperty reads the properties that stand for relationships. They need a
// bom-ref at the component that carries them.
func (r *reader) edgeProperty(p sbom.Property, c *component) bool {
	e := edge{of: c}
	switch {
	case c.ID == "" && c.twinOf == "" || p.Value == "":
		return false
	case p.Name == ownContainedBy:
		e.from, e.kind = p.Value, sbom.Contains
	case p.Name == ownOwnedBy:
		e.kind, e.to = sbom.OwnedBy, p.Value
	default:
		return false
	}
	e.where = r.pointer()
	r.edges = append(r.edges, e)
	return true
}

// graph turns edges between known elements into relationships; what is left of
// the dependency graph goes to the foreign members.
func (r *reader) graph(known map[string]bool) {
	left := r.foreign.get("dependencies")
	for i := range r.deps {
		d := &r.deps[i]
		rest := r.dependency(d, i, known)
		if rest.kind == 0 {
			continue
		}
		left.kind = '['
		left.items = append(left.items, rest)
	}
	if left.kind != 0 {
		r.foreign.set("dependencies", left)
	}
	for _, e := range r.edges {
		e.from, e.to = cmp.Or(e.from, e.of.ID), cmp.Or(e.to, e.of.ID)
		if !known[e.from] || !known[e.to] {
			r.note(e.where, "the relationship from "+quote(e.from)+" to "+quote(e.to)+" is left out: no such component")
			continue
		}
		r.relate(e.from, e.kind, e.to)
	}
}

func (r *reader) relate(from string, kind sbom.RelationshipKind, to string) {
	r.doc.Relationships = append(r.doc.Relationships, sbom.Relationship{From: from, Kind: kind, To: to})
}

// nameless gives components without a bom-ref the ID that their content calls
// for.
func (r *reader) nameless() {
	var nameless sbom.Document
	for _, c := range r.components {
		if c.ID == "" {
			nameless.Packages = append(nameless.Packages, c.Package)
		}
	}
	nameless.Identify()
	taken := map[string]bool{}
	for _, c := range r.components {
		if c.ID != "" {
			continue
		}
		c.ID = nameless.Packages[0].ID
		nameless.Packages = nameless.Packages[1:]
		for r.refs[c.ID] || taken[c.ID] { // a bom-ref that looks like it
			c.ID += "-"
		}
		taken[c.ID] = true
	}
}

// containers relates nested components to what they are nested in.
func (r *reader) containers() {
	for _, c := range r.components {
		switch {
		case c.parent == nil:
		case c.parent.subject:
			r.relate(r.doc.Subject.ID, sbom.Contains, c.ID)
		default:
			r.relate(c.parent.ID, sbom.Contains, c.ID)
		}
	}
	if !r.all {
		return
	}
	contained := map[string]bool{}
	for _, rel := range r.doc.Relationships {
		contained[rel.To] = contained[rel.To] || rel.Kind == sbom.Contains
	}
	for _, c := range r.components {
		if !contained[c.ID] && !c.system {
			r.relate(r.doc.Subject.ID, sbom.Contains, c.ID)
		}
	}
}
