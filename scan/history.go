package scan

import (
	"slices"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// history remembers which layers have a file and what packages it named there,
// so that each package of a database that many layers rewrite is told by the
// layer that brought it.
type history map[string]*pastFile

type pastFile struct {
	layers []pastLayer // ascending
}

type pastLayer struct {
	index int
	facts []layer.FileFacts
	named map[string]bool // made when needed
}

func (h history) add(i int, f layer.FileFacts) {
	p := h[f.Path]
	if p == nil {
		p = new(pastFile)
		h[f.Path] = p
	}
	if n := len(p.layers); n > 0 && p.layers[n-1].index == i {
		p.layers[n-1].facts = append(p.layers[n-1].facts, f)
		return
	}
	p.layers = append(p.layers, pastLayer{index: i, facts: []layer.FileFacts{f}})
}

// since returns the lowest layer from which on every version of the file names
// the package in the same version.
func (h history) since(f analyzer.Located) int {
	p := h[f.Path]
	if p == nil || len(p.layers) == 1 {
		return f.Layer
	}
	at := slices.IndexFunc(p.layers, func(l pastLayer) bool { return l.index == f.Layer })
	id := identity(f.Package, f.Inner)
	for at > 0 && p.layers[at-1].names(id) {
		at--
	}
	return p.layers[max(at, 0)].index
}

func (l *pastLayer) names(id string) bool {
	if l.named == nil {
		l.named = map[string]bool{}
		for _, file := range l.facts {
			for _, fact := range file.Facts {
				if fact.Package != nil {
					l.named[identity(fact.Package, fact.Inner)] = true
				}
			}
		}
	}
	return l.named[id]
}

func identity(p *sbom.Package, inner string) string {
	return p.Name + "\x00" + p.Version + "\x00" + p.Arch + "\x00" + inner
}
