package spdx

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom/license"
)

func (g *writer3) pkg(p *packageElement) {
	e := element3{ID: g.iri(p.SPDXID), Type: "software_Package", Name: text(p.Name), Summary: text(p.Summary), Description: text(p.Description),
		Comment: text(p.Comment), Version: text(p.Version), Download: asserted(p.Download), Homepage: asserted(p.Homepage),
		SourceInfo: text(p.SourceInfo), Copyright: g.said(p.Copyright), Attributions: p.Attributions,
		ReleaseTime: text(p.ReleaseDate), BuiltTime: text(p.BuiltDate), ValidUntilTime: text(p.ValidUntilDate)}
	if p.Purpose != nil {
		e.Purpose = strings.ToLower(*p.Purpose)
		if special, ok := purposes3[*p.Purpose]; ok {
			e.Purpose = special
		}
	}
	if p.Supplier != nil {
		e.SuppliedBy = g.agent(*p.Supplier)
	}
	if p.Originator != nil {
		if id := g.agent(*p.Originator); id != "" {
			e.OriginatedBy = []string{id}
		}
	}
	e.VerifiedUsing = g.hashes(p.SPDXID, p.Checksums)
	if v := p.VerificationCode; v != nil {
		e.VerifiedUsing = append(e.VerifiedUsing, hash3{Type: "PackageVerificationCode", Algorithm: "sha1", Value: v.Value, Excluded: v.Excluded})
	}
	for _, r := range p.ExternalRefs {
		g.externalRef(&e, r)
	}
	asFile(&e)
	g.add(e)
	if name := asserted(p.FileName); name != "" {
		file := g.add(element3{ID: g.iri(p.SPDXID + "-file"), Type: "software_File", Name: name})
		g.edge(edge3{from: e.ID, kind: "hasDistributionArtifact"}, file)
	}
	for _, id := range p.HasFiles {
		g.edge(edge3{from: e.ID, kind: "contains"}, g.end(id))
	}
	if p.FilesAnalyzed != nil && *p.FilesAnalyzed {
		g.lose(p.SPDXID, "filesAnalyzed")
	}
	if len(p.LicenseFromFiles) > 0 {
		g.lose(p.SPDXID, "licenseInfoFromFiles")
	}
	g.license(e.ID, "hasDeclaredLicense", p.LicenseDeclared, "")
	g.license(e.ID, "hasConcludedLicense", p.LicenseConcluded, text(p.LicenseComments))
}

// asFile makes a File of a package that is one and says nothing that a File cannot.
// What people are told of its place is then a comment.
func asFile(e *element3) {
	if e.Purpose != "file" || e.Version != "" || e.PackageURL != "" || e.Download != "" || e.Homepage != "" || e.SourceInfo != "" && e.Comment != "" {
		return
	}
	e.Type, e.Comment, e.SourceInfo = "software_File", cmp.Or(e.Comment, e.SourceInfo), ""
}

// said returns a text that says something; "NONE" says something.
func (g *writer3) said(p *string) string {
	if s := text(p); s != noAssertion {
		return s
	}
	return ""
}

func (g *writer3) file(f *fileElement) {
	e := element3{ID: g.iri(f.SPDXID), Type: "software_File", Name: text(f.Name), Comment: text(f.Comment), Copyright: g.said(f.Copyright),
		Attributions: f.Attributions, VerifiedUsing: g.hashes(f.SPDXID, f.Checksums)}
	if f.Notice != nil {
		e.Attributions = append(slices.Clip(e.Attributions), *f.Notice)
	}
	for _, c := range f.Contributors {
		if id := g.agent(c); id != "" {
			e.OriginatedBy = append(e.OriginatedBy, id)
		}
	}
	for _, t := range f.Types {
		switch purpose := strings.ToLower(t); purpose {
		case "source", "archive", "application", "documentation", "other":
			if e.Purpose == "" {
				e.Purpose = purpose
				continue
			}
		}
		g.fileTypes[t]++
	}
	g.add(e)
	for _, id := range f.Dependencies {
		g.edge(edge3{from: e.ID, kind: "dependsOn"}, g.end(id))
	}
	if f.ArtifactOfs != nil {
		g.lose(f.SPDXID, "artifactOfs")
	}
	g.license(e.ID, "hasConcludedLicense", f.LicenseConcluded, text(f.LicenseComments))
	for _, l := range f.LicenseInfo {
		g.license(e.ID, "hasDeclaredLicense", &l, "")
	}
}

func (g *writer3) snippet(s *snippetElement) {
	e := element3{ID: g.iri(s.SPDXID), Type: "software_Snippet", Name: text(s.Name), Comment: text(s.Comment), Copyright: g.said(s.Copyright),
		Attributions: s.Attributions, SnippetFile: g.iri(text(s.File))}
	for _, r := range s.Ranges {
		switch {
		case r.Start.Offset != nil && r.End.Offset != nil && e.ByteRange == nil:
			e.ByteRange = &range3{"PositiveIntegerRange", *r.Start.Offset, *r.End.Offset}
		case r.Start.Line != nil && r.End.Line != nil && e.LineRange == nil:
			e.LineRange = &range3{"PositiveIntegerRange", *r.Start.Line, *r.End.Line}
		default:
			g.lose(s.SPDXID, "a range")
		}
	}
	g.add(e)
	g.license(e.ID, "hasConcludedLicense", s.LicenseConcluded, text(s.LicenseComments))
	for _, l := range s.LicenseInfo {
		g.license(e.ID, "hasDeclaredLicense", &l, "")
	}
}

// hashes writes checksums.
func (g *writer3) hashes(where string, list []checksum) []hash3 {
	var out []hash3
	for _, c := range list {
		name := strings.ReplaceAll(strings.ToLower(c.Algorithm), "-", "")
		if _, known := algorithms[name]; !known {
			g.lose(where, "checksum %s: %s", c.Algorithm, c.Value)
			continue
		}
		if strings.HasPrefix(name, "sha3") && len(name) == len("sha3256") {
			name = "sha3_" + name[len("sha3"):]
		}
		out = append(out, hash3{Type: "Hash", Algorithm: name, Value: c.Value})
	}
	return out
}

// externalRef adds an external reference: the first package URL, an identifier or
// a reference.
func (g *writer3) externalRef(e *element3, r externalRef) {
	if isPURL(r) && e.PackageURL == "" && r.Comment == nil {
		e.PackageURL = r.Locator
		return
	}
	if kind, ok := identifiers3[r.Type]; ok {
		e.ExternalIdentifiers = append(e.ExternalIdentifiers, identifier3{"ExternalIdentifier", kind, r.Locator, text(r.Comment)})
		return
	}
	kind, ok := refs3[r.Type]
	comment := text(r.Comment)
	if !ok {
		kind = "other"
		comment = strings.TrimSpace(r.Category + " " + r.Type + " " + comment)
	}
	e.ExternalRefs = append(e.ExternalRefs, ref3{"ExternalRef", kind, []string{r.Locator}, comment})
}

// license adds a licence and its relationship to an element. Without an assertion
// there is a relationship only if there is a comment.
func (g *writer3) license(from, kind string, p *string, comment string) {
	expr := strings.TrimSpace(text(p))
	switch {
	case (expr == "" || expr == noAssertion) && comment == "":
		return
	case expr == "" || expr == noAssertion:
		g.edge(edge3{from: from, kind: kind, comment: comment}, "expandedlicensing_NoAssertionLicense")
		return
	case expr == none:
		g.edge(edge3{from: from, kind: kind, comment: comment}, "expandedlicensing_NoneLicense")
		return
	}
	e := element3{ID: g.derived("License", expr), Type: "simplelicensing_LicenseExpression", Expression: expr, ListVersion: g.listVersion()}
	for _, ref := range license.References(expr) {
		e.CustomIDs = append(e.CustomIDs, entry3{"DictionaryEntry", ref, g.custom(ref)})
	}
	g.edge(edge3{from: from, kind: kind, comment: comment}, g.add(e))
}

// listVersion returns the version of the licence list with three parts, as SPDX 3
// wants it, or "".
func (g *writer3) listVersion() string {
	if c := g.w.CreationInfo; c != nil && c.LicenseListVersion != nil {
		parts := strings.Split(*c.LicenseListVersion, ".")
		for _, p := range parts {
			if p == "" || strings.Trim(p, "0123456789") != "" || len(p) > 1 && p[0] == '0' {
				return ""
			}
		}
		switch len(parts) {
		case 2:
			return *c.LicenseListVersion + ".0"
		case 3:
			return *c.LicenseListVersion
		}
	}
	return ""
}

// custom adds an extracted licence and returns its IRI.
func (g *writer3) custom(ref string) string {
	id := g.iri(ref)
	l := g.licenses[ref]
	if l == nil {
		return id
	}
	e := element3{ID: id, Type: "simplelicensing_SimpleLicensingText", Name: asserted(l.Name), Comment: text(l.Comment), LicenseText: text(l.Text)}
	if len(l.SeeAlsos) > 0 {
		e.ExternalRefs = []ref3{{"ExternalRef", "license", l.SeeAlsos, ""}}
	}
	if e.LicenseText == "" {
		e.LicenseText = noAssertion
	}
	return g.add(e)
}

// end returns the IRI of an end of a relationship.
func (g *writer3) end(id string) string {
	switch id {
	case none:
		return "NoneElement"
	case noAssertion:
		return "NoAssertionElement"
	}
	return g.iri(id)
}

// relationship adds a relationship of SPDX 2.
func (g *writer3) relationship(r relationship) {
	if r.Type == "DESCRIBES" || r.Type == "DESCRIBED_BY" {
		if r.Comment != nil {
			g.lose(relationName(r), "the comment of a relationship")
		}
		return // a root element
	}
	dir, ok := relationships3[r.Type]
	comment := text(r.Comment)
	if !ok {
		dir.kind = "other"
		comment = strings.TrimSpace(r.Type + " " + comment)
	}
	from, to := r.From, r.To
	if dir.reversed {
		from, to = to, from
	}
	if from == none || from == noAssertion {
		g.lose(relationName(r), "a relationship that starts nowhere")
		return
	}
	g.edge(edge3{g.end(from), dir.kind, dir.scope, comment}, g.end(to))
}

// edge gathers the ends of relationships that are otherwise the same.
func (g *writer3) edge(e edge3, to string) { g.edges[e] = append(g.edges[e], to) }

// relationships writes what edge gathered.
func (g *writer3) relationships() {
	for e, to := range g.edges {
		slices.Sort(to)
		class := "Relationship"
		if e.scope != "" {
			class = "LifecycleScopedRelationship"
		}
		g.add(element3{ID: g.derived("Relationship", e.from, e.kind, e.scope, e.comment), Type: class, From: e.from,
			RelationshipType: e.kind, To: slices.Compact(to), Scope: e.scope, Comment: e.comment})
	}
}

// annotations writes annotations and reviews.
func (g *writer3) annotations() {
	g.annotate(g.w.SPDXID, g.w.Annotations)
	for i := range g.w.Packages {
		g.annotate(&g.w.Packages[i].SPDXID, g.w.Packages[i].Annotations)
	}
	for i := range g.w.Files {
		g.annotate(&g.w.Files[i].SPDXID, g.w.Files[i].Annotations)
	}
	for i := range g.w.Snippets {
		g.annotate(&g.w.Snippets[i].SPDXID, g.w.Snippets[i].Annotations)
	}
	for _, r := range g.w.Reviews {
		g.annotate(g.w.SPDXID, []annotation{{Date: r.Date, Type: "REVIEW", Annotator: text(r.Reviewer), Comment: text(r.Comment)}})
	}
}

func (g *writer3) annotate(subject *string, list []annotation) {
	seen := map[annotation3]int{}
	for _, a := range list {
		e := element3{Type: "Annotation", Subject: g.iri(text(subject)), AnnotationType: "other", Statement: a.Comment, CreationInfo: g.creation(a)}
		if a.Type == "REVIEW" {
			e.AnnotationType = "review"
		}
		if a.Annotator == annotator {
			e.ContentType = "application/json"
		}
		key := annotation3{a.Date, a.Type, a.Annotator, a.Comment}
		e.ID = g.derived("Annotation", e.Subject, a.Date, a.Type, a.Annotator, a.Comment, fmt.Sprint(seen[key]))
		seen[key]++
		g.add(e)
	}
}

// annotation3 is what makes an annotation.
type annotation3 struct{ date, kind, annotator, comment string }

// creation returns the CreationInfo of an annotation.
func (g *writer3) creation(a annotation) string {
	created := (&interpreter{}).time(&a.Date)
	if created != a.Date {
		g.lose("annotation", "the exact time %q", a.Date)
	}
	info := element3{BlankID: "_:creationInfo-" + shortHash(created+"\x00"+a.Annotator), Type: "CreationInfo", SpecVersion: Version301,
		Created: created, CreatedBy: g.agents}
	if created == "" {
		info.Created = epoch
	}
	if name, ok := strings.CutPrefix(a.Annotator, toolPrefix); ok {
		info.CreatedUsing = []string{g.add(element3{ID: g.derived("Tool", a.Annotator), Type: "Tool", Name: strings.TrimSpace(name)})}
	} else if id := g.agent(a.Annotator); id != "" {
		info.CreatedBy = []string{id}
	}
	return g.add(info)
}
