package npm

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// lockfile is what a lockfile says, in the order of the file. Entries are
// found by a place: a folder for npm, a key of the file for pnpm and yarn.
type lockfile struct {
	entries []entry
	at      map[string]int // place → entry
	odd     error          // the first entry that was left out, and why
}

// entry is one package of a lockfile.
type entry struct {
	place         string
	name, version string
	from          source
	project       bool // the project that the lockfile is for
	scope         sbom.Scope
	hashes        []sbom.Hash
	licences      []sbom.License
	wants         []string // what it depends on, as the format says it
	needs         []int    // the same as entries
}

// put adds e, or replaces the entry of its place, and returns its index; ok is
// false for what was left out.
func (l *lockfile) put(e entry) (i int, ok bool) {
	if e.name == "" || e.from.kind != local && !validName(e.name) {
		l.odd = cmp.Or(l.odd, fmt.Errorf("entry %.80q: %.60q is not a package name: %w", e.place, e.name, fault.Invalid))
		return 0, false
	}
	if i, taken := l.at[e.place]; taken {
		l.entries[i] = e
		return i, true
	}
	if len(l.entries) == maxEntries {
		l.odd = &fault.LimitError{What: "packages of a lockfile", Where: e.place, Max: maxEntries, Seen: maxEntries + 1}
		return 0, false
	}
	if l.at == nil {
		l.at = map[string]int{}
	}
	i = len(l.entries)
	l.at[e.place] = i
	l.entries = append(l.entries, e)
	return i, true
}

// key names the package: entries with one key are one package in many places.
func (e *entry) key() string {
	switch {
	case e.from.kind == registry:
		return e.name + "@" + e.version
	case e.project:
		return e.name + "@."
	}
	return e.name + "@" + e.from.text
}

// describe returns the package without its place. Join makes the package URLs
// of registry packages, to keep facts small.
func (e *entry) describe() *sbom.Package {
	p := &sbom.Package{
		Name: e.name, Version: e.version, State: sbom.Declared, Scope: e.scope,
		Hashes: e.hashes, Licenses: e.licences,
	}
	if e.project {
		p.Type = "application"
	}
	e.from.describe(p)
	return p
}

// facts returns one fact for each package, in the order of the file.
func (l *lockfile) facts() []analyzer.Fact {
	keys := make([]string, len(l.entries))
	for i := range l.entries {
		keys[i] = l.entries[i].key()
	}
	out := make([]analyzer.Fact, 0, len(l.entries))
	at := make(map[string]int, len(l.entries))
	for i := range l.entries {
		e := &l.entries[i]
		j, known := at[keys[i]]
		if known {
			p := out[j].Package
			p.Scope, p.Hashes = locked.Wider(p.Scope, e.scope), append(p.Hashes, e.hashes...)
		} else {
			j = len(out)
			at[keys[i]] = j
			out = append(out, analyzer.Fact{Kind: analyzer.KindPackage, Key: keys[i], Package: e.describe()})
		}
		for _, n := range e.needs {
			out[j].DependsOn = append(out[j].DependsOn, keys[n])
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

// parts returns what npm wrote down of the packages that it installed below
// root, for Join.
func (l *lockfile) parts(root string) []analyzer.Fact {
	out := make([]analyzer.Fact, 0, len(l.entries))
	for i := range l.entries {
		if e := &l.entries[i]; e.from.kind != local {
			out = append(out, analyzer.Fact{Kind: analyzer.KindPart, Scope: installed, Key: path.Join(root, e.place), Package: e.describe()})
		}
	}
	return out
}

func compareHashes(a, b sbom.Hash) int {
	return cmp.Or(cmp.Compare(a.Algorithm, b.Algorithm), cmp.Compare(a.Value, b.Value))
}

// find returns the entry at a place, or nil.
func (l *lockfile) find(place string) *entry {
	if i, ok := l.at[place]; ok {
		return &l.entries[i]
	}
	return nil
}
