// Package pacman reads the local database of pacman, the package manager of Arch Linux and
// its derivatives: the desc and files of each installed package.
//
// It leaves out mtree, which says of files what files says and their digests, and the
// databases of repositories under sync, which name what could be installed.
//
// Format: pacman lib/libalpm/be_local.c, alpm-db-desc(5), alpm-db-files(5).
package pacman

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	scope    = "pacman" // all files of the database form one name space
	localDir = "var/lib/pacman/local"

	maxDesc      = 4 << 20 // bytes of a desc
	maxOwned     = 500_000 // files of one package
	maxRelations = 100_000 // dependencies and provided names of one package
)

// Analyzer reads pacman databases. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info {
	return analyzer.Info{Name: "pacman", Version: 1, Authoritative: true}
}

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths {
	return analyzer.Paths{Dirs: []string{localDir}, Accept: func(p string) bool {
		_, base := entry(p)
		return base != ""
	}}
}

// entry returns the folder of a package in the database and which of its files p is: desc or
// files; "" for anything else.
func entry(p string) (key, base string) {
	rest, ok := strings.CutPrefix(p, localDir+"/")
	key, base, found := strings.Cut(rest, "/")
	if !ok || !found || key == "" || base != "desc" && base != "files" {
		return "", ""
	}
	return key, base
}

// Extract implements analyzer.Analyzer: a desc is a package, a files what it owns.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	key, base := entry(f.Path)
	switch base {
	case "desc":
		return readDesc(f, key)
	case "files":
		return readFiles(f, key)
	}
	return nil, nil
}

func readDesc(f *analyzer.File, key string) ([]analyzer.Fact, error) {
	data, err := f.Bytes(maxDesc)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	d := desc{fact: analyzer.Fact{Kind: analyzer.KindPackage, Scope: scope, Key: key, Package: &sbom.Package{}}}
	odd := sections(string(data), d.take)
	p := d.fact.Package
	switch {
	case p.Name == "" || p.Version == "":
		return nil, fmt.Errorf("read %s: package %q with version %q: %w", f.Path, p.Name, p.Version, fault.Invalid)
	case d.over:
		odd = &fault.LimitError{What: "dependencies and provided names of a package", Where: f.Path, Max: maxRelations, Seen: maxRelations + 1}
	}
	if d.base != "" && d.base != p.Name {
		p.Upstream = &sbom.Upstream{Name: d.base}
	}
	slices.Sort(d.fact.DependsOn)
	if odd != nil {
		odd = fmt.Errorf("read %s: %w", f.Path, odd)
	}
	return []analyzer.Fact{d.fact}, odd
}

// desc is a package as far as it was read.
type desc struct {
	fact analyzer.Fact
	base string // pkgbase: what several packages were built from
	over bool   // there are too many relations
}

// take reads one value of a section. Of sections that hold one value the last counts.
func (d *desc) take(section, value string) {
	p := d.fact.Package
	switch section {
	case "NAME":
		p.Name = value
	case "VERSION":
		p.Version = value
	case "BASE":
		d.base = value
	case "ARCH":
		p.Arch = value
	case "DESC":
		p.Description = value
	case "URL":
		p.Homepage = value
	case "PACKAGER":
		p.Supplier = value
	case "LICENSE":
		p.Licenses = append(p.Licenses, sbom.License{Name: value})
	case "INSTALLED_DB": // since pacman 6.1
		p.Properties = []sbom.Property{{Name: "pacman:repository", Value: value}}
	case "DEPENDS", "PROVIDES":
		if d.over = len(d.fact.DependsOn)+len(d.fact.Provides) >= maxRelations; d.over {
			return
		}
		if name := bare(value); section == "DEPENDS" {
			d.fact.DependsOn = append(d.fact.DependsOn, name)
		} else {
			d.fact.Provides = append(d.fact.Provides, name)
		}
	}
}

// readFiles reads the list of a package's files. Folders, which end in a slash and belong to
// many packages, are left out. All paths share the memory of one string.
func readFiles(f *analyzer.File, key string) ([]analyzer.Fact, error) {
	data, err := f.Bytes(0)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	fact := analyzer.Fact{Kind: analyzer.KindPart, Scope: scope, Key: key}
	over := false
	err = sections(string(data), func(section, value string) {
		value = strings.TrimLeft(value, "/")
		if section != "FILES" || value == "" || strings.HasSuffix(value, "/") {
			return
		}
		if over = len(fact.Owns) >= maxOwned; !over {
			fact.Owns = append(fact.Owns, value)
		}
	})
	if over {
		err = &fault.LimitError{What: "files of a package", Where: f.Path, Max: maxOwned, Seen: maxOwned + 1}
	}
	slices.Sort(fact.Owns)
	fact.Owns = slices.Compact(fact.Owns)
	if err != nil {
		err = fmt.Errorf("read %s: %w", f.Path, err)
	}
	return []analyzer.Fact{fact}, err
}

// sections hands out the values of a database file, each with the section that it is in: a
// line with a name in percent signs, then one value a line up to an empty line. The error is
// about the first line outside of a section; the others are read.
func sections(text string, value func(section, value string)) error {
	text = strings.ToValidUTF8(text, "\uFFFD")
	var err error
	section := ""
	for line := 1; text != ""; line++ {
		s, rest, _ := strings.Cut(text, "\n")
		text = rest
		s = strings.TrimSuffix(s, "\r")
		switch {
		case s == "":
			section = ""
		case section != "":
			value(section, s)
		case len(s) > 2 && s[0] == '%' && s[len(s)-1] == '%':
			section = s[1 : len(s)-1]
		case err == nil:
			err = fmt.Errorf("line %d: %.40q is in no section: %w", line, s, fault.Invalid)
		}
	}
	return err
}

// bare cuts the version off "glibc>=2.38" and "libz.so=1-64".
func bare(s string) string {
	if i := strings.IndexAny(s, "<>="); i > 0 {
		return s[:i]
	}
	return s
}
