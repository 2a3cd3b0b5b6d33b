package pacman

import (
	"slices"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/distro"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// Join implements analyzer.Joiner: it gives packages their files and package URL and resolves
// what they depend on. A folder of the database without a desc is a gap.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	owns := map[string][]string{}
	var out []analyzer.Located
	known := map[string]bool{}
	for _, f := range in.Facts {
		switch {
		case f.Kind == analyzer.KindPart:
			owns[f.Key] = f.Owns
		case f.Kind == analyzer.KindPackage && f.Package != nil:
			known[f.Key] = true
			out = append(out, f)
		}
	}
	for i := range out {
		p := *out[i].Package
		p.PURL = distro.ALPM(&p, in.OS)
		out[i].Package, out[i].Owns = &p, owns[out[i].Key]
	}
	resolve(out)
	var gaps []sbom.Gap
	if len(out) > 0 && in.OS == nil {
		gaps = append(gaps, sbom.Gap{Code: sbom.GapUnidentified, Blocking: true, Where: out[0].Path,
			What: "pacman packages, but no os-release says which distribution they belong to"})
	}
	for _, f := range in.Facts {
		if f.Kind == analyzer.KindPart && !known[f.Key] {
			gaps = append(gaps, sbom.Gap{Code: sbom.GapUnreadable, Blocking: true, Where: f.Path,
				What: "lists the files of a package whose desc is not there"})
		}
	}
	return out, gaps
}

// resolve replaces names by the keys of the packages that have or provide them; real packages
// come before those that provide a name. Versions are not checked: pacman did.
func resolve(packages []analyzer.Located) {
	provider := locked.Providers(packages)
	for i, f := range packages {
		var keys []string
		for _, name := range f.DependsOn {
			if key := provider[name]; key != "" && key != f.Key {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		packages[i].DependsOn, packages[i].Provides = slices.Compact(keys), nil
	}
}
