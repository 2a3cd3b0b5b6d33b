package cyclonedx

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

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
	case ownDetected:
		c.Licenses = append(c.Licenses, detectedLicense(p.Value))
	case ownUsage:
		c.Usage = &sbom.Usage{State: sbom.UsageState(p.Value)}
	default:
		return takeChain(c.Usage, p)
	}
	return true
}

// takeChain adds the next file to the chain of a usage that was told before.
func takeChain(u *sbom.Usage, p sbom.Property) (ok bool) {
	if n, indexed := indexed(p.Name, ownUsageChain); indexed && u != nil {
		u.Chain, ok = appendAt(u.Chain, n, p.Value)
	}
	return ok
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
