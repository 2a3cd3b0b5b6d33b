package spdx

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// pkg returns the element of a package, starting from what was kept of it.
func (b *builder) pkg(p *sbom.Package, k *keptPackage) packageElement {
	e, had := k.element, k.had
	if !had {
		e.FilesAnalyzed = new(false)
		e.SourceInfo = sourceInfo(p)
	}
	e.SPDXID = b.ids[p.ID]
	e.Name = keep(had, e.Name, text, p.Name, required)
	e.Version = keep(had, e.Version, func(s *string) string { return versionOf(s, p.PURL) }, p.Version, optional)
	e.Purpose = keep(had, e.Purpose, typeOf, p.Type, func(t string) *string { return optional(purposes[t]) })
	e.Supplier = keep(had, e.Supplier, actor, p.Supplier, actorText)
	e.Originator = keep(had, e.Originator, actor, p.Originator, actorText)
	e.Download = keep(had, e.Download, asserted, p.Download, required)
	e.Homepage = keep(had, e.Homepage, asserted, p.Homepage, optional)
	e.Copyright = keep(had, e.Copyright, asserted, p.Copyright, required)
	if !had || description(&e) != p.Description {
		e.Description = optional(p.Description)
	}
	e.LicenseDeclared = b.licenses(had, e.LicenseDeclared, p.Licenses, sbom.LicenseDeclared)
	e.LicenseConcluded = b.licenses(had, e.LicenseConcluded, p.Licenses, sbom.LicenseConcluded)
	e.Checksums = checksums(e.Checksums, p.Hashes)
	e.ExternalRefs = externalRefs(e.ExternalRefs, p)
	return e
}

// subject returns the element of the subject.
func (b *builder) subject() packageElement {
	var p sbom.Package
	s := &b.d.Subject
	if s.Package != nil {
		p = *s.Package
	}
	p.ID, p.Name, p.Version = s.ID, s.Name, s.Version
	if s.Kind == sbom.SubjectImage && p.Type == "" {
		p.Type = "container"
		if k := &b.elements[len(b.d.Packages)]; k.had && typeOf(k.element.Purpose) == "" {
			p.Type = "" // its package URL says so
		}
	}
	return b.pkg(&p, &b.elements[len(b.d.Packages)])
}

// maxPlaces is how many locations sourceInfo names.
const maxPlaces = 5

// sourceInfo says for people where a package was found.
func sourceInfo(p *sbom.Package) *string {
	if len(p.Locations) == 0 {
		return nil
	}
	var paths []string
	for _, l := range p.Locations[:min(len(p.Locations), maxPlaces)] {
		paths = append(paths, l.Path)
	}
	s := "acquired package information from " + strings.Join(paths, ", ")
	if n := len(p.Locations) - maxPlaces; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return &s
}

// actorText writes a supplier or originator. A mail address makes it a person,
// for want of anything better: the specification wants one or the other.
func actorText(name string) *string {
	switch {
	case name == "":
		return nil
	case strings.HasSuffix(name, ")") && strings.Contains(name, "@"):
		return new("Person: " + name)
	}
	return new("Organization: " + name)
}

// checksums keeps what was read and is still so, or was never understood, and
// adds the rest of hashes.
func checksums(kept []checksum, hashes []sbom.Hash) []checksum {
	out := kept[:0:0]
	unwritten := make(map[sbom.Hash]bool, len(hashes))
	for _, h := range hashes {
		unwritten[h] = true
	}
	for _, c := range kept {
		if h, ok := hashOf(c); !ok {
			out = append(out, c)
		} else if _, said := unwritten[h]; said {
			out = append(out, c)
			unwritten[h] = false
		}
	}
	for _, h := range hashes {
		if a, known := algorithms[h.Algorithm]; known && unwritten[h] {
			out = append(out, checksum{Algorithm: a.name, Value: h.Value})
		}
	}
	return out
}

// externalRefs keeps what was read and is still so, or is outside the model, and
// adds the rest.
func externalRefs(kept []externalRef, p *sbom.Package) []externalRef {
	out := kept[:0:0]
	identity := p.PURL.String()
	purlSeen, purlRead := identity == "", false
	unwritten := make(map[string]bool, len(p.CPEs))
	for _, cpe := range p.CPEs {
		unwritten[cpe] = true
	}
	for _, r := range kept {
		if cpe, ok := cpeOf(r); ok {
			if _, said := unwritten[cpe]; !said {
				continue
			}
			unwritten[cpe] = false
		} else if isPURL(r) && !purlRead {
			if u, err := purl.Parse(r.Locator); err == nil {
				purlRead = true // the others are further names
				if u.String() != identity {
					continue
				}
				purlSeen = true
			}
		}
		out = append(out, r)
	}
	if !purlSeen {
		out = append(out, externalRef{Category: categoryPackage, Type: "purl", Locator: identity})
	}
	for _, cpe := range p.CPEs {
		r := externalRef{Category: categorySecurity, Type: "cpe23Type", Locator: cpe}
		if _, ok := cpeOf(r); ok && unwritten[cpe] {
			out = append(out, r)
		}
	}
	return out
}

// distribution adds the package of the distribution, unless another package
// already says it, and returns its SPDXID.
func (b *builder) distribution(w *document) string {
	os := b.d.Subject.OS
	if os == nil || slices.ContainsFunc(w.Packages, func(e packageElement) bool {
		return typeOf(e.Purpose) == "operating-system" || strings.HasPrefix(e.SPDXID, osID+"-")
	}) {
		return ""
	}
	e := osElement(os)
	e.SPDXID = b.unique(osID + "-" + idString(os.ID+"-"+os.VersionID))
	e.ext = &extension{OS: os}
	w.Packages = append(w.Packages, e)
	return e.SPDXID
}

// osElement is the package that stands for a distribution, without SPDXID.
func osElement(os *sbom.OS) packageElement {
	e := packageElement{Name: required(os.ID), Version: optional(os.VersionID), Summary: optional(os.PrettyName),
		FilesAnalyzed: new(false), Download: required(""), LicenseConcluded: required(""), LicenseDeclared: required(""),
		Copyright: required(""), Purpose: new(purposes["operating-system"])}
	switch {
	case strings.HasPrefix(os.CPE, "cpe:2.3:"):
		e.ExternalRefs = []externalRef{{Category: categorySecurity, Type: "cpe23Type", Locator: os.CPE}}
	case strings.HasPrefix(os.CPE, "cpe:/"):
		e.ExternalRefs = []externalRef{{Category: categorySecurity, Type: "cpe22Type", Locator: os.CPE}}
	}
	return e
}

// isOurOS reports whether e is a distribution's package as osElement makes it, and
// therefore says nothing beside the distribution.
func isOurOS(e *packageElement) bool {
	if e.ext == nil || e.ext.OS == nil {
		return false
	}
	ours := osElement(e.ext.OS)
	ours.SPDXID, ours.Purpose = e.SPDXID, e.Purpose // not in SPDX 2.2
	if sameElement(e, &ours) {
		return true
	}
	visitStrings(reflect.ValueOf(&ours), func(s reflect.Value) { s.SetString(tagText(s.String())) })
	return sameElement(e, &ours)
}
