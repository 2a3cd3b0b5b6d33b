package cyclonedx

import (
	"slices"
	"strconv"
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

// producerSource collects what Syft and Trivy say of the source package.
type producerSource struct{ name, version, release, epoch string }

func (s *producerSource) upstream() *sbom.Upstream {
	if s.name == "" {
		return nil
	}
	v := s.version
	if s.release != "" {
		v += "-" + s.release
	}
	if s.epoch != "" && s.epoch != "0" {
		v = s.epoch + ":" + v
	}
	return &sbom.Upstream{Name: s.name, Version: v}
}

func (f *facts) syft(from *producerSource, name, value string) {
	switch name {
	case "package:foundBy":
		f.foundBy = value
	case "cpe23":
		f.cpes = append(f.cpes, value)
	case "metadata:source", "metadata:originPackage":
		from.name = value
	case "metadata:sourceVersion":
		from.version = value
	case "metadata:sourceRpm":
		if u := upstreamOf(value); u != nil {
			from.name, from.version = u.Name, u.Version
		}
	default:
		f.syftLocation(name, value)
	}
}

// syftLocation reads "location:<n>:path" and "location:<n>:layerID".
func (f *facts) syftLocation(name, value string) {
	tail, ok := strings.CutPrefix(name, "location:")
	if !ok {
		return
	}
	index, what, _ := strings.Cut(tail, ":")
	n, err := strconv.Atoi(index)
	if err != nil || n < 0 || n > len(f.locations) && n > 1000 {
		return
	}
	for len(f.locations) <= n {
		f.locations = append(f.locations, sbom.Location{})
	}
	switch what {
	case "path":
		f.locations[n].Path = strings.TrimLeft(value, "/")
	case "layerID":
		f.locations[n].Layer = value
	}
}

func (f *facts) trivy(from *producerSource, name, value string) {
	switch name {
	case "SrcName":
		from.name = value
	case "SrcVersion":
		from.version = value
	case "SrcRelease":
		from.release = value
	case "SrcEpoch":
		from.epoch = value
	case "FilePath", "LayerDiffID":
		if len(f.locations) == 0 {
			f.locations = append(f.locations, sbom.Location{})
		}
		if name == "FilePath" {
			f.locations[0].Path = strings.TrimLeft(value, "/")
		} else {
			f.locations[0].Layer = value
		}
	}
}

// imageFacts reads what Trivy says of an image.
func imageFacts(properties []sbom.Property) (config string, layers []sbom.Layer) {
	for _, prop := range properties {
		switch prop.Name {
		case "aquasecurity:trivy:ImageID":
			config = prop.Value
		case "aquasecurity:trivy:DiffID":
			layers = append(layers, sbom.Layer{DiffID: prop.Value})
		}
	}
	return config, layers
}
