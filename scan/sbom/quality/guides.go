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
		{"supplier name", "Data Fields", Required, nil, supplier, false},
		{"component name", "Data Fields", Required, nil, name, true},
		{"version of the component", "Data Fields", Required, nil, version, false},
		{"other unique identifiers", "Data Fields", Required, nil, identifier, false},
		{"dependency relationship", "Data Fields", Required, nil, related, true},
		{"author of SBOM data", "Data Fields", Required, author, nil, false},
		{"timestamp", "Data Fields", Required, timestamp, nil, false},
		{"known unknowns", "Practices and Processes", Recommended, unknowns, nil, false},
	}},
	BSI: {"TR-03183-2: Software Bill of Materials (BSI, version 2.0, 2024)", []element{
		{"creator of the SBOM, by mail address or URL", "5.2.1", Required, reachable, nil, false},
		{"timestamp", "5.2.1", Required, timestamp, nil, false},
		{"component creator, by mail address or URL", "5.2.2", Required, nil, creator, false},
		{"component name", "5.2.2", Required, nil, name, true},
		{"component version", "5.2.2", Required, nil, version, false},
		{"filename of the component", "5.2.2", Required, nil, filename, true},
		{"dependencies on other components", "5.2.2", Required, nil, related, true},
		{"distribution licences", "5.2.2", Required, nil, licensed, false},
		{"hash value of the deployable component, SHA-512", "5.2.2", Required, nil, hashed("sha512"), true},
		{"executable property", "5.2.2", Required, nil, property("executable"), true},
		{"archive property", "5.2.2", Required, nil, property("archive"), true},
		{"structured property", "5.2.2", Required, nil, property("structured"), true},
		{"URI of the deployable form", "5.2.4", Recommended, nil, func(_ *facts, p *sbom.Package) bool { return p.Download != "" }, false},
		{"other unique identifiers", "5.2.4", Recommended, nil, identifier, false},
	}},
	OpenChain: {"OpenChain Telco SBOM Guide (version 1.1, 2025)", []element{
		{"created", "3.2", Required, timestamp, nil, false},
		{"creator: a tool with its version", "3.5", Required, func(f *facts) bool {
			return slices.ContainsFunc(f.doc.Tools, func(t sbom.Tool) bool { return t.Name != "" && t.Version != "" })
		}, nil, false},
		{"package name", "3.2", Required, nil, name, true},
		{"package version", "3.2", Required, nil, version, false},
		{"package supplier", "3.2", Required, nil, supplier, false},
		{"relationships", "3.2", Required, nil, related, true},
		{"licence, declared or concluded", "3.2", Recommended, nil, licensed, false},
		{"package hash", "3.2", Recommended, nil, hashed(""), true},
		{"known unknowns", "3.8", Recommended, unknowns, nil, false},
		{"package URL", "3.2", Recommended, nil, func(_ *facts, p *sbom.Package) bool { return !p.PURL.IsZero() }, false},
	}},
}

// author is a tool or an entity: the guide wants a name.
func author(f *facts) bool    { return len(f.doc.Tools) > 0 || len(f.authors) > 0 }
func timestamp(f *facts) bool { return f.doc.Created != "" }

// unknowns are said: what was not assessed, or, of an image that stella composed, that there
// was nothing.
func unknowns(f *facts) bool { return len(f.doc.Gaps) > 0 || f.doc.Composition != nil }

func supplier(_ *facts, p *sbom.Package) bool   { return p.Supplier != "" || p.Originator != "" }
func name(_ *facts, p *sbom.Package) bool       { return p.Name != "" }
func version(_ *facts, p *sbom.Package) bool    { return p.Version != "" }
func identifier(_ *facts, p *sbom.Package) bool { return !p.PURL.IsZero() || len(p.CPEs) > 0 }
func related(f *facts, p *sbom.Package) bool    { return f.linked[p.ID] }

func creator(_ *facts, p *sbom.Package) bool {
	return slices.ContainsFunc([]string{p.Supplier, p.Originator}, isAddress)
}

// reachable is an entity, not a tool, with an address.
func reachable(f *facts) bool { return slices.ContainsFunc(f.authors, isAddress) }

func isAddress(s string) bool { return strings.Contains(s, "@") || strings.Contains(s, "://") }

func licensed(_ *facts, p *sbom.Package) bool {
	return slices.ContainsFunc(p.Licenses, func(l sbom.License) bool {
		return l.Kind != sbom.LicenseDetected && (l.Expression != "" || l.Name != "")
	})
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
