package advisory

import (
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// otherStream reports whether an erratum is about another stream of a module
// (dnf's modularity) than the one that an rpm package is of: streams have
// version orders of their own, so that nodejs 18 is not affected by what is
// fixed in nodejs 20. A package that is of no stream is not affected by what is
// fixed in one, nor the other way round. Where either side does not say which
// stream it is of, versions decide.
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
	return name != "" && have == name && haveStream != stream
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
