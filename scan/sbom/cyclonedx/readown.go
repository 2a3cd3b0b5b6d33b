package cyclonedx

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// finishOwn fills what the package's other members and then its stella
// properties tell. Properties that are not understood stay properties.
func (r *reader) finishOwn(c *component) {
	f := infer(&c.Package)
	c.Arch, c.Upstream, c.FoundBy = f.arch, f.upstream, f.foundBy
	var o ownProperties
	for _, p := range c.own {
		if !o.take(c, p) && !r.edgeProperty(p, c.ID) {
			c.Properties = append(c.Properties, p)
		}
	}
	c.finishCPEs(f.cpes)
	switch {
	case o.upstream && o.name == "":
		c.Upstream = nil
	case o.upstream:
		c.Upstream = &sbom.Upstream{Name: o.name, Version: o.version}
	}
	c.Locations = o.locations(c.occurred)
	if len(c.Locations) == 0 {
		c.Locations = f.locations
	}
}

// finishVersion takes the version that a stella property says, or else makes it
// of the member and the package URL.
func (c *component) finishVersion() {
	for _, p := range c.own {
		if p.Name == ownVersion {
			c.Version = p.Value
			return
		}
	}
	if c.Version = packageVersion(c.version, c.PURL); c.Version != c.version {
		c.keep("version", stringNode(c.version))
	}
}

// finishCPEs adds the member cpe and what other properties tell.
func (c *component) finishCPEs(told []string) {
	c.CPEs = append(c.CPEs, told...)
	if fitCPE(c.cpe) {
		c.CPEs = append(c.CPEs, c.cpe)
	}
	slices.Sort(c.CPEs)
	if c.CPEs = slices.Compact(c.CPEs); c.cpe != "" && firstCPE(c.CPEs, told) != c.cpe {
		c.keep("cpe", stringNode(c.cpe))
	}
}

// ownProperties collects what several stella properties say together.
type ownProperties struct {
	upstream      bool
	name, version string
	paths, layers []string
}

// take puts one stella property into the package.
func (o *ownProperties) take(c *component, p sbom.Property) bool {
	switch p.Name {
	case ownArch:
		c.Arch = p.Value
	case ownUpstreamName:
		o.upstream, o.name = true, p.Value
	case ownUpstreamVersion:
		o.version = p.Value
	case ownState:
		c.State = sbom.State(p.Value)
	case ownFoundBy:
		c.FoundBy = p.Value
	case ownLayer:
		o.layers = append(o.layers, p.Value)
	case ownLocation:
		o.paths = append(o.paths, p.Value)
	case ownVersion: // taken before, see finishVersion
	case ownCPE:
		c.CPEs = append(c.CPEs, p.Value)
	case ownHomepage:
		c.Homepage = p.Value
	case ownDownload:
		c.Download = p.Value
	default:
		return false
	}
	return true
}

// locations joins paths with layers: one layer stands for all paths, several
// name theirs ("<diffID> <path>").
func (o *ownProperties) locations(occurred []string) []sbom.Location {
	paths := slices.Concat(o.paths, occurred)
	slices.Sort(paths)
	paths = slices.Compact(paths)
	var list []sbom.Location
	if len(o.layers) == 1 && !strings.Contains(o.layers[0], " ") {
		for _, p := range paths {
			list = append(list, sbom.Location{Path: p, Layer: o.layers[0]})
		}
		return list
	}
	layers := map[string][]string{}
	for _, l := range o.layers {
		layer, path, _ := strings.Cut(l, " ")
		layers[path] = append(layers[path], layer)
	}
	for _, p := range paths {
		for _, l := range layers[p] {
			list = append(list, sbom.Location{Path: p, Layer: l})
		}
		if len(layers[p]) == 0 {
			list = append(list, sbom.Location{Path: p})
		}
	}
	return list
}
