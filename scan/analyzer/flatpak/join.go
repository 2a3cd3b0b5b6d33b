package flatpak

import (
	"cmp"
	"slices"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// Join implements analyzer.Joiner: it gives deployments what their metainfo says, their
// package URL and the runtime that they need. Metainfo without metadata is a gap.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	var out []analyzer.Located
	var gaps []sbom.Gap
	at := map[string]int{}
	byRef := map[string][]analyzer.Located{}
	for _, f := range in.Facts {
		if f.Kind != analyzer.KindPackage || f.Package == nil {
			continue
		}
		for _, ref := range f.Provides {
			byRef[ref] = append(byRef[ref], f)
		}
		p := *f.Package
		f.Package, f.Provides = &p, nil
		at[f.Key] = len(out)
		out = append(out, f)
	}
	for _, f := range in.Facts {
		if f.Kind != analyzer.KindPart || f.Package == nil {
			continue
		}
		if i, known := at[f.Key]; known {
			complete(out[i].Package, f.Package)
		} else {
			gaps = append(gaps, sbom.Gap{Code: sbom.GapUnreadable, Blocking: true, Where: f.Path, What: "describes a package whose metadata is not there"})
		}
	}
	for i := range out {
		f := &out[i]
		p := f.Package
		if p.PURL = locked.URL("generic", scope, p.Name, p.Version); !p.PURL.IsZero() {
			p.PURL = p.PURL.With("arch", p.Arch)
		}
		var keys []string
		for _, ref := range f.DependsOn {
			if key := active(byRef[ref], in.Resolve); key != "" && key != f.Key {
				keys = append(keys, key)
			}
		}
		f.DependsOn = keys
	}
	return out, gaps
}

// complete adds what metainfo says; the first one that says something counts. The name of a
// component is for people: the package keeps its own.
func complete(p, part *sbom.Package) {
	p.Version, p.Description = cmp.Or(p.Version, part.Version), cmp.Or(p.Description, part.Description)
	p.Homepage, p.Originator = cmp.Or(p.Homepage, part.Homepage), cmp.Or(p.Originator, part.Originator)
	if len(p.Licenses) == 0 {
		p.Licenses = slices.Clone(part.Licenses)
	}
}

// active is the key of the deployment that the link "active" leads to, else of the last one.
func active(deployments []analyzer.Located, resolve func(string) string) string {
	if len(deployments) == 0 {
		return ""
	}
	last := &deployments[len(deployments)-1]
	if at, ok := placeOf(last.Path); ok {
		to := resolve(last.Key[:len(last.Key)-len(at.commit)] + "active/metadata")
		for _, d := range deployments {
			if d.Path == to {
				return d.Key
			}
		}
	}
	return last.Key
}
