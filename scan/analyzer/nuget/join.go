package nuget

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// Join implements analyzer.Joiner. It leaves out assemblies that another package accounts
// for: a deps.json in their folder or one above names them, or they lie in the folder of a
// package in a cache, of a targeting pack or of a shared framework; a pack or framework that
// nothing else names becomes a package by its folder. A library that a project refers to by
// its file gets the version of that file, and a package in a cache its digest and origin.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	j := joiner{claims: map[string]int{}, described: map[string]bool{}, cache: map[string]int{}, folders: map[string]int{}}
	packages := make([]sbom.Package, len(in.Facts)) // copies: facts may be shared
	for i, f := range in.Facts {
		if f.Kind != analyzer.KindPackage || f.Scope == scopeAssembly {
			continue
		}
		packages[i] = *f.Package
		f.Package = &packages[i]
		j.claim(&f)
		j.out = append(j.out, f)
	}
	for i, f := range in.Facts {
		switch {
		case f.Kind == analyzer.KindPart:
			if at, ok := j.cache[f.Key]; ok {
				p := j.out[at].Package
				p.Hashes = append(slices.Clip(p.Hashes), f.Package.Hashes...)
				for _, q := range f.Package.Properties {
					addProperty(p, q.Name, q.Value)
				}
				comesFrom(p, f.Package.Download)
			}
		case f.Kind == analyzer.KindPackage && f.Scope == scopeAssembly:
			packages[i] = *f.Package
			f.Package = &packages[i]
			j.assembly(f)
		}
	}
	return j.out, nil
}

// joiner finds what accounts for a file.
type joiner struct {
	out       []analyzer.Located
	claims    map[string]int  // file → the library of a deps.json
	described map[string]bool // folders with a deps.json
	cache     map[string]int  // folder → the package in it
	folders   map[string]int  // folder of a pack or framework → its package
}

// claim notes the files of a fact that goes to place len(j.out).
func (j *joiner) claim(f *analyzer.Located) {
	at, dir := len(j.out), path.Dir(f.Path)
	switch {
	case f.Scope == scopeCache:
		j.cache[f.Key] = at
		return
	case !strings.HasSuffix(strings.ToLower(f.Path), ".deps.json"):
		return
	}
	j.described[dir] = true
	for _, file := range f.Provides {
		// Published files lie beside the deps.json or keep their folder; both are there
		// after a build.
		for _, p := range []string{file, path.Base(file)} {
			if !fs.ValidPath(p) {
				continue
			}
			p = path.Join(dir, p)
			if _, taken := j.claims[p]; !taken {
				j.claims[p] = at
			}
		}
	}
	f.Provides = nil
}

// assembly adds an assembly unless something accounts for it.
func (j *joiner) assembly(f analyzer.Located) {
	if at, ok := j.claims[f.Path]; ok {
		if p := j.out[at].Package; isReference(p) {
			p.Name, p.Version, p.PURL, p.Properties = f.Package.Name, f.Package.Version, f.Package.PURL, f.Package.Properties
			p.Originator, p.Copyright = f.Package.Originator, f.Package.Copyright
		}
		return
	}
	for dir := path.Dir(f.Path); len(j.cache) > 0 && dir != "." && dir != "/"; dir = path.Dir(dir) {
		if _, ok := j.cache[dir]; ok {
			return
		}
	}
	dir, name, version := toolFolder(f.Path)
	if dir == "" || j.described[dir] { // what a framework's own deps.json does not list is not of it
		j.out = append(j.out, f)
		return
	}
	rid := ""
	for _, q := range f.Package.Properties {
		if q.Name == propertyRID {
			rid = q.Value
		}
	}
	at, known := j.folders[dir]
	if !known {
		at = len(j.out)
		j.folders[dir] = at
		p := &sbom.Package{Name: name, Version: version, PURL: packageURL(name, version)}
		j.out = append(j.out, analyzer.Located{Path: f.Path, Layer: f.Layer, Fact: analyzer.Fact{Kind: analyzer.KindPackage, Scope: scopeAssembly, Key: dir, Package: p}})
	}
	if p := j.out[at].Package; rid != "" && p.Name == name && isFramework(dir) {
		p.Name += ".Runtime." + rid
		p.PURL = packageURL(p.Name, p.Version)
	}
}

// isReference reports whether a project refers to p by its file.
func isReference(p *sbom.Package) bool {
	return p.PURL.IsZero() && slices.ContainsFunc(p.Properties, func(q sbom.Property) bool {
		return q == sbom.Property{Name: propertySource, Value: "reference"}
	})
}

// frameworks are the shared frameworks whose packages, one for each platform, are named
// after them.
var frameworks = []string{"Microsoft.NETCore.App", "Microsoft.AspNetCore.App", "Microsoft.WindowsDesktop.App"}

// toolFolder returns the folder of the framework or pack that a file belongs to, and what its
// path says of it: dotnet/shared/<framework>/<version>/… and dotnet/packs/<id>/<version>/…,
// where the packages of .NET itself are.
func toolFolder(file string) (dir, name, version string) {
	parts := strings.Split(file, "/")
	for i := 0; i+3 < len(parts); i++ {
		name, version := parts[i+1], parts[i+2]
		pack := parts[i] == "packs" && (strings.HasPrefix(name, "Microsoft.") || strings.HasPrefix(name, "NETStandard."))
		if isVersion(version) && (pack || parts[i] == "shared" && slices.Contains(frameworks, name)) {
			return path.Join(parts[:i+3]...), name, version
		}
	}
	return "", "", ""
}

// isFramework reports whether a folder of toolFolder is one of a shared framework.
func isFramework(dir string) bool {
	return path.Base(path.Dir(path.Dir(dir))) == "shared"
}
