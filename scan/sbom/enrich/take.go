package enrich

import (
	"cmp"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// taker puts facts into one package.
type taker struct {
	p       *sbom.Package
	replace bool
	report  *Report
	source  string
	given   map[string]bool // fields, and parts of lists, that a source filled
}

// newTaker gives the package lists of its own.
func newTaker(p *sbom.Package, replace bool, r *Report) *taker {
	p.Licenses, p.CPEs = slices.Clone(p.Licenses), slices.Clone(p.CPEs)
	p.Hashes, p.Properties = slices.Clone(p.Hashes), slices.Clone(p.Properties)
	return &taker{p: p, replace: replace, report: r, given: map[string]bool{}}
}

func (t *taker) take(f *Facts, source string) {
	t.source = source
	t.licenses(f.Licenses)
	t.cpes(f.CPEs)
	t.purl(f.PURL)
	t.hashes(f.Hashes)
	t.properties(f.Properties)
	t.text(Supplier, &t.p.Supplier, f.Supplier)
	t.text(Originator, &t.p.Originator, f.Originator)
	t.text(Homepage, &t.p.Homepage, f.Homepage)
	t.text(Download, &t.p.Download, f.Download)
	t.text(Copyright, &t.p.Copyright, f.Copyright)
	t.text(Description, &t.p.Description, f.Description)
}

// may reports whether a field, or the part of a list that key names, takes what is
// said, and notes either answer. Nothing is noted where nothing new is said.
func (t *taker) may(field Field, key, was, said string) bool {
	if said == "" || said == was {
		return false
	}
	c := Change{Package: t.p.ID, Name: t.p.Name + "@" + t.p.Version, Field: field, Was: was, Said: said, Source: t.source}
	key = string(field) + "\x00" + key
	if was != "" && (!t.replace || t.given[key]) {
		t.report.Conflicts = append(t.report.Conflicts, c)
		return false
	}
	t.given[key] = true
	t.report.Changes = append(t.report.Changes, c)
	return true
}

func (t *taker) text(field Field, to *string, said string) {
	if t.may(field, "", *to, said) {
		*to = said
	}
}

// purl gives a package URL to a package that has none. One of another version is
// disputed.
func (t *taker) purl(u purl.PackageURL) {
	switch was := t.p.PURL.String(); {
	case u.IsZero():
	case was == "" && u.Version == t.p.Version:
		if t.may(PURL, "", was, u.String()) {
			t.p.PURL = u
		}
	case was != u.String():
		t.report.Conflicts = append(t.report.Conflicts, Change{Package: t.p.ID, Name: t.p.Name + "@" + t.p.Version, Field: PURL, Was: was, Said: u.String(), Source: t.source})
	}
}

// cpes adds names: a package may have several.
func (t *taker) cpes(list []string) {
	for _, c := range list {
		if !slices.Contains(t.p.CPEs, c) && t.may(CPEs, c, "", c) {
			t.p.CPEs = append(t.p.CPEs, c)
		}
	}
}

// licenses takes all statements of one kind together: beside others, one more would
// say something else.
func (t *taker) licenses(list []sbom.License) {
	for _, kind := range []sbom.LicenseKind{sbom.LicenseDeclared, sbom.LicenseConcluded, sbom.LicenseDetected} {
		of := func(l sbom.License) bool { return l.Kind == kind }
		was, said := only(t.p.Licenses, of), only(list, of)
		if t.may(Licenses, string(kind), licenseText(was), licenseText(said)) {
			t.p.Licenses = append(slices.DeleteFunc(t.p.Licenses, of), said...)
		}
	}
}

// hashes takes digests by algorithm.
func (t *taker) hashes(list []sbom.Hash) {
	for _, algorithm := range names(list, func(h sbom.Hash) string { return h.Algorithm }) {
		of := func(h sbom.Hash) bool { return h.Algorithm == algorithm }
		text := func(h sbom.Hash) string { return h.Algorithm + ":" + h.Value }
		was, said := only(t.p.Hashes, of), only(list, of)
		if t.may(Hashes, algorithm, joined(was, text), joined(said, text)) {
			t.p.Hashes = append(slices.DeleteFunc(t.p.Hashes, of), said...)
		}
	}
}

// properties takes values by name.
func (t *taker) properties(list []sbom.Property) {
	for _, name := range names(list, func(p sbom.Property) string { return p.Name }) {
		of := func(p sbom.Property) bool { return p.Name == name }
		text := func(p sbom.Property) string { return p.Name + "=" + p.Value }
		was, said := only(t.p.Properties, of), only(list, of)
		if t.may(Properties, name, joined(was, text), joined(said, text)) {
			t.p.Properties = append(slices.DeleteFunc(t.p.Properties, of), said...)
		}
	}
}

func only[T any](list []T, of func(T) bool) (out []T) {
	for _, v := range list {
		if of(v) {
			out = append(out, v)
		}
	}
	return out
}

// names returns what the parts of a list are called, each once, sorted.
func names[T any](list []T, name func(T) string) []string {
	var out []string
	for _, v := range list {
		out = append(out, name(v))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// joined is a list as text, in an order that does not depend on that of the list.
func joined[T any](list []T, text func(T) string) string {
	return strings.Join(names(list, text), ", ")
}

func licenseText(list []sbom.License) string {
	return joined(list, func(l sbom.License) string {
		text := cmp.Or(l.Expression, l.Name)
		if l.Kind != sbom.LicenseDeclared {
			text += " (" + string(l.Kind) + ")"
		}
		if l.URL != "" {
			text += " <" + l.URL + ">"
		}
		return text
	})
}
