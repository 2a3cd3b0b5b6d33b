package spdx

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// writeJSONLD writes a document of 2.3 as SPDX 3.0.1, by the migration rules of
// its annex, and returns what has no place there.
func writeJSONLD(out io.Writer, w *document, indent bool) ([]sbom.Loss, error) {
	g := &writer3{w: w, base: text(w.Namespace) + "#", ids: map[string]bool{}, edges: map[edge3][]string{},
		fileTypes: map[string]int{}, external: map[string]*externalDocumentRef{}, licenses: map[string]*extractedLicense{}}
	unknownMembers(reflect.ValueOf(w), "document", &g.losses)
	for i := range w.ExternalDocuments {
		g.external[w.ExternalDocuments[i].ID] = &w.ExternalDocuments[i]
	}
	for i := range w.Licenses {
		g.licenses[w.Licenses[i].ID] = &w.Licenses[i]
	}
	g.document()
	for i := range w.Packages {
		g.pkg(&w.Packages[i])
	}
	for i := range w.Files {
		g.file(&w.Files[i])
	}
	for i := range w.Snippets {
		g.snippet(&w.Snippets[i])
	}
	for _, r := range w.Relationships {
		g.relationship(r)
	}
	g.annotations()
	g.relationships()
	g.collect()
	for _, t := range slices.Sorted(maps.Keys(g.fileTypes)) {
		g.lose("document", "file type %s of %d files", t, g.fileTypes[t])
	}
	return g.losses, writeJSON(out, &graph3{Context: context3, Graph: g.elements}, indent)
}

// writer3 gathers the elements of the graph.
type writer3 struct {
	w         *document
	base      string // of the IRIs
	elements  []*element3
	ids       map[string]bool // of elements, by IRI
	external  map[string]*externalDocumentRef
	fileTypes map[string]int // that have no counterpart, with how many files have them
	licenses  map[string]*extractedLicense
	info      string   // the CreationInfo of all elements but some annotations
	agents    []string // who created the document
	edges     map[edge3][]string
	losses    []sbom.Loss
}

// edge3 is a relationship without its ends "to", which are gathered.
type edge3 struct{ from, kind, scope, comment string }

// iri returns the IRI of an element of SPDX 2.
func (g *writer3) iri(spdxID string) string {
	if doc, id, ok := strings.Cut(spdxID, ":"); ok {
		if ref := g.external[doc]; ref != nil {
			return ref.Document + "#" + fragment(id)
		}
	}
	return g.base + fragment(spdxID)
}

// fragment escapes what cannot be in the fragment of an IRI.
func fragment(id string) string {
	if isIDString(id) {
		return id
	}
	return url.PathEscape(id)
}

// derived returns the IRI of an element that SPDX 2 has no identifier for, made of
// its content.
func (g *writer3) derived(kind string, content ...string) string {
	return g.base + kind + "-" + shortHash(strings.Join(content, "\x00"))
}

// add adds an element unless one with its IRI is there.
func (g *writer3) add(e element3) string {
	id := cmp.Or(e.ID, e.BlankID)
	if !g.ids[id] {
		g.ids[id] = true
		if e.Type != "CreationInfo" {
			e.CreationInfo = cmp.Or(e.CreationInfo, g.info)
		}
		g.elements = append(g.elements, &e)
	}
	return id
}

func (g *writer3) lose(where, format string, args ...any) {
	g.losses = append(g.losses, sbom.Loss{Where: where, What: fmt.Sprintf(format, args...) + ": not written in SPDX 3.0.1"})
}

// document writes who created the document, and the licence of its data.
func (g *writer3) document() {
	g.info = "_:creationInfo"
	info := element3{BlankID: g.info, Type: "CreationInfo", SpecVersion: Version301, Created: epoch}
	var creators []string
	if c := g.w.CreationInfo; c != nil {
		created := (&interpreter{}).time(c.Created)
		if created != text(c.Created) {
			g.lose("document", "the exact time %q of creation", text(c.Created))
		}
		info.Created, info.Comment, creators = cmp.Or(created, epoch), text(c.Comment), c.Creators
	}
	var first string
	for _, c := range creators {
		if name, ok := strings.CutPrefix(c, toolPrefix); ok {
			info.CreatedUsing = append(info.CreatedUsing, g.add(element3{ID: g.derived("Tool", c), Type: "Tool", Name: strings.TrimSpace(name)}))
			first = cmp.Or(first, c)
		} else if id := g.agent(c); id != "" {
			g.agents = append(g.agents, id)
		}
	}
	if len(g.agents) == 0 { // one there must be
		g.agents = []string{cmp.Or(g.agent(first), g.agent(toolPrefix+" "+noAssertion))}
	}
	info.CreatedBy = g.agents
	g.add(info)
}

// agent adds the agent that "Person: name (mail)" and the like speak of. It
// returns "" where they speak of none.
func (g *writer3) agent(s string) string {
	kind, name, ok := strings.Cut(s, ":")
	class := map[string]string{"Person": "Person", "Organization": "Organization", "Tool": "SoftwareAgent"}[kind]
	if !ok || class == "" {
		class, name = "Agent", s
	}
	name = strings.TrimSpace(name)
	if name == "" || class == "Agent" && (s == noAssertion || s == none) {
		return ""
	}
	e := element3{ID: g.derived("Agent", class, name), Type: class, Name: strings.TrimSpace(strings.TrimSuffix(name, "()"))}
	if before, mail, ok := cutLast(strings.TrimSuffix(name, ")"), "("); ok && strings.HasSuffix(name, ")") && strings.Contains(mail, "@") {
		e.Name = strings.TrimSpace(before)
		e.ExternalIdentifiers = []identifier3{{Type: "ExternalIdentifier", Kind: "email", Identifier: mail}}
	}
	return g.add(e)
}

// collect adds the document and its bill of materials, which name all others, and
// sorts.
func (g *writer3) collect() {
	w := g.w
	data := g.add(element3{ID: g.derived("License", text(w.DataLicense)), Type: "simplelicensing_LicenseExpression",
		Expression: cmp.Or(text(w.DataLicense), "CC0-1.0")})
	slices.SortFunc(g.elements, func(a, b *element3) int {
		return cmp.Or(cmp.Compare(rank3(a.Type), rank3(b.Type)), strings.Compare(a.ID, b.ID), strings.Compare(a.BlankID, b.BlankID))
	})
	bom := &element3{ID: g.base + "SPDXRef-SBOM", Type: "software_Sbom", CreationInfo: g.info, RootElements: g.described()}
	doc := &element3{ID: g.iri(text(w.SPDXID)), Type: "SpdxDocument", CreationInfo: g.info, Name: text(w.Name), Comment: text(w.Comment),
		DataLicense: data, RootElements: []string{bom.ID}, Elements: []string{bom.ID}, Imports: g.imports(),
		Profiles: []string{"core", "software", "simpleLicensing"}}
	for _, e := range g.elements {
		if e.ID == "" {
			continue
		}
		doc.Elements = append(doc.Elements, e.ID)
		if rank3(e.Type) >= rank3("software_Package") && e.Type != "Annotation" {
			bom.Elements = append(bom.Elements, e.ID)
		}
	}
	at := slices.IndexFunc(g.elements, func(e *element3) bool { return rank3(e.Type) >= rank3("software_Package") })
	if at < 0 {
		at = len(g.elements)
	}
	g.elements = slices.Insert(g.elements, at, doc, bom)
}

// rank3 orders classes.
func rank3(class string) int {
	order := []string{"CreationInfo", "Agent", "Person", "Organization", "SoftwareAgent", "Tool", "SpdxDocument", "software_Sbom",
		"software_Package", "software_File", "software_Snippet", "simplelicensing_SimpleLicensingText",
		"simplelicensing_LicenseExpression", "Relationship", "LifecycleScopedRelationship", "Annotation"}
	return slices.Index(order, class)
}

// described returns the IRIs of what the document describes.
func (g *writer3) described() []string {
	self := text(g.w.SPDXID)
	var ids []string
	for _, id := range g.w.Describes {
		ids = append(ids, g.iri(id))
	}
	for _, r := range g.w.Relationships {
		switch {
		case r.Type == "DESCRIBES" && r.From == self:
			ids = append(ids, g.end(r.To))
		case r.Type == "DESCRIBED_BY" && r.To == self:
			ids = append(ids, g.end(r.From))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// imports returns the elements of other documents that are referred to.
func (g *writer3) imports() []map3 {
	var list []map3
	seen, used := map[string]bool{}, map[string]bool{}
	use := func(id string) {
		doc, _, ok := strings.Cut(id, ":")
		if !ok || seen[id] || !strings.HasPrefix(doc, "DocumentRef-") {
			return
		}
		seen[id] = true
		m := map3{Type: "ExternalMap", ID: g.iri(id)}
		if ref := g.external[doc]; ref != nil {
			used[doc] = true
			m.Location = ref.Document
			if ref.Checksum != nil {
				m.Verified = g.hashes("document", []checksum{*ref.Checksum})
			}
		}
		list = append(list, m)
	}
	for _, r := range g.w.Relationships {
		use(r.From)
		use(r.To)
	}
	for _, ref := range g.w.ExternalDocuments {
		if !used[ref.ID] {
			use(ref.ID + ":" + documentID)
		}
	}
	slices.SortFunc(list, func(a, b map3) int { return strings.Compare(a.ID, b.ID) })
	return list
}
