package npm

import (
	"cmp"
	"path"
	"slices"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// lockfile is what a lockfile says, in the order of the file. Entries are
// found by a place: the path of a folder for npm, a key of the file for pnpm
// and yarn.
type lockfile struct {
	entries []entry
	at      map[string]int // place → entry
}

// entry is one package of a lockfile.
type entry struct {
	place         string
	name, version string
	from          source
	project       bool // the lockfile's own project
	scope         sbom.Scope
	hashes        []sbom.Hash
	licences      []sbom.License
	needs         []string // places
}

// put adds e, or replaces the entry of its place.
func (l *lockfile) put(e entry) error {
	if i, taken := l.at[e.place]; taken {
		l.entries[i] = e
		return nil
	}
	if len(l.entries) == maxEntries {
		return &fault.LimitError{What: "packages of a lockfile", Where: e.place, Max: maxEntries, Seen: maxEntries + 1}
	}
	if l.at == nil {
		l.at = map[string]int{}
	}
	l.at[e.place] = len(l.entries)
	l.entries = append(l.entries, e)
	return nil
}

// find returns the entry at place, or nil.
func (l *lockfile) find(place string) *entry {
	if i, ok := l.at[place]; ok {
		return &l.entries[i]
	}
	return nil
}

// key names the package: entries with one key are one package in many places.
func (e *entry) key() string {
	switch {
	case e.from.kind == registry:
		return e.name + "@" + e.version
	case e.project:
		return e.name + "@" + e.place
	}
	return e.name + "@" + e.from.text
}

// describe returns the package without its place.
func (e *entry) describe() *sbom.Package {
	p := &sbom.Package{
		Name: e.name, Version: e.version, State: sbom.Declared, Scope: e.scope,
		Hashes: e.hashes, Licenses: e.licences,
	}
	if e.project {
		p.Type = "application"
	}
	if e.from.kind != local {
		p.PURL = packageURL(e.name, e.version)
	}
	e.from.describe(p)
	return p
}

// facts returns one fact for each package, in the order of the file.
func (l *lockfile) facts() []analyzer.Fact {
	var out []analyzer.Fact
	at := map[string]int{}
	for i := range l.entries {
		e := &l.entries[i]
		key := e.key()
		j, known := at[key]
		if !known {
			j = len(out)
			at[key] = j
			out = append(out, analyzer.Fact{Kind: analyzer.KindPackage, Key: key, Package: e.describe()})
		}
		f := &out[j]
		if known {
			f.Package.Scope = wider(f.Package.Scope, e.scope)
			f.Package.Hashes = append(f.Package.Hashes, e.hashes...)
		}
		for _, place := range e.needs {
			if to := l.find(place); to != nil {
				f.DependsOn = append(f.DependsOn, to.key())
			}
		}
	}
	for i := range out {
		f := &out[i]
		slices.Sort(f.DependsOn)
		f.DependsOn = slices.Compact(f.DependsOn)
		slices.SortFunc(f.Package.Hashes, compareHashes)
		f.Package.Hashes = slices.Compact(f.Package.Hashes)
	}
	return out
}

// parts returns what npm wrote down of the packages it installed below root,
// for Join.
func (l *lockfile) parts(root string) []analyzer.Fact {
	out := make([]analyzer.Fact, 0, len(l.entries))
	for i := range l.entries {
		e := &l.entries[i]
		if !e.project && e.from.kind != local {
			out = append(out, analyzer.Fact{Kind: analyzer.KindPart, Scope: installed, Key: path.Join(root, e.place), Package: e.describe()})
		}
	}
	return out
}

// wider returns the scope of a package that is needed in two ways.
func wider(a, b sbom.Scope) sbom.Scope {
	if a == b {
		return a
	}
	if a == sbom.ScopeRuntime || b == sbom.ScopeRuntime {
		return sbom.ScopeRuntime
	}
	return sbom.ScopeOptional
}

func compareHashes(a, b sbom.Hash) int {
	return cmp.Or(cmp.Compare(a.Algorithm, b.Algorithm), cmp.Compare(a.Value, b.Value))
}
