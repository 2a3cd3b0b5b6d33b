package scan

import (
	"cmp"
	"path"
	"slices"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/usage"
)

// maxUnresolved is how many reasons why the usage view is not complete are listed.
const maxUnresolved = 20

// use says of each package whether what the image starts leads to it. Nothing is said of
// packages that are only declared, and where something could not be followed nothing is
// called unreached.
func (c *composition) use(doc *sbom.Document, all []found, place []int, programs []program) error {
	if s := c.image.Start; c.image.Tree != nil || len(programs) == 0 || s.Unknown == "" && len(s.Entrypoint)+len(s.Cmd) == 0 {
		return nil // what starts nothing by itself has no such view
	}
	there, err := c.presence()
	if err != nil {
		return err
	}
	s := c.image.Start
	in := &usage.Image{Entrypoint: s.Entrypoint, Cmd: s.Cmd, Env: s.Env, WorkingDir: s.WorkingDir, Unknown: s.Unknown,
		Programs: make(map[string]*analyzer.Program, len(programs)), Resolve: c.links.resolve, Exists: there.has, List: there.below}
	for i := range programs {
		in.Programs[programs[i].Path] = programs[i].Program
	}
	view := usage.Resolve(in)
	u := &users{composition: c, all: all, chains: make([][]string, len(all)), view: view}
	u.byFile(programs)
	u.byLanguage()
	u.byOwner()
	for i, at := range place {
		p := &doc.Packages[at]
		switch {
		case p.State == sbom.Declared:
		case u.chains[i] != nil:
			if p.Usage == nil || p.Usage.State != sbom.Reached || shorter(u.chains[i], p.Usage.Chain) {
				p.Usage = &sbom.Usage{State: sbom.Reached, Chain: u.chains[i]}
			}
		case view.Complete && p.Usage == nil:
			p.Usage = &sbom.Usage{State: sbom.Unreached}
		}
	}
	c.unresolved(view)
	return nil
}

// unresolved records why the view is not complete.
func (c *composition) unresolved(view *usage.View) {
	for i, r := range view.Unresolved {
		where, what := cmp.Or(r.Path, "entrypoint"), "usage: "+r.What
		if i == maxUnresolved {
			what = "usage: more is unresolved than is listed"
		}
		c.gaps = append(c.gaps, sbom.Gap{Code: sbom.GapUnresolved, Where: where, What: what})
		if i == maxUnresolved {
			break
		}
	}
}

// users finds the way to each finding.
type users struct {
	*composition
	all    []found
	chains [][]string // by finding; nil where there is none
	view   *usage.View
}

func (u *users) reach(i int, chain []string) {
	if u.chains[i] == nil || shorter(chain, u.chains[i]) {
		u.chains[i] = chain
	}
}

// shorter orders chains by length and then by their text.
func shorter(a, b []string) bool {
	return cmp.Or(cmp.Compare(len(a), len(b)), slices.Compare(a, b)) < 0
}

// byFile reaches the packages whose own files are reached.
func (u *users) byFile(programs []program) {
	for i := range programs {
		if chain := u.view.Chain(programs[i].Path); chain != nil && programs[i].holder >= 0 {
			u.reach(programs[i].holder, chain)
		}
	}
	for i := range u.all {
		if f := &u.all[i]; len(f.Owns) == 0 {
			if chain := u.view.Chain(f.Path); chain != nil {
				u.reach(i, chain)
			}
		}
	}
}

// byLanguage reaches, as a whole, the packages of a language that code is run in, where that
// code can lie.
func (u *users) byLanguage() {
	for n := range u.view.Languages {
		l := &u.view.Languages[n]
		chain := u.view.Chain(l.Interpreter)
		for i := range u.all {
			f := &u.all[i]
			switch {
			case len(f.Owns) > 0:
				if at := slices.IndexFunc(f.Owns, func(p string) bool { return languageFiles[path.Ext(p)] == l.Name && l.Contains(u.links.resolve(p)) }); at >= 0 {
					u.reach(i, append(slices.Clip(chain), u.links.resolve(f.Owns[at])))
				}
			case slices.Contains(languagePackages[f.Package.PURL.Type], l.Name) && l.Contains(f.Path):
				u.reach(i, append(slices.Clip(chain), f.Path))
			}
		}
	}
}

// byOwner reaches the package that installed a reached one.
func (u *users) byOwner() {
	for i := range u.all {
		if owner := u.all[i].owner; owner >= 0 && u.chains[i] != nil {
			u.reach(owner, u.chains[i])
		}
	}
}

// languageFiles are the ends of names of files with code, by language as package usage calls
// them.
var languageFiles = map[string]string{
	".jar": "java", ".war": "java", ".js": "node", ".mjs": "node", ".cjs": "node", ".py": "python", ".pl": "perl", ".pm": "perl",
	".rb": "ruby", ".php": "php", ".dll": "dotnet", ".beam": "erlang", ".lua": "lua", ".R": "r", ".jl": "julia", ".tcl": "tcl", ".scm": "guile",
}

// languagePackages are the languages that run the packages of a package URL's type.
var languagePackages = map[string][]string{
	"maven": {"java"}, "npm": {"node", "deno", "bun"}, "pypi": {"python"}, "cpan": {"perl"}, "gem": {"ruby"}, "composer": {"php"}, "wordpress": {"php"},
	"nuget": {"dotnet"}, "hex": {"erlang"}, "luarocks": {"lua"}, "cran": {"r"}, "julia": {"julia"}, "conda": {"python", "r"}, "jenkins": {"java"},
	"pear": {"php"}, "pub": {"dart"}, "swiplpack": {"prolog"},
}
