package scan

import (
	"strings"

	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// dropKnown leaves out findings that count only where nothing else accounts for their file:
// those with an owner, and those of a package, or the source of a package, that is listed as
// installed. Indexes among the findings are kept right, those of programs too.
func dropKnown(all []found, programs []program) []found {
	orphans := 0
	for i := range all {
		if all[i].Orphan {
			orphans++
		}
	}
	if orphans == 0 {
		return all
	}
	listed := installedSources(all)
	place, out := make([]int, len(all)), make([]found, 0, len(all))
	for i := range all {
		f := &all[i]
		if f.Orphan && (f.owner >= 0 || !f.Package.PURL.IsZero() && listed[sourceKey(f.Package.PURL, f.Package.Name, f.Package.Version)]) {
			place[i] = -1
			continue
		}
		place[i] = len(out)
		out = append(out, *f)
	}
	move := func(at *int) {
		if *at >= 0 {
			*at = place[*at]
		}
	}
	for i := range out {
		move(&out[i].owner)
	}
	for i := range programs {
		move(&programs[i].holder)
		move(&programs[i].older)
	}
	return out
}

// installedSources are the packages that are listed as installed, by their own names and by
// those of their sources.
func installedSources(all []found) map[string]bool {
	out := map[string]bool{}
	for i := range all {
		p := all[i].Package
		if all[i].Orphan || p.State == sbom.Declared || p.PURL.IsZero() {
			continue
		}
		out[sourceKey(p.PURL, p.Name, p.Version)] = true
		if u := p.Upstream; u != nil {
			version := u.Version
			if version == "" {
				version = p.Version
			}
			out[sourceKey(p.PURL, u.Name, version)] = true
		}
	}
	return out
}

// sourceKey leaves out the epoch, which not everything that names a version has.
func sourceKey(u purl.PackageURL, name, version string) string {
	if _, rest, ok := strings.Cut(version, ":"); ok {
		version = rest
	}
	return u.Type + "\x00" + u.Namespace + "\x00" + name + "\x00" + version
}
