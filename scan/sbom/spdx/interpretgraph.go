package spdx

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license"
)

// direction says how a relationship type reads in the model.
type direction struct {
	kind     sbom.RelationshipKind
	reversed bool // "A type B" means "B kind A"
}

// directions are the relationship types that the model has a kind for.
var directions = map[string]direction{
	"CONTAINS":               {sbom.Contains, false},
	"CONTAINED_BY":           {sbom.Contains, true},
	"PACKAGE_OF":             {sbom.Contains, true},
	"DEPENDS_ON":             {sbom.DependsOn, false},
	"HAS_PREREQUISITE":       {sbom.DependsOn, false},
	"DYNAMIC_LINK":           {sbom.DependsOn, false},
	"STATIC_LINK":            {sbom.DependsOn, false},
	"PREREQUISITE_FOR":       {sbom.DependsOn, true},
	"DEPENDENCY_OF":          {sbom.DependsOn, true},
	"BUILD_DEPENDENCY_OF":    {sbom.DependsOn, true},
	"DEV_DEPENDENCY_OF":      {sbom.DependsOn, true},
	"OPTIONAL_DEPENDENCY_OF": {sbom.DependsOn, true},
	"PROVIDED_DEPENDENCY_OF": {sbom.DependsOn, true},
	"RUNTIME_DEPENDENCY_OF":  {sbom.DependsOn, true},
	"TEST_DEPENDENCY_OF":     {sbom.DependsOn, true},
}

// SPDX has no type for one package having installed the files of another. Ours
// starts its comment with ownedBy; syft's runs from the owner to the owned.
const (
	ownedBy        = "owned-by"
	ownedByComment = ownedBy + ": the files of this package were installed by the related package"
	syftOwnership  = "ownership-by-file-overlap"
)

// edge returns the relationship of the model that r stands for, if any.
func (in *interpreter) edge(r relationship) (sbom.Relationship, bool) {
	from, ok1 := in.ids[r.From]
	to, ok2 := in.ids[r.To]
	if !ok1 || !ok2 {
		return sbom.Relationship{}, false
	}
	dir, ok := directions[r.Type]
	switch {
	case ok:
	case r.Type == "OTHER" && strings.HasPrefix(text(r.Comment), ownedBy):
		dir.kind = sbom.OwnedBy
	case r.Type == "OTHER" && strings.HasPrefix(text(r.Comment), syftOwnership):
		dir = direction{sbom.OwnedBy, true}
	case r.Type == "DESCRIBES" && from == selfID && in.root < 0:
		dir.kind = sbom.Contains
	case r.Type == "DESCRIBED_BY" && to == selfID && in.root < 0:
		dir = direction{sbom.Contains, true}
	default:
		return sbom.Relationship{}, false
	}
	if dir.reversed {
		from, to = to, from
	}
	return sbom.Relationship{From: from, Kind: dir.kind, To: to}, true
}

// relationships reads the edges between packages and the subject.
func (in *interpreter) relationships(d *sbom.Document) {
	seen := map[sbom.Relationship]bool{}
	add := func(e sbom.Relationship, ok bool) {
		if ok && !seen[e] {
			seen[e] = true
			d.Relationships = append(d.Relationships, e)
		}
	}
	for _, r := range in.w.Relationships {
		add(in.edge(r))
	}
	for _, id := range in.w.Describes {
		add(in.edge(relationship{From: text(in.w.SPDXID), Type: "DESCRIBES", To: id}))
	}
}

// references notes references to elements and licences that do not exist.
func (in *interpreter) references() {
	w := in.w
	known := map[string]bool{text(w.SPDXID): true, noAssertion: true, none: true}
	for i := range w.Packages {
		known[w.Packages[i].SPDXID] = true
	}
	for i := range w.Files {
		known[w.Files[i].SPDXID] = true
	}
	for i := range w.Snippets {
		known[w.Snippets[i].SPDXID] = true
	}
	for i := range w.Licenses {
		known[w.Licenses[i].ID] = true
	}
	refer := func(id, where string) {
		if !known[id] && !strings.HasPrefix(id, "DocumentRef-") {
			in.missing = append(in.missing, id)
			in.note(where, "%.100s is not an element of the document", id)
		}
	}
	for _, r := range w.Relationships {
		refer(r.From, relationName(r))
		refer(r.To, relationName(r))
	}
	for _, id := range w.Describes {
		refer(id, "documentDescribes")
	}
	for i := range w.Packages {
		p := &w.Packages[i]
		for _, id := range p.HasFiles {
			refer(id, p.SPDXID)
		}
		for _, expr := range []*string{p.LicenseDeclared, p.LicenseConcluded} {
			for _, ref := range license.References(text(expr)) {
				refer(ref, p.SPDXID)
			}
		}
	}
	for i := range w.Snippets {
		if s := &w.Snippets[i]; s.File != nil {
			refer(*s.File, s.SPDXID)
		}
	}
	slices.Sort(in.missing)
	in.missing = slices.Compact(in.missing)
}

func relationName(r relationship) string {
	return "relationship " + r.From + " " + r.Type + " " + r.To
}
