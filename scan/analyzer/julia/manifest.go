package julia

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/analyzer/internal/tomltree"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// readManifest reads a manifest (https://pkgdocs.julialang.org/v1/toml-files/, Pkg.jl
// src/manifest.jl). A document of the first format that has no tables of packages is somebody
// else's Manifest.toml and gives nothing.
func readManifest(doc *tomltree.Table, err error) ([]analyzer.Fact, error) {
	packages, julia := doc, ""
	second := doc.Get("manifest_format") != nil
	if second {
		packages, julia = doc.Get("deps"), doc.Str("julia_version")
	}
	var f locked.File
	if packages == nil {
		return f.Facts(err)
	}
	for _, m := range packages.Members {
		for _, t := range m.Value.Items {
			id := t.Str("uuid")
			switch {
			case isUUID(id):
				f.Put(entry(m.Key, id, t, julia))
			case second || id != "":
				f.Odd(fmt.Errorf("package %.60q: %.60q is not a UUID: %w", m.Key, id, fault.Invalid))
			}
		}
	}
	return f.Facts(err)
}

// entry makes an entry of a package. Its key is the UUID: two packages may have one name.
func entry(name, id string, t *tomltree.Table, julia string) locked.Entry {
	version := t.Str("version")
	e := locked.Entry{Key: strings.ToLower(id), Package: sbom.Package{Name: name, Version: version}}
	from, folder := t.Str("repo-url"), t.Str("path")
	address := locked.VCS("git", from, t.Str("repo-rev"))
	note := func(name, value string) {
		if value != "" {
			e.Package.Properties = append(e.Package.Properties, sbom.Property{Name: name, Value: value})
		}
	}
	u := url(name, version, id)
	switch {
	case folder != "", from != "" && address == "":
		u = purl.PackageURL{}
		note("julia:source", cmp.Or(folder, from))
	case from != "":
		e.Package.Download = address
		if !u.IsZero() {
			u = u.With("vcs_url", address)
		}
	case version == "" && t.Str("git-tree-sha1") == "":
		note("julia:stdlib", cmp.Or(julia, "true"))
	}
	e.Package.PURL = u
	note("julia:git-tree-sha1", t.Str("git-tree-sha1"))
	for _, key := range []string{"deps", "weakdeps"} {
		for _, d := range t.List(key) {
			e.Wants = append(e.Wants, d.Text) // a name that only one package has
		}
		if deps := t.Get(key); deps != nil {
			for _, m := range deps.Members {
				e.Wants = append(e.Wants, strings.ToLower(m.Value.Text)) // name = UUID
			}
		}
	}
	return e
}

// url returns the package URL (purl-spec, types/julia-definition.json), which must have the
// UUID.
func url(name, version, id string) purl.PackageURL {
	u := purl.PackageURL{Type: "julia", Name: name, Version: version}.With("uuid", strings.ToLower(id))
	if back, err := purl.Parse(u.String()); err != nil || back.Name != name || back.Version != version {
		return purl.PackageURL{}
	}
	return u
}

// isUUID reports whether a text is a UUID (RFC 9562) in its usual form.
func isUUID(id string) bool {
	if len(id) != 36 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !('0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f') {
				return false
			}
		}
	}
	return true
}

// readProject reads the Project.toml of an installed package.
func readProject(doc *tomltree.Table, err error) ([]analyzer.Fact, error) {
	name, id := doc.Str("name"), doc.Str("uuid")
	if name == "" || !isUUID(id) {
		return nil, cmp.Or(err, fmt.Errorf("a package without a name or UUID: %w", fault.Invalid))
	}
	version := doc.Str("version")
	p := sbom.Package{Name: name, Version: version, PURL: url(name, version, id), Originator: authors(doc)}
	if s := doc.Str("license"); s != "" {
		p.Licenses = []sbom.License{{Name: s}}
	}
	return []analyzer.Fact{{Kind: analyzer.KindPackage, Key: strings.ToLower(id), Package: &p}}, err
}

// authors joins the names of "authors", of which each may be "Name <mail>".
func authors(doc *tomltree.Table) string {
	var names []string
	for _, a := range doc.List("authors") {
		if s := strings.TrimSpace(a.Text); s != "" && len(names) < 20 {
			names = append(names, s)
		}
	}
	return strings.Join(names, ", ")
}
