package cyclonedx

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// A graph holds the relationships of a document by how they are written.
type graph struct {
	depends    []sbom.Relationship // sorted; become dependencies
	nested     map[string][]*sbom.Package
	inside     map[string]bool // packages that are written nested
	containers map[string][]string
	owners     map[string][]string
	containAll bool            // the subject contains what nothing else contains
	referenced map[string]bool // IDs that something names; see names
}

// link sorts the relationships of the document into the graph. Relationships
// between elements that the document does not have are losses.
func (e *encoder) link(hasSubject bool) {
	g := &e.graph
	g.containers, g.owners, g.nested = map[string][]string{}, map[string][]string{}, map[string][]*sbom.Package{}
	g.inside = map[string]bool{}
	if len(e.doc.Relationships) == 0 {
		return
	}
	packages := make(map[string]*sbom.Package, len(e.doc.Packages)+1)
	for i := range e.doc.Packages {
		packages[e.doc.Packages[i].ID] = &e.doc.Packages[i]
	}
	if hasSubject {
		packages[e.doc.Subject.ID] = nil
	}
	contains := map[string][]string{}
	for _, r := range e.doc.Relationships {
		_, from := packages[r.From]
		_, to := packages[r.To]
		switch {
		case !from || !to:
			e.loseEdge(r, "an end is not in the document")
		case r.Kind == sbom.DependsOn:
			g.depends = append(g.depends, r)
		case r.Kind == sbom.Contains:
			contains[r.To] = append(contains[r.To], r.From)
		case r.Kind == sbom.OwnedBy:
			g.owners[r.From] = append(g.owners[r.From], r.To)
		default:
			e.loseEdge(r, "CycloneDX has no relationship of this kind")
		}
	}
	g.nest(contains, packages)
	g.contain(contains, e.doc, hasSubject)
}

func (e *encoder) loseEdge(r sbom.Relationship, why string) {
	e.where = "relationship " + r.From + " " + string(r.Kind) + " " + r.To
	e.lose("", why)
}

// nest takes the edges that decoded documents said by nesting: a package with
// the mark goes into the first that contains it, unless that leads in a circle.
func (g *graph) nest(contains map[string][]string, packages map[string]*sbom.Package) {
	marked := map[string]string{} // package to the one it was nested in
	for id, from := range contains {
		if p := packages[id]; p != nil && strings.Contains(string(p.Foreign[family]), `"`+markNested+`":true`) {
			marked[id] = from[0]
		}
	}
	ids := make([]string, 0, len(marked))
	for id := range marked {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	rooted := map[string]bool{} // by now: leads to a package that is not nested
	for _, id := range ids {
		path, at := []string{}, id
		seen := map[string]bool{}
		for marked[at] != "" && !rooted[at] && !seen[at] {
			seen[at] = true
			path = append(path, at)
			at = marked[at]
		}
		if seen[at] {
			delete(marked, at) // a circle: one of it is not nested
		}
		for _, p := range path {
			rooted[p] = true
		}
	}
	for _, id := range ids {
		if from := marked[id]; from != "" {
			g.nested[from] = append(g.nested[from], packages[id])
			g.inside[id] = true
			contains[id] = contains[id][1:]
		}
	}
}

// contain turns the other edges into properties, or into one property of the
// document where the subject contains exactly what nothing else contains.
func (g *graph) contain(contains map[string][]string, d *sbom.Document, hasSubject bool) {
	all, some := hasSubject, false
	for i := range d.Packages {
		id := d.Packages[i].ID
		from := contains[id]
		bySubject := slices.Contains(from, d.Subject.ID)
		alone := !g.inside[id] && (len(from) == 0 || bySubject && len(from) == 1)
		all = all && bySubject == alone
		some = some || bySubject
	}
	g.containAll = all && some
	for id, from := range contains {
		if g.containAll && id != d.Subject.ID {
			from = slices.DeleteFunc(from, func(f string) bool { return f == d.Subject.ID })
		}
		if len(from) == 0 {
			continue
		}
		g.containers[id] = from
	}
}

// names reports whether anything that is written names the element: then it
// needs its bom-ref even if a decoded document had none.
func (e *encoder) names(id string) bool {
	g := &e.graph
	if g.referenced == nil {
		g.referenced = map[string]bool{e.doc.Subject.ID: e.doc.Blocked()}
		for _, r := range g.depends {
			g.referenced[r.From], g.referenced[r.To] = true, true
		}
		for _, edges := range []map[string][]string{g.containers, g.owners} {
			for from, list := range edges {
				g.referenced[from] = true
				for _, to := range list {
					g.referenced[to] = true
				}
			}
		}
	}
	return g.referenced[id]
}
