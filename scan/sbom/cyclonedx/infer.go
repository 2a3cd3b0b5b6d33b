package cyclonedx

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// Facts are what other parts of a component tell of a package: its package
// URL, and the properties in which other producers keep what CycloneDX has no
// member for. Encode writes a property of its own only where the model says
// otherwise.
type facts struct {
	arch      string
	upstream  *sbom.Upstream
	foundBy   string
	cpes      []string
	locations []sbom.Location
}

// infer reads the facts of p from its package URL and its properties.
func infer(p *sbom.Package) facts {
	f := facts{arch: p.PURL.Qualifier("arch"), upstream: upstreamOf(p.PURL.Qualifier("upstream"))}
	var from producerSource
	for _, prop := range p.Properties {
		if tail, ok := strings.CutPrefix(prop.Name, "syft:"); ok {
			f.syft(&from, tail, prop.Value)
		} else if tail, ok := strings.CutPrefix(prop.Name, "aquasecurity:trivy:"); ok {
			f.trivy(&from, tail, prop.Value)
		}
	}
	if u := from.upstream(); u != nil {
		f.upstream = u
	}
	if u := f.upstream; u != nil && u.Name == p.Name && (u.Version == "" || u.Version == p.Version) {
		f.upstream = nil // the package itself
	}
	f.locations = slices.DeleteFunc(f.locations, func(l sbom.Location) bool { return l.Path == "" })
	slices.SortFunc(f.locations, compareLocations)
	slices.Sort(f.cpes)
	return f
}

func compareLocations(a, b sbom.Location) int {
	if c := strings.Compare(a.Path, b.Path); c != 0 {
		return c
	}
	return strings.Compare(a.Layer, b.Layer)
}

// contains reports whether a sorted list has s.
func contains(sorted []string, s string) bool {
	_, ok := slices.BinarySearch(sorted, s)
	return ok
}

// upstreamOf reads the qualifier: "name", "name@version" or the file name of a
// source rpm.
func upstreamOf(s string) *sbom.Upstream {
	if s == "" {
		return nil
	}
	if nvr, ok := strings.CutSuffix(s, ".src.rpm"); ok {
		release := strings.LastIndexByte(nvr, '-')
		if release <= 0 {
			return &sbom.Upstream{Name: nvr}
		}
		version := strings.LastIndexByte(nvr[:release], '-')
		if version <= 0 {
			return &sbom.Upstream{Name: nvr}
		}
		return &sbom.Upstream{Name: nvr[:version], Version: nvr[version+1:]}
	}
	if i := strings.LastIndexByte(s, '@'); i > 0 {
		return &sbom.Upstream{Name: s[:i], Version: s[i+1:]}
	}
	return &sbom.Upstream{Name: s}
}
