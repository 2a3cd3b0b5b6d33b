package cyclonedx

import (
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// packageProperties writes the package's own properties and, as properties,
// what CycloneDX has no member for. Facts that the package URL or another
// producer's properties tell are not repeated.
func (e *encoder) packageProperties(p *sbom.Package, f *node) {
	rest := f.get("properties")
	f.remove("properties")
	for _, prop := range p.Properties {
		e.property(prop.Name, prop.Value)
	}
	known := e.known
	if p.Arch != known.arch {
		e.property(ownArch, p.Arch)
	}
	e.upstream(p.Upstream, known.upstream)
	e.propertyIf(ownState, string(p.State))
	if p.FoundBy != known.foundBy {
		e.property(ownFoundBy, p.FoundBy)
	}
	if !slices.Equal(p.Locations, known.locations) {
		e.locationProperties(p)
	}
	if !fitVersion(p.Version) || packageVersion(p.Version, p.PURL) != p.Version {
		e.property(ownVersion, p.Version)
	}
	first := firstCPE(p.CPEs, known.cpes)
	for _, cpe := range p.CPEs {
		if cpe != first && !contains(known.cpes, cpe) {
			e.property(ownCPE, cpe)
		}
	}
	if p.Homepage != "" && !fitURI(p.Homepage) && !refersTo(&e.refs, "website", p.Homepage) {
		e.property(ownHomepage, p.Homepage)
	}
	if p.Download != "" && !fitURI(p.Download) && !refersTo(&e.refs, "distribution", p.Download) {
		e.property(ownDownload, p.Download)
	}
	e.detected(p.Licenses)
	e.usage(p.Usage)
	e.edgeProperties(p.ID)
	if rest.kind == '[' && !e.listed {
		e.key("properties")
		e.begin('[')
		e.listed = true
	}
	for i := range rest.items {
		e.node(&rest.items[i])
	}
	e.endProperties()
}

func (e *encoder) upstream(u, known *sbom.Upstream) {
	switch {
	case u == nil && known != nil:
		e.property(ownUpstreamName, "")
	case u != nil && (known == nil || *u != *known):
		e.property(ownUpstreamName, u.Name)
		e.propertyIf(ownUpstreamVersion, u.Version)
	}
}

func (e *encoder) usage(u *sbom.Usage) {
	if u == nil {
		return
	}
	e.property(ownUsage, string(u.State))
	for i, file := range u.Chain {
		e.property(ownUsageChain+strconv.Itoa(i), file)
	}
}

// locationProperties writes the layers: one for all places, or each with its
// path. Before 1.5 the paths are properties too.
func (e *encoder) locationProperties(p *sbom.Package) {
	if e.version < 5 {
		for _, path := range e.paths(p, nil) {
			e.property(ownLocation, path)
		}
	}
	if oneLayer(p.Locations) {
		e.propertyIf(ownLayer, p.Locations[0].Layer)
		return
	}
	for i, l := range p.Locations {
		alone := (i == 0 || p.Locations[i-1].Path != l.Path) && (i+1 == len(p.Locations) || p.Locations[i+1].Path != l.Path)
		if l.Layer != "" || !alone {
			e.property(ownLayer, l.Layer+" "+l.Path)
		}
	}
}

// oneLayer reports whether all places are in the same layer, each path once.
func oneLayer(locations []sbom.Location) bool {
	for i, l := range locations {
		if l.Layer != locations[0].Layer || i > 0 && l.Path == locations[i-1].Path || strings.Contains(l.Layer, " ") {
			return false
		}
	}
	return len(locations) > 0
}

// edgeProperties writes the relationships of an element that are neither
// dependencies nor nesting.
func (e *encoder) edgeProperties(id string) {
	for _, from := range e.graph.containers[id] {
		e.property(ownContainedBy, from)
	}
	for _, to := range e.graph.owners[id] {
		e.property(ownOwnedBy, to)
	}
}
