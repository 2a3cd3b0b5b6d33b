package quality

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// table has what each guide asks for, as far as a document can have it: practices such as how
// often one is made are not in it.
var table = map[Guide]guide{
	NTIA: {"The Minimum Elements For a Software Bill of Materials (NTIA, 2021)", []element{
		{"supplier name", "Data Fields", Required, nil, supplier},
		{"component name", "Data Fields", Required, nil, name},
		{"version of the component", "Data Fields", Required, nil, version},
		{"other unique identifiers", "Data Fields", Required, nil, identifier},
		{"dependency relationship", "Data Fields", Required, nil, related},
		{"author of SBOM data", "Data Fields", Required, author, nil},
		{"timestamp", "Data Fields", Required, timestamp, nil},
		{"known unknowns", "Practices and Processes", Recommended, unknowns, nil},
	}},
	BSI: {"TR-03183-2: Software Bill of Materials (BSI, version 2.0, 2024)", []element{
		{"creator of the SBOM", "5.2.1", Required, author, nil},
		{"timestamp", "5.2.1", Required, timestamp, nil},
		{"component creator, by mail address or URL", "5.2.2", Required, nil, creator},
		{"component name", "5.2.2", Required, nil, name},
		{"component version", "5.2.2", Required, nil, version},
		{"filename of the component", "5.2.2", Required, nil, filename},
		{"dependencies on other components", "5.2.2", Required, nil, related},
		{"distribution licences", "5.2.2", Required, nil, licensed},
		{"hash value of the deployable component, SHA-512", "5.2.2", Required, nil, hashed("sha512")},
		{"executable property", "5.2.2", Required, nil, property("executable")},
		{"archive property", "5.2.2", Required, nil, property("archive")},
		{"structured property", "5.2.2", Required, nil, property("structured")},
		{"URI of the deployable form", "5.2.4", Recommended, nil, func(_ *facts, p *sbom.Package) bool { return p.Download != "" }},
		{"other unique identifiers", "5.2.4", Recommended, nil, identifier},
	}},
	OpenChain: {"OpenChain Telco SBOM Guide (version 1.1, 2025)", []element{
		{"created", "3.2", Required, timestamp, nil},
		{"creator: a tool with its version", "3.5", Required, func(f *facts) bool {
			return slices.ContainsFunc(f.doc.Tools, func(t sbom.Tool) bool { return t.Name != "" && t.Version != "" })
		}, nil},
		{"package name", "3.2", Required, nil, name},
		{"package version", "3.2", Required, nil, version},
		{"package supplier", "3.2", Required, nil, supplier},
		{"relationships", "3.2", Required, nil, related},
		{"licence, declared or concluded", "3.2", Recommended, nil, licensed},
		{"package hash", "3.2", Recommended, nil, hashed("")},
		{"known unknowns", "3.8", Recommended, unknowns, nil},
		{"package URL", "3.2", Recommended, nil, func(_ *facts, p *sbom.Package) bool { return !p.PURL.IsZero() }},
	}},
}

func author(f *facts) bool    { return len(f.doc.Tools) > 0 }
func timestamp(f *facts) bool { return f.doc.Created != "" }

// unknowns are said: what was not assessed, or, of an image that stella composed, that there
// was nothing.
func unknowns(f *facts) bool { return len(f.doc.Gaps) > 0 || f.doc.Composition != nil }

func supplier(_ *facts, p *sbom.Package) bool   { return p.Supplier != "" || p.Originator != "" }
func name(_ *facts, p *sbom.Package) bool       { return p.Name != "" }
func version(_ *facts, p *sbom.Package) bool    { return p.Version != "" }
func identifier(_ *facts, p *sbom.Package) bool { return !p.PURL.IsZero() || len(p.CPEs) > 0 }
func related(f *facts, p *sbom.Package) bool    { return f.linked[p.ID] }
func filename(_ *facts, p *sbom.Package) bool {
	return len(p.Locations) > 0 || property("filename")(nil, p)
}

func creator(_ *facts, p *sbom.Package) bool {
	return slices.ContainsFunc([]string{p.Supplier, p.Originator}, func(s string) bool {
		return strings.Contains(s, "@") || strings.Contains(s, "://")
	})
}

func licensed(_ *facts, p *sbom.Package) bool {
	return slices.ContainsFunc(p.Licenses, func(l sbom.License) bool { return l.Expression != "" || l.Name != "" })
}

// hashed asks for a hash by an algorithm; "" is any.
func hashed(algorithm string) func(*facts, *sbom.Package) bool {
	return func(_ *facts, p *sbom.Package) bool {
		return slices.ContainsFunc(p.Hashes, func(h sbom.Hash) bool { return algorithm == "" || h.Algorithm == algorithm })
	}
}

// property asks for one of BSI's taxonomy of CycloneDX properties.
func property(word string) func(*facts, *sbom.Package) bool {
	return func(_ *facts, p *sbom.Package) bool {
		return slices.ContainsFunc(p.Properties, func(q sbom.Property) bool { return q.Name == "bsi:component:"+word && q.Value != "" })
	}
}
