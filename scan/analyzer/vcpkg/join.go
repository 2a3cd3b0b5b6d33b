package vcpkg

import (
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// tree is a folder of installed packages, as its database has it after all updates.
type tree struct {
	order    []string // keys, in the order in which they were first seen
	seen     map[string]bool
	packages map[string]analyzer.Located    // what is installed now
	features map[string]map[string][]string // by key and name: what the feature needs
	lists    []analyzer.Located
	database bool // it has more than lists
}

// Join implements analyzer.Joiner. It applies the updates of each database to it, in their
// order, adds to each package what its chosen features need, and makes packages of lists
// where there is nothing else.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	trees := map[string]*tree{}
	var roots []string
	var out []analyzer.Located
	for _, f := range in.Facts { // by path: "status" before "updates/…", and these by number
		if f.Scope == "" {
			out = append(out, f) // of a vcpkg.json
			continue
		}
		root := rootOf(f.Path)
		t := trees[root]
		if t == nil {
			t = &tree{seen: map[string]bool{}, packages: map[string]analyzer.Located{}, features: map[string]map[string][]string{}}
			trees[root] = t
			roots = append(roots, root)
		}
		t.take(f)
	}
	for _, root := range roots {
		out = trees[root].done(root, out)
	}
	return out, nil
}

// rootOf returns the folder vcpkg/ that a file of a database belongs to.
func rootOf(file string) string {
	dir := path.Dir(file)
	if base := path.Base(dir); base == "updates" || base == "info" {
		return path.Dir(dir)
	}
	return dir
}

func (t *tree) take(f analyzer.Located) {
	t.database = t.database || f.Scope != byList
	switch f.Scope {
	case byList:
		t.lists = append(t.lists, f)
	case installed:
		if !t.seen[f.Key] {
			t.seen[f.Key] = true
			t.order = append(t.order, f.Key)
		}
		t.packages[f.Key] = f
	case feature:
		if t.features[f.Key] == nil {
			t.features[f.Key] = map[string][]string{}
		}
		t.features[f.Key][f.Package.Name] = f.DependsOn
	case removed:
		if name, rest, ok := strings.Cut(f.Key, "["); ok {
			word, triplet, _ := strings.Cut(rest, "]")
			delete(t.features[name+triplet], word)
			return
		}
		delete(t.packages, f.Key)
		delete(t.features, f.Key)
	}
}

// done appends the packages of the tree.
func (t *tree) done(root string, out []analyzer.Located) []analyzer.Located {
	if !t.database {
		for _, f := range t.lists {
			f.Kind, f.Scope = analyzer.KindPackage, root
			out = append(out, f)
		}
		return out
	}
	for _, key := range t.order {
		f, ok := t.packages[key]
		if !ok {
			continue
		}
		f.Scope = root
		if chosen := t.features[key]; len(chosen) > 0 {
			names := make([]string, 0, len(chosen))
			needs := slices.Clone(f.DependsOn)
			for name, more := range chosen {
				names = append(names, name)
				needs = append(needs, more...)
			}
			slices.Sort(names)
			slices.Sort(needs)
			p := *f.Package // facts may be shared
			p.Properties = append(slices.Clone(p.Properties), sbom.Property{Name: "vcpkg:features", Value: strings.Join(names, ", ")})
			slices.SortFunc(p.Properties, func(a, b sbom.Property) int { return strings.Compare(a.Name, b.Name) })
			f.Package = &p
			f.DependsOn = slices.DeleteFunc(slices.Compact(needs), func(k string) bool { return k == key })
		}
		out = append(out, f)
	}
	return out
}
