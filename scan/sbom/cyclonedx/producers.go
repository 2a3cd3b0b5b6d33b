package cyclonedx

import (
	"strconv"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

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
