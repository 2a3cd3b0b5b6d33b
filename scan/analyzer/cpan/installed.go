package cpan

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/held"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/sbom"
)

// place returns the folder of modules that a .meta folder is in, which is the scope of
// keys, and the distribution's own folder, which is its key.
func place(file string) (scope, key string) {
	dir := path.Dir(file)
	return "perl " + path.Dir(path.Dir(dir)), path.Base(dir)
}

// readInstall reads .meta/<distribution>/install.json (App::cpanminus, save_meta). "version"
// there is that of the main module; the distribution's is in the name of the archive.
func readInstall(file string, data []byte) ([]analyzer.Fact, error) {
	scope, key := place(file)
	r := jsontext.New(data)
	dist, pathname := "", ""
	var provides []string
	err := r.Document(func() {
		r.Object(func(key []byte) {
			switch string(key) {
			case "dist":
				dist, _ = r.Text()
			case "pathname":
				pathname, _ = r.Text()
			case "provides":
				r.Object(func(module []byte) { provides = append(provides, jsontext.Clean(module)) })
			}
		})
	})
	d := parseDistribution(pathname)
	if pathname == "" || d.version == "" {
		named := parseDistribution(cmp.Or(dist, key))
		d.name, d.version = named.name, named.version
	}
	p := d.describe()
	slices.Sort(provides)
	holds, err := libraries(path.Dir(path.Dir(path.Dir(file))), provides).List(err)
	return []analyzer.Fact{{Kind: analyzer.KindPackage, Scope: scope, Key: key, Package: &p, Provides: slices.Compact(provides), Holds: holds}}, err
}

// libraries are the folders below auto in which Perl looks for what was compiled of modules,
// which are sorted; a folder stands for those below it (DynaLoader).
func libraries(dir string, modules []string) *held.Set {
	set, last := new(held.Set), ""
	for _, m := range modules {
		if m == "" || strings.ContainsAny(m, "/.") || last != "" && strings.HasPrefix(m, last+"::") {
			continue
		}
		last = m
		set.Add(dir + "/auto/" + strings.ReplaceAll(m, "::", "/") + "/")
	}
	return set
}

// readMyMeta reads .meta/<distribution>/MYMETA.json, which completes install.json.
func readMyMeta(file string, data []byte) ([]analyzer.Fact, error) {
	m, err := parseMeta(data)
	if m.Name == "" {
		return nil, cmp.Or(err, fmt.Errorf("no name: %w", fault.Invalid))
	}
	scope, key := place(file)
	slices.Sort(m.needs)
	return []analyzer.Fact{{Kind: analyzer.KindPart, Scope: scope, Key: key, Package: &m.Package, DependsOn: slices.Compact(m.needs)}}, err
}

// readMeta reads the META.json of a project of its own. Others use that name too.
func readMeta(_ string, data []byte) ([]analyzer.Fact, error) {
	if !bytes.Contains(data, []byte("CPAN")) {
		return nil, nil
	}
	m, err := parseMeta(data)
	if m.Name == "" {
		return nil, cmp.Or(err, fmt.Errorf("no name: %w", fault.Invalid))
	}
	m.Type, m.State = "application", sbom.Declared
	return []analyzer.Fact{{Kind: analyzer.KindPackage, Key: m.Name, Package: &m.Package}}, err
}

// meta is what the metadata of a distribution say (CPAN::Meta::Spec, version 2).
type meta struct {
	sbom.Package
	needs []string // modules
}

func parseMeta(data []byte) (m meta, err error) {
	r := jsontext.New(data)
	err = r.Document(func() {
		r.Object(func(key []byte) {
			switch string(key) {
			case "name":
				m.Name, _ = r.Text()
			case "version":
				m.Version, _ = r.Text()
			case "abstract":
				if text, _ := r.Text(); text != "unknown" {
					m.Description = text
				}
			case "author":
				m.author(r)
			case "license":
				m.licences(r)
			case "resources":
				r.Object(func(key []byte) {
					if string(key) == "homepage" {
						m.Homepage, _ = r.Text()
					}
				})
			case "prereqs":
				m.prereqs(r)
			}
		})
	})
	return m, err
}

// author takes the first of "Name <mail>", as "Name (mail)".
func (m *meta) author(r *jsontext.Reader) {
	r.Array(func() {
		text, _ := r.Text()
		if text == "" || text == "unknown" || m.Originator != "" {
			return
		}
		if name, mail, ok := strings.Cut(text, "<"); ok {
			mail, _, _ = strings.Cut(mail, ">")
			if text = strings.TrimSpace(name); text == "" {
				text = mail
			} else if mail != "" {
				text += " (" + mail + ")"
			}
		}
		m.Originator = text
	})
}

func (m *meta) licences(r *jsontext.Reader) {
	r.Array(func() {
		word, _ := r.Text()
		if id := expression(word); id != "" {
			m.Licenses = append(m.Licenses, sbom.License{Expression: id})
		} else if word != "" && word != "unknown" {
			m.Licenses = append(m.Licenses, sbom.License{Name: word})
		}
	})
}

// expression returns what a word of the specification stands for, where that is one licence
// of SPDX. Those of GNU do not say whether later versions do.
func expression(word string) string {
	switch word {
	case "perl_5":
		return "Artistic-1.0-Perl OR GPL-1.0-or-later"
	case "apache_1_1":
		return "Apache-1.1"
	case "apache_2_0":
		return "Apache-2.0"
	case "artistic_2":
		return "Artistic-2.0"
	case "bsd":
		return "BSD-3-Clause"
	case "freebsd":
		return "BSD-2-Clause"
	case "mit":
		return "MIT"
	case "mozilla_1_0":
		return "MPL-1.0"
	case "mozilla_1_1":
		return "MPL-1.1"
	case "zlib":
		return "Zlib"
	}
	return ""
}

// prereqs reads the modules that are needed to run.
func (m *meta) prereqs(r *jsontext.Reader) {
	r.Object(func(phase []byte) {
		if string(phase) != "runtime" {
			return
		}
		r.Object(func(kind []byte) {
			if string(kind) == "requires" {
				r.Object(func(module []byte) { m.needs = append(m.needs, jsontext.Clean(module)) })
			}
		})
	})
}

// Join implements analyzer.Joiner: it adds what MYMETA.json says to the distribution that
// was installed. One without install.json has no package URL.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	out := make([]analyzer.Located, 0, len(in.Facts))
	at := map[[2]string]int{} // of packages that are installed
	for _, f := range in.Facts {
		if f.Kind != analyzer.KindPackage {
			continue
		}
		if f.Scope != "" {
			at[[2]string{f.Scope, f.Key}] = len(out)
		}
		out = append(out, f)
	}
	for _, part := range in.Facts {
		if part.Kind != analyzer.KindPart {
			continue
		}
		i, ok := at[[2]string{part.Scope, part.Key}]
		if !ok {
			part.Kind = analyzer.KindPackage
			out = append(out, part)
			continue
		}
		f, said := &out[i], part.Package
		p := *f.Package // facts may be shared
		p.Licenses, p.Description, p.Homepage, p.Originator = said.Licenses, said.Description, said.Homepage, said.Originator
		f.Package, f.DependsOn = &p, part.DependsOn
	}
	return out, nil
}
