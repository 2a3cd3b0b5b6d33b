package opam

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license"
)

// scopeOf is the name space of the packages of one switch.
func scopeOf(file string) string { return "switch " + path.Dir(path.Dir(path.Dir(file))) }

// readInstalled reads the description of a package of a switch. Its folder names it.
func readInstalled(file string, data []byte) ([]analyzer.Fact, error) {
	name, version, _ := strings.Cut(path.Base(path.Dir(file)), ".")
	fields, err := readFields(data)
	p := describe(name, version, fields)
	f := analyzer.Fact{Kind: analyzer.KindPackage, Scope: scopeOf(file), Key: name, Package: &p}
	if depends := fields["depends"]; depends != nil {
		for _, v := range flat(depends, nil) {
			if v.text != name && !devOnly(v.filter) {
				f.DependsOn = append(f.DependsOn, v.text)
			}
		}
		slices.Sort(f.DependsOn)
		f.DependsOn = slices.Compact(f.DependsOn)
	}
	if p.Name == "" {
		return nil, err
	}
	return []analyzer.Fact{f}, err
}

// describe makes a package of what its file says.
func describe(name, version string, fields map[string]*value) sbom.Package {
	p := sbom.Package{Name: name, Version: version, PURL: locked.URL("opam", "", name, version)}
	p.Description, p.Homepage = fields["synopsis"].first(), fields["homepage"].first()
	p.Originator = fields["authors"].first()
	p.Download = locked.Anonymous(firstOf(fields, "url.src", "url.archive"))
	for _, sum := range fields["url.checksum"].texts() {
		algorithm, text, _ := strings.Cut(sum, "=")
		p.Hashes = append(p.Hashes, locked.Hex(algorithm, text)...)
	}
	slices.SortFunc(p.Hashes, func(a, b sbom.Hash) int { return strings.Compare(a.Algorithm+a.Value, b.Algorithm+b.Value) })
	p.Hashes = slices.Compact(p.Hashes)
	if texts := fields["license"].texts(); len(texts) > 0 {
		if expr, ok := license.Normalize(strings.Join(texts, " AND ")); ok {
			p.Licenses = []sbom.License{{Expression: expr}}
		} else {
			for _, t := range texts {
				p.Licenses = append(p.Licenses, sbom.License{Name: t})
			}
		}
	}
	return p
}

func firstOf(fields map[string]*value, names ...string) string {
	for _, n := range names {
		if t := fields[n].first(); t != "" {
			return t
		}
	}
	return ""
}

// flat returns the texts of a value with their filters, whatever joins them.
func flat(v *value, to []value) []value {
	if v.isText && v.text != "" {
		return append(to, *v)
	}
	for i := range v.list {
		to = flat(&v.list[i], to)
	}
	return to
}

// devOnly reports whether a filter asks for a dependency in tests, documentation or
// development alone.
func devOnly(filter []token) bool {
	for i, t := range filter {
		switch t.text {
		case "with-test", "with-doc", "with-dev-setup", "with-tools", "dev":
			if t.kind == 'w' && (i == 0 || filter[i-1].text != "!") {
				return true
			}
		}
	}
	return false
}

// pinned returns the version that a filter asks for, or "".
func pinned(filter []token) string {
	for i := 1; i < len(filter); i++ {
		if filter[i-1] == (token{'o', "="}) && filter[i].kind == '"' {
			return filter[i].text
		}
	}
	return ""
}

// readLock reads a lockfile: the project, and each dependency in its version.
func readLock(file string, data []byte) ([]analyzer.Fact, error) {
	fields, err := readFields(data)
	var out locked.File
	from := map[string]string{} // addresses by "name.version"
	if pins := fields["pin-depends"]; pins != nil {
		for i := range pins.list {
			if pair := pins.list[i].texts(); len(pair) == 2 {
				from[pair[0]] = pair[1]
			}
		}
	}
	project := projectEntry(strings.TrimSuffix(file, ".locked"), fields)
	if depends := fields["depends"]; depends != nil {
		for _, v := range flat(depends, nil) {
			p := sbom.Package{Name: v.text, Version: pinned(v.filter)}
			if p.PURL = locked.URL("opam", "", p.Name, p.Version); devOnly(v.filter) {
				p.Scope = sbom.ScopeDev
			}
			if at := from[p.Name+"."+p.Version]; at != "" {
				place(&p, at)
			}
			out.Put(locked.Entry{Package: p})
			project.Wants = append(project.Wants, p.Name)
		}
	}
	if project.Package.Name != "" {
		out.Put(project)
	}
	return out.Facts(err)
}

// place notes the address that a package is pinned to.
func place(p *sbom.Package, address string) {
	tool, rest, ok := strings.Cut(address, "+")
	if !ok || strings.Contains(tool, ":") {
		p.Download = locked.Anonymous(address)
		return
	}
	rest, revision, _ := strings.Cut(rest, "#")
	if p.Download = locked.VCS(tool, rest, revision); p.Download != "" && !p.PURL.IsZero() {
		p.PURL = p.PURL.With("vcs_url", p.Download)
	}
}

// readProject reads a project's own file.
func readProject(file string, data []byte) ([]analyzer.Fact, error) {
	if !bytes.Contains(data, []byte("opam-version")) {
		return nil, nil // another format of that name, or opam itself
	}
	fields, err := readFields(data)
	var out locked.File
	if e := projectEntry(file, fields); e.Package.Name != "" {
		out.Put(e)
	}
	return out.Facts(err)
}

// projectEntry is the project itself, named by its file or the field name: no repository
// need have it.
func projectEntry(file string, fields map[string]*value) locked.Entry {
	name := fields["name"].first()
	if base := path.Base(file); name == "" && base != "opam" {
		name = strings.TrimSuffix(base, ".opam")
	} else if dir := path.Base(path.Dir(file)); name == "" && dir != "." && dir != "/" && dir != "opam" {
		name = dir
	}
	p := describe(name, fields["version"].first(), fields)
	p.Type, p.PURL = "application", locked.URL("", "", "", "")
	return locked.Entry{Key: ":project", Package: p}
}
