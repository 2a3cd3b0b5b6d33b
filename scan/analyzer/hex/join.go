package hex

import (
	"path"
	"slices"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// Join implements analyzer.Joiner: it finds what installed packages depend on among those in
// the same folder, and tells the application that a release is named after from packages.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	keys := map[string][]string{} // by name space and name
	own := map[string]bool{}      // names of releases, behind the name space of their applications
	for _, f := range in.Facts {
		switch {
		case f.Kind == analyzer.KindPackage:
			for _, name := range f.Provides {
				keys[f.Scope+"\x00"+name] = append(keys[f.Scope+"\x00"+name], f.Key)
			}
		case f.Scope == releases:
			own[applications+path.Join(f.Key, "lib")+"\x00"+f.Package.Name] = true
		}
	}
	var out []analyzer.Located
	for _, f := range in.Facts {
		if f.Kind != analyzer.KindPackage {
			continue
		}
		if f.Scope != "" {
			var needs []string
			for _, name := range f.DependsOn {
				if found := keys[f.Scope+"\x00"+name]; len(found) <= maxVersions && !slices.Contains(f.Provides, name) {
					needs = append(needs, found...)
				}
			}
			f.DependsOn, f.Provides = sorted(needs), nil
		}
		if own[f.Scope+"\x00"+f.Package.Name] {
			p := *f.Package
			p.Type, p.PURL = "application", purl.PackageURL{}
			f.Package = &p
		}
		out = append(out, f)
	}
	return out, nil
}

// maxVersions is how many versions of one application a folder may have for dependencies on
// it to be said: an upgraded release has two or three.
const maxVersions = 16

// sorted returns texts sorted, each once, without empty ones.
func sorted(texts []string) []string {
	texts = slices.DeleteFunc(texts, func(s string) bool { return s == "" })
	slices.Sort(texts)
	return slices.Compact(texts)
}
