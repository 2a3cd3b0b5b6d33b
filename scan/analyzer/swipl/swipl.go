// Package swipl reads packs, the packages of SWI-Prolog: each is a folder with a file pack.pl
// of facts about it.
//
// A pack in a folder "pack" or "packs", where SWI-Prolog looks for them, is installed. Any
// other is a project, which is read as an application; a file of that name that holds no
// facts about a pack is left out, since scripts of Perl end in ".pl" too. The package URL type
// is "swiplpack", as syft has it. No advisories are published by it, so that matching says a
// gap.
package swipl

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// maxBytes bounds one file. Real ones stay below 10 KiB.
const maxBytes = 1 << 20

// Analyzer reads packs. The zero value is ready to use.
type Analyzer struct{}

// Info implements analyzer.Analyzer.
func (Analyzer) Info() analyzer.Info { return analyzer.Info{Name: "swipl", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Analyzer) Paths() analyzer.Paths { return analyzer.Paths{Names: []string{"pack.pl"}} }

// Extract implements analyzer.Analyzer: at most one fact.
func (Analyzer) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	folder := path.Dir(path.Dir(f.Path))
	installed := path.Base(folder) == "pack" || path.Base(folder) == "packs"
	if !installed && f.Size > maxBytes {
		return nil, nil // whatever it is
	}
	return locked.ReadAt(f, maxBytes, func(file string, data []byte) ([]analyzer.Fact, error) {
		clauses, err := readProlog(data)
		p, needs, provides := describe(clauses)
		out := analyzer.Fact{Kind: analyzer.KindPackage, Package: &p}
		switch {
		case installed && p.Name == "":
			// The folder has the name of the pack.
			if p.Name = path.Base(path.Dir(file)); len(clauses) == 0 && err == nil || p.Name == "." || p.Name == "/" {
				return nil, err
			}
		case !installed && (p.Name == "" || p.Version == ""):
			return nil, nil // of another language, or of nobody
		}
		if installed {
			p.PURL = locked.URL("swiplpack", "", p.Name, p.Version)
			out.Scope, out.Key = "packs in "+folder, p.Name
			out.DependsOn, out.Provides, out.Holds = needs, provides, []string{"./"}
		} else {
			p.Type, p.State, out.Key = "application", sbom.Declared, p.Name
		}
		return []analyzer.Fact{out}, err
	})
}

// describe returns what the clauses of a pack.pl say (SWI-Prolog manual, "Pack metadata"), and
// the tokens that it requires and provides. Of facts that may be stated once the first counts.
func describe(clauses []term) (p sbom.Package, needs, provides []string) {
	first := func(to *string, text string) {
		if *to == "" {
			*to = text
		}
	}
	for i := range clauses {
		c := &clauses[i]
		if len(c.args) == 0 {
			continue
		}
		text := c.args[0].line()
		switch c.name {
		case "name":
			first(&p.Name, text)
		case "version":
			first(&p.Version, text)
		case "title":
			first(&p.Description, text)
		case "home":
			first(&p.Homepage, text)
		case "author":
			first(&p.Originator, person(c))
		case "packager":
			first(&p.Supplier, person(c))
		case "download": // an address, or a pattern for those of all versions
			if !strings.Contains(text, "*") {
				first(&p.Download, locked.Anonymous(text))
			}
		case "requires":
			needs = append(needs, token(&c.args[0])...)
		case "provides":
			provides = append(provides, token(&c.args[0])...)
		}
	}
	slices.Sort(needs)
	slices.Sort(provides)
	return p, slices.Compact(needs), slices.Compact(provides)
}

// person writes author(Name, Contact) as "Name (mail)".
func person(c *term) string {
	name := c.args[0].line()
	if len(c.args) > 1 && name != "" {
		if contact := c.args[1].line(); strings.Contains(contact, "@") {
			return name + " (" + contact + ")"
		}
	}
	return name
}

// token returns the name in "name", "name >= 1.0", "@(name, 1.0)", or nothing.
func token(t *term) []string {
	if t.name == "@" && len(t.args) > 0 {
		t = &t.args[0]
	}
	if t.isText && len(t.args) == 0 && t.line() != "" {
		return []string{t.line()}
	}
	return nil
}
