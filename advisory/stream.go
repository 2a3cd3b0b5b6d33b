package advisory

import (
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// otherStream reports whether an erratum is about another stream of a module
// (dnf's modularity) than the one that an rpm package is of: streams have
// version orders of their own, so that nodejs 18 is not affected by what is
// fixed in nodejs 20. A package that is of no stream is not affected by what is
// fixed in one, nor the other way round. Where the package does not say which
// stream it is of, its version may: 14.18 is not of the stream 16 whose fix is
// 16.14. Else versions decide.
func otherStream(r *Record, e *Entry, p *sbom.Package, base string) bool {
	switch base {
	case "AlmaLinux", "Red Hat", "Rocky Linux", "Oracle Linux":
	default:
		return false
	}
	if e.Stream != "" {
		return e.Stream != streamOf(modularity(p))
	}
	fixes := ""
	for _, versions := range e.Ranges {
		for _, event := range versions.Events {
			if event.Fixed != "" {
				fixes = event.Fixed
			}
		}
	}
	if fixes == "" {
		return false
	}
	label := modularity(p)
	if isModular(fixes) != (label != "" || isModular(p.Version)) {
		return true
	}
	name, stream := moduleOf(r.Summary)
	have, haveStream, _ := strings.Cut(streamOf(label), ":")
	if label == "" && name != "" {
		return startsWith(fixes, stream) && !startsWith(p.Version, stream)
	}
	return name != "" && have == name && haveStream != stream
}

// startsWith reports whether a version begins with the parts of another.
func startsWith(version, parts string) bool {
	rest, ok := strings.CutPrefix(cutEpoch(version), parts)
	return ok && (rest == "" || strings.IndexByte(".-", rest[0]) >= 0)
}

// isRebuild reports whether a package for a module of AlmaLinux is a build of a
// release that the erratum of an entry fixes, though of another run of the build
// system: modules are built anew, from the same sources and under the same
// release, and errata name a later build than many systems have. Of the builds
// that an erratum lists the first of the same version and release decides.
func (c *comparison) isRebuild(entries []Entry, e *Entry) bool {
	release, suffix, ok := moduleRelease(c.query.version)
	if !ok {
		return false
	}
	for i := range entries {
		if entries[i].Record != e.Record {
			continue
		}
		for _, versions := range entries[i].Ranges {
			for _, event := range versions.Events {
				fixed, fixedSuffix, ok := moduleRelease(event.Fixed)
				if !ok || fixed != release {
					continue
				}
				if o, err := c.scheme.Compare(release+suffix, fixed+fixedSuffix); err == nil && o >= 0 {
					return true
				}
			}
		}
	}
	return false
}

// moduleRelease splits 2.4.37-47.module_el8.6.0+1111+ce6f4ceb.1.alma into
// 2.4.37-47 and .1: without platform, number and commit of the build.
func moduleRelease(version string) (release, suffix string, ok bool) {
	i := strings.Index(version, ".module_el")
	if i < 0 {
		return "", "", false
	}
	parts := strings.SplitN(version[i+1:], "+", 3)
	if len(parts) < 3 {
		return "", "", false
	}
	if j := strings.IndexByte(parts[2], '.'); j >= 0 {
		suffix = strings.TrimSuffix(parts[2][j:], ".alma")
	}
	return version[:i], suffix, true
}

// streamOf cuts a label name:stream:version:context to name:stream.
func streamOf(label string) string {
	name, rest, _ := strings.Cut(label, ":")
	stream, _, _ := strings.Cut(rest, ":")
	if name == "" {
		return ""
	}
	return name + ":" + stream
}

// isModular reports whether a version is of a build for a module.
func isModular(version string) bool {
	return strings.Contains(version, ".module+el") || strings.Contains(version, ".module_el")
}

// modularity returns the label name:stream:version:context of a package, or "".
func modularity(p *sbom.Package) string {
	for _, q := range p.Properties {
		if q.Name == "rpm:modularitylabel" {
			return q.Value
		}
	}
	return p.PURL.Qualifier("modularitylabel")
}

// moduleOf reads the module and stream out of an erratum's summary, such as
// "Important: nodejs:18 security update".
func moduleOf(summary string) (name, stream string) {
	for word := range strings.FieldsSeq(summary) {
		if name, stream, ok := strings.Cut(word, ":"); ok && name != "" && stream != "" {
			return name, stream
		}
	}
	return "", ""
}
