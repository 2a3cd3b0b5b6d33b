package apk

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/distro"
	"github.com/stella-ops/stella/scan/sbom"
)

// Join implements analyzer.Joiner: it gives packages their package URL and
// resolves what they depend on.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	out := make([]analyzer.Located, 0, len(in.Facts))
	provider := map[string]string{}
	for _, f := range in.Facts {
		if f.Kind != analyzer.KindPackage {
			continue
		}
		pkg := *f.Package
		pkg.PURL = distro.APK(&pkg, in.OS)
		f.Package = &pkg
		out = append(out, f)
		provider[pkg.Name] = f.Key
	}
	for _, f := range out {
		for _, p := range f.Provides {
			if name := dependencyName(p); provider[name] == "" {
				provider[name] = f.Key
			}
		}
	}
	for i, f := range out {
		var keys []string
		for _, d := range f.DependsOn {
			if key := provider[dependencyName(d)]; key != "" && key != f.Key && !strings.HasPrefix(d, "!") {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		out[i].DependsOn, out[i].Provides = slices.Compact(keys), nil
	}
	var gaps []sbom.Gap
	if len(out) > 0 && in.OS == nil {
		gaps = append(gaps, sbom.Gap{Code: sbom.GapUnidentified, Blocking: true, Where: out[0].Path,
			What: "apk packages, but no os-release says which distribution they belong to"})
	}
	return out, gaps
}

// dependencyName cuts the version condition off "name>=1.2", "so:libc.so=1".
func dependencyName(s string) string {
	if i := strings.IndexAny(s, "<>=~"); i >= 0 {
		return s[:i]
	}
	return s
}
