package dpkg

import (
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/distro"
	"github.com/stella-ops/stella/scan/sbom"
)

// parts are the facts that belong to packages, by their key.
type parts struct {
	owns     map[string][]string
	licenses map[string][]sbom.License // by the path of the copyright file
	scripts  map[string][]string
	diverted []diversion
}

// Join implements analyzer.Joiner: it gives packages their files, licences,
// dependencies and package URL.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	p := parts{owns: map[string][]string{}, licenses: map[string][]sbom.License{}, scripts: map[string][]string{}}
	for _, f := range in.Facts {
		switch {
		case f.Kind != analyzer.KindPart:
		case f.Key == divertKey:
			if w := f.Provides; len(w) == 3 {
				p.diverted = append(p.diverted, diversion{w[0], w[1], w[2]})
			}
		case len(f.Holds) > 0:
			p.scripts[f.Key] = append(p.scripts[f.Key], f.Holds...)
		case f.Package != nil:
			p.licenses[f.Path] = f.Package.Licenses
		default:
			p.owns[f.Key] = f.Owns
		}
	}
	out := make([]analyzer.Located, 0, len(in.Facts))
	for _, f := range in.Facts {
		if f.Kind == analyzer.KindPackage {
			out = append(out, p.complete(f, in))
		}
	}
	out, chiseled := dropChiseled(out)
	resolveDepends(out)
	var gaps []sbom.Gap
	if chiseled != nil {
		gaps = append(gaps, sbom.Gap{Code: sbom.GapUnidentified, Blocking: true, Where: chiseled.Path,
			What: "packages of chisel, whose manifest does not name their sources: advisories that go by source are found where both have one name"})
	}
	if len(out) > 0 && in.OS == nil {
		gaps = append(gaps, sbom.Gap{Code: sbom.GapUnidentified, Blocking: true, Where: out[0].Path,
			What: "dpkg packages, but no os-release says which distribution they belong to"})
	}
	return out, gaps
}

func (p *parts) complete(f analyzer.Located, in *analyzer.Squashed) analyzer.Located {
	pkg := *f.Package
	name := pkg.Name
	f.Package = &pkg
	f.Owns = p.owns[f.Key]
	if f.Owns == nil {
		f.Owns = p.owns[name]
	}
	f.Owns = divert(f.Owns, name, p.diverted)
	if f.Holds = p.scripts[f.Key]; f.Holds == nil {
		f.Holds = p.scripts[name]
	}
	if doc := in.Resolve(path.Join(docDir, name, "copyright")); doc != "" && len(pkg.Licenses) == 0 {
		pkg.Licenses = slices.Clone(p.licenses[doc])
	}
	pkg.PURL = distro.Deb(&pkg, in.OS)
	return f
}

// resolveDepends replaces relationship fields (deb-control(5), "Depends") by
// the keys of the packages that satisfy them. Versions are not checked: dpkg
// did, when it installed.
func resolveDepends(packages []analyzer.Located) {
	byName := map[string][]int{}
	for i, f := range packages {
		byName[f.Package.Name] = append(byName[f.Package.Name], i)
	}
	for i, f := range packages { // real packages come before those that provide the name
		for _, name := range f.Provides {
			byName[name] = append(byName[name], i)
		}
	}
	for i, f := range packages {
		var keys []string
		for _, group := range f.DependsOn {
			if to := satisfy(group, f.Package.Arch, packages, byName); to >= 0 && to != i {
				keys = append(keys, packages[to].Key)
			}
		}
		slices.Sort(keys)
		packages[i].DependsOn, packages[i].Provides = slices.Compact(keys), nil
	}
}

// satisfy returns the index of the first alternative that is there, preferring
// the package's own architecture, or -1.
func satisfy(group, arch string, packages []analyzer.Located, byName map[string][]int) int {
	for alternative := range strings.SplitSeq(group, "|") {
		candidates := byName[firstWord(strings.TrimSpace(alternative))]
		for _, c := range candidates {
			if a := packages[c].Package.Arch; a == arch || a == "all" || arch == "all" {
				return c
			}
		}
		if len(candidates) > 0 {
			return candidates[0]
		}
	}
	return -1
}
