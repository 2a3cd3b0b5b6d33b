package opkg

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// Join implements analyzer.Joiner: it gives packages their files, what the control file says
// and their package URL, and resolves what they depend on.
func (Analyzer) Join(in *analyzer.Squashed) ([]analyzer.Located, []sbom.Gap) {
	owns, parts := map[string][]string{}, map[string]*sbom.Package{}
	var out []analyzer.Located
	keys := map[string]bool{}
	for _, f := range in.Facts {
		switch {
		case f.Kind == analyzer.KindPart && f.Package != nil:
			parts[f.Key] = f.Package
		case f.Kind == analyzer.KindPart:
			owns[f.Key] = f.Owns
		case f.Kind == analyzer.KindPackage && f.Package != nil:
			out = append(out, f)
		}
	}
	// Two databases of one image may both have a package.
	out = slices.DeleteFunc(out, func(f analyzer.Located) bool {
		id := f.Key + "\x00" + f.Package.Version
		again := keys[id]
		keys[id] = true
		return again
	})
	for i := range out {
		p := *out[i].Package
		complete(&p, parts[p.Name])
		p.PURL = packageURL(&p, in.OS)
		out[i].Package, out[i].Owns = &p, owns[p.Name]
	}
	resolve(out)
	var gaps []sbom.Gap
	if len(out) > 0 && in.OS == nil {
		gaps = append(gaps, sbom.Gap{Code: sbom.GapUnidentified, Blocking: true, Where: out[0].Path,
			What: "opkg packages, but no os-release says which distribution they belong to"})
	}
	if len(out) > 0 {
		gaps = append(gaps, sbom.Gap{Code: sbom.GapUnsupported, Blocking: true, Where: out[0].Path,
			What: fmt.Sprintf("no advisories are known for opkg packages: %d are listed, not assessed", len(out))})
	}
	return out, gaps
}

// complete adds what the control file says of the version that is installed.
func complete(p, part *sbom.Package) {
	if part == nil || part.Version != "" && part.Version != p.Version {
		return
	}
	p.Arch = cmp.Or(p.Arch, part.Arch)
	p.Description, p.Homepage = cmp.Or(p.Description, part.Description), cmp.Or(p.Homepage, part.Homepage)
	p.Supplier = cmp.Or(p.Supplier, part.Supplier)
	p.Upstream = cmp.Or(p.Upstream, part.Upstream)
	if len(p.Licenses) == 0 {
		p.Licenses = slices.Clone(part.Licenses)
	}
	if len(p.CPEs) == 0 {
		p.CPEs = slices.Clone(part.CPEs)
	}
}

// resolve replaces names by the keys of the packages that have or provide them; of
// alternatives the first that is there counts. Versions are not checked: opkg did.
func resolve(packages []analyzer.Located) {
	provider := locked.Providers(packages)
	for i, f := range packages {
		var keys []string
		for _, group := range f.DependsOn {
			for name := range strings.SplitSeq(group, "|") {
				if key := provider[name]; key != "" {
					keys = append(keys, key)
					break
				}
			}
		}
		slices.Sort(keys)
		keys = slices.DeleteFunc(slices.Compact(keys), func(k string) bool { return k == f.Key })
		packages[i].DependsOn, packages[i].Provides = keys, nil
	}
}

// packageURL is of the type generic; see the package comment.
func packageURL(p *sbom.Package, os *sbom.OS) purl.PackageURL {
	id, distro := scope, ""
	if os != nil && os.ID != "" {
		id, distro = strings.ToLower(os.ID), strings.TrimSuffix(os.ID+"-"+os.VersionID, "-")
	}
	u := locked.URL("generic", id, p.Name, p.Version)
	if u.IsZero() {
		return u
	}
	if p.Upstream != nil {
		u = u.With("upstream", p.Upstream.Name)
	}
	return u.With("arch", p.Arch).With("distro", distro)
}
