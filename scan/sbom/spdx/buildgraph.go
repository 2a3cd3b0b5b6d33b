package spdx

import (
	"maps"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license"
)

// licenses writes one licence member: the statements of one kind, all of which
// apply.
func (b *builder) licenses(had bool, was *string, all []sbom.License, kind sbom.LicenseKind) *string {
	var now []sbom.License
	for _, l := range all {
		if l.Kind == kind {
			now = append(now, l)
		}
	}
	if had && slices.Equal((&interpreter{licenses: b.names}).license(was, kind), now) {
		b.declare(text(was))
		return was
	}
	var parts []string
	seen := map[string]bool{"": true}
	for _, l := range now {
		if part := b.statement(l); !seen[part] {
			seen[part] = true
			parts = append(parts, part)
		}
	}
	if len(parts) > 1 {
		for i, p := range parts {
			if strings.Contains(p, " OR ") || strings.Contains(p, " AND ") {
				parts[i] = "(" + p + ")"
			}
		}
	}
	expr := strings.Join(parts, " AND ")
	b.declare(expr)
	return required(expr)
}

// statement returns an expression for one statement.
func (b *builder) statement(l sbom.License) string {
	if license.Valid(l.Expression) {
		return strings.TrimSpace(l.Expression)
	}
	name := l.Name
	if name == "" {
		name = l.Expression
	}
	if strings.TrimSpace(name) == "" {
		return ""
	}
	ref := licenseRef(name)
	b.wanted[ref] = name
	return ref
}

// licenseRef names a licence that is not on the list. The hash keeps different
// names apart, and from references of other documents.
func licenseRef(name string) string {
	readable := strings.Trim(idString(name[:min(len(name), 40)]), "-")
	if readable != "" {
		readable += "-"
	}
	return "LicenseRef-" + readable + shortHash(name)
}

// declare asks for an entry for each reference in an expression that has none
// and had none.
func (b *builder) declare(expr string) {
	if !strings.Contains(expr, "LicenseRef-") {
		return
	}
	for _, ref := range license.References(expr) {
		if _, wanted := b.wanted[ref]; !wanted && !b.declared[ref] && !strings.HasPrefix(ref, "DocumentRef-") {
			b.wanted[ref] = ""
		}
	}
}

// extracted returns the extracted licences: those that were kept and those that
// the packages' expressions need.
func (b *builder) extracted() []extractedLicense {
	out := slices.Clip(b.kept.Document.Licenses)
	for _, ref := range slices.Sorted(maps.Keys(b.wanted)) {
		if b.declared[ref] {
			continue // by chance the same name for the same licence
		}
		name := required(b.wanted[ref])
		out = append(out, extractedLicense{ID: ref, Text: name, Name: name})
	}
	return out
}

// relationships returns the relationships and documentDescribes: what was kept
// and still holds, and what the model says beside it.
func (b *builder) relationships(w *document, os string) ([]relationship, []string) {
	g := b.graph(w)
	describes := b.kept.Document.Describes[:0:0]
	for _, id := range b.kept.Document.Describes {
		if g.holds(relationship{From: b.documentID(), Type: "DESCRIBES", To: id}) {
			describes = append(describes, id)
		}
	}
	out := b.kept.Document.Relationships[:0:0]
	for _, r := range b.kept.Document.Relationships {
		if g.holds(r) {
			out = append(out, r)
		} else if _, ok := g.in.edge(r); !ok { // else the model says so
			b.losses = append(b.losses, sbom.Loss{Where: relationName(r), What: "the relationship: an end of it is no longer there"})
		}
	}
	root := b.ids[b.d.Subject.ID]
	if !b.self && !g.described {
		out = append(out, relationship{From: b.documentID(), Type: "DESCRIBES", To: root})
	}
	isOS := func(r relationship) bool { return r.From == root && r.Type == "CONTAINS" && r.To == os }
	if os != "" && !b.self && !slices.ContainsFunc(out, isOS) {
		out = append(out, relationship{From: root, Type: "CONTAINS", To: os})
	}
	for _, e := range b.d.Relationships {
		if r, ok := b.relationship(e); ok && !g.covered[e] {
			out = append(out, r)
		}
	}
	if b.self {
		out, describes = undescribe(w, out, describes)
	}
	return out, describes
}

// undescribe makes sure that a document that is its own subject does not describe
// exactly one package, which would then be its subject: it contains that one.
func undescribe(w *document, list []relationship, describes []string) ([]relationship, []string) {
	root := (&interpreter{w: &document{SPDXID: w.SPDXID, Packages: w.Packages, Relationships: list, Describes: describes}}).findRoot()
	if root < 0 {
		return list, describes
	}
	list = slices.DeleteFunc(list, func(r relationship) bool { return r.Type == "DESCRIBES" || r.Type == "DESCRIBED_BY" })
	return append(list, relationship{From: text(w.SPDXID), Type: "CONTAINS", To: w.Packages[root].SPDXID}), nil
}

// graph decides which kept relationships still hold.
type graph struct {
	b         *builder
	in        *interpreter
	exists    map[string]bool            // SPDXIDs, and what else may be referred to
	edges     map[sbom.Relationship]bool // of the model
	covered   map[sbom.Relationship]bool // edges that kept relationships express
	described bool                       // the subject is described
}

func (b *builder) graph(w *document) *graph {
	g := &graph{b: b, covered: map[sbom.Relationship]bool{}}
	if !b.had {
		return g
	}
	g.in = &interpreter{w: &document{SPDXID: new(b.documentID())}, ids: map[string]string{}, root: -1}
	if !b.self {
		g.in.root = 0
	}
	for id, spdxID := range b.ids {
		g.in.ids[spdxID] = id
	}
	g.edges = make(map[sbom.Relationship]bool, len(b.d.Relationships))
	for _, e := range b.d.Relationships {
		g.edges[e] = true
	}
	g.exists = maps.Clone(b.used)
	for _, l := range b.kept.Document.Licenses {
		g.exists[l.ID] = true
	}
	for _, id := range append([]string{noAssertion, none}, b.kept.Dangling...) {
		g.exists[id] = true
	}
	return g
}

// holds reports whether a kept relationship is still true, and remembers what it
// expresses.
func (g *graph) holds(r relationship) bool {
	if e, ok := g.in.edge(r); ok {
		g.covered[e] = true
		return g.edges[e]
	}
	for _, id := range []string{r.From, r.To} {
		if !g.exists[id] && !strings.HasPrefix(id, "DocumentRef-") {
			return false
		}
	}
	described := ""
	switch {
	case r.Type == "DESCRIBES" && r.From == g.b.documentID():
		described = r.To
	case r.Type == "DESCRIBED_BY" && r.To == g.b.documentID():
		described = r.From
	default:
		return true
	}
	if g.b.self {
		return true
	}
	is := described == g.b.ids[g.b.d.Subject.ID]
	g.described = g.described || is
	return is
}

// relationship writes one edge of the model.
func (b *builder) relationship(e sbom.Relationship) (relationship, bool) {
	from, ok1 := b.ids[e.From]
	to, ok2 := b.ids[e.To]
	if !ok1 || !ok2 {
		return relationship{}, false
	}
	r := relationship{From: from, To: to}
	switch {
	case e.Kind == sbom.Contains && b.self && e.From == selfID:
		r.Type = "DESCRIBES"
	case e.Kind == sbom.Contains:
		r.Type = "CONTAINS"
	case e.Kind == sbom.DependsOn:
		r.Type = "DEPENDS_ON"
	case e.Kind == sbom.OwnedBy:
		r.Type, r.Comment = "OTHER", new(ownedByComment)
	default:
		return relationship{}, false
	}
	return r, true
}
