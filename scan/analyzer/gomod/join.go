package gomod

import (
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// Join implements analyzer.Joiner: what go.sum says is added to the packages of the go.mod
// beside it.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	sums := map[string][]analyzer.Located{} // by folder
	for _, f := range in.Facts {
		if path.Base(f.Path) == "go.sum" {
			dir := path.Dir(f.Path)
			sums[dir] = append(sums[dir], f)
		}
	}
	var out []analyzer.Located
	for rest := in.Facts; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Path == rest[0].Path {
			n++
		}
		file := rest[:n]
		rest = rest[n:]
		switch path.Base(file[0].Path) {
		case "go.mod":
			out = append(out, joinSum(file, sums[path.Dir(file[0].Path)])...)
		case "modules.txt":
			out = append(out, file...)
		}
	}
	return out, nil
}

// joinSum returns the packages of one go.mod with the hashes of its go.sum, and the modules
// that only go.sum names where go.mod is of a time when it did not name them all.
func joinSum(mod, sum []analyzer.Located) []analyzer.Located {
	hashes := map[string]sbom.Property{}
	for _, f := range sum {
		hashes[f.Key] = f.Package.Properties[0]
	}
	old, known := false, map[string]bool{}
	var out []analyzer.Located
	for _, f := range mod {
		if f.Kind != analyzer.KindPackage {
			old = old || f.Key == keyOld
			continue
		}
		known[f.Key] = true
		if h, ok := hashes[f.Package.Name+"@"+f.Package.Version]; ok {
			p := *f.Package
			p.Properties = append(slices.Clone(p.Properties), h)
			slices.SortStableFunc(p.Properties, func(a, b sbom.Property) int { return strings.Compare(a.Name, b.Name) })
			f.Package = &p
		}
		known[f.Package.Name] = true
		out = append(out, f)
	}
	if old {
		out = append(out, further(mod[0], sum, known)...)
	}
	return out
}

// further returns the modules of go.sum that go.mod does not name, in the order of the
// file, each at its greatest version.
func further(mod analyzer.Located, sum []analyzer.Located, known map[string]bool) []analyzer.Located {
	greatest := map[string]string{}
	for _, f := range sum {
		if name := f.Package.Name; greatest[name] == "" || semver.Compare(f.Package.Version, greatest[name]) > 0 {
			greatest[name] = f.Package.Version
		}
	}
	var out []analyzer.Located
	for _, f := range sum {
		p := *f.Package
		if known[p.Name] || p.Version != greatest[p.Name] {
			continue
		}
		known[p.Name] = true
		p.State, p.PURL = sbom.Declared, moduleURL(p.Name, p.Version)
		p.Properties = append(slices.Clone(p.Properties), sbom.Property{Name: "go:indirect", Value: "true"})
		f.Kind, f.Package, f.Layer = analyzer.KindPackage, &p, max(f.Layer, mod.Layer)
		f.Key = p.Name
		out = append(out, f)
	}
	return out
}
