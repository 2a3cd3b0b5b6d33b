package pypi

import (
	"slices"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// Kinds of parts, told apart by the scope of the fact.
const (
	partNeeds      = "requires"   // Key: metadata folder; DependsOn: names
	partHolds      = "holds"      // Key: metadata folder; Holds
	partVisited    = "visited"    // a requirements file that was read
	partUnresolved = "unresolved" // Package.Name: the line; Key: another file that it leads to, or empty
)

// Join implements analyzer.Joiner. It makes package URLs, finds what installed
// packages depend on among those in the same folder, gives requirements without
// a version the one that is installed, where there is one that they allow, and
// tells them what came with them, and says which lines of requirements files lead to what was not read.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	known := map[string]bool{} // keys of installed packages
	needs, holds := map[string][]string{}, map[string][]string{}
	visited := map[string]bool{}
	for _, f := range in.Facts {
		switch {
		case f.Kind == analyzer.KindPackage && f.Scope == installed:
			known[f.Key] = true
		case f.Kind == analyzer.KindPart && f.Scope == partNeeds:
			needs[f.Key] = f.DependsOn
		case f.Kind == analyzer.KindPart && f.Scope == partHolds:
			holds[f.Key] = append(holds[f.Key], f.Holds...)
		case f.Kind == analyzer.KindPart && f.Scope == partVisited:
			visited[f.Path] = true
		}
	}
	have := answersOf(in.Facts)
	var out []analyzer.Located
	var gaps []sbom.Gap
	packages := make([]sbom.Package, len(in.Facts)) // copies: facts may be shared
	for i, f := range in.Facts {
		if f.Kind != analyzer.KindPackage {
			if f.Scope == partUnresolved && !visited[f.Key] {
				gaps = append(gaps, sbom.Gap{Code: sbom.GapUnresolved, Where: f.Path, What: f.Package.Name})
			}
			continue
		}
		packages[i] = *f.Package
		f.Package = &packages[i]
		have.settle(f.Package)
		identify(f.Package)
		if f.Scope == installed {
			f.DependsOn = keysIn(folderOf(f.Path), slices.Concat(f.DependsOn, needs[about(f.Path)]), known)
			if list := holds[about(f.Path)]; len(list) > 0 {
				slices.Sort(list)
				f.Holds = slices.Compact(list)
			}
		}
		out = append(out, f)
	}
	return out, gaps
}

// keysIn returns the keys of the packages with these names that are in folder.
func keysIn(folder string, names []string, known map[string]bool) []string {
	var keys []string
	for _, name := range names {
		if key := folder + "/" + name; known[key] {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// identify completes the package URL of what the index has.
func identify(p *sbom.Package) {
	if p.PURL.IsZero() && !slices.ContainsFunc(p.Properties, func(q sbom.Property) bool { return q.Name == sourceProperty }) {
		p.PURL = packageURL(p.Name, p.Version)
	}
}
