package vcpkg

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/analyzer/internal/stanza"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// Scopes of facts tell what they are.
const (
	installed = "installed" // Key: name:triplet
	removed   = "removed"   // Key: as above, with [feature] for one of it
	feature   = "feature"   // Key: name:triplet; Package.Name: the feature
	byList    = "list"      // Key: name:triplet
)

// paragraph is one of a database: a package, or with feature a part of one that was chosen.
type paragraph struct {
	name, version, port, feature, triplet, status string
	description, depends                          string
	state                                         bool // the field Status is there
}

func (p *paragraph) field(name, value []byte) {
	switch string(name) {
	case "Package":
		p.name = stanza.Line(value)
	case "Version":
		p.version = stanza.Line(value)
	case "Port-Version":
		p.port = stanza.Line(value)
	case "Feature":
		p.feature = stanza.Line(value)
	case "Architecture":
		p.triplet = stanza.Line(value)
	case "Status":
		p.status, p.state = stanza.Line(value), true
	case "Depends":
		p.depends = stanza.Line(value)
	case "Description":
		first, _, _ := bytes.Cut(value, []byte{'\n'})
		p.description = stanza.Line(bytes.TrimSpace(first))
	}
}

// readStatus reads a database or an update of it (vcpkg-tool, binaryparagraph.cpp and
// statusparagraph.cpp).
func readStatus(data []byte) ([]analyzer.Fact, error) {
	var facts []analyzer.Fact
	var p paragraph
	var odd error
	needs := 0
	err := stanza.Read(data, p.field, func(line int) {
		switch f, err := p.fact(); {
		case err != nil:
			odd = cmp.Or(odd, fmt.Errorf("line %d: %w", line, err))
		case len(facts) == maxPackages:
			odd = cmp.Or(odd, error(&fault.LimitError{What: "packages of a database", Where: p.name, Max: maxPackages, Seen: maxPackages + 1}))
		case needs+len(f.DependsOn) > maxNeeds:
			odd = cmp.Or(odd, error(&fault.LimitError{What: "dependencies of a database", Where: p.name, Max: maxNeeds, Seen: int64(needs + len(f.DependsOn))}))
		default:
			needs += len(f.DependsOn)
			facts = append(facts, f)
		}
		p = paragraph{}
	})
	return facts, cmp.Or(err, odd)
}

func (p *paragraph) fact() (analyzer.Fact, error) {
	switch {
	case p.name == "":
		return analyzer.Fact{}, fmt.Errorf("a paragraph has no Package: %w", fault.Invalid)
	case p.triplet == "":
		return analyzer.Fact{}, fmt.Errorf("package %.60s has no Architecture: %w", p.name, fault.Invalid)
	case !p.state:
		return analyzer.Fact{}, fmt.Errorf("package %.60s has no Status: %w", p.name, fault.Invalid)
	}
	f := analyzer.Fact{Kind: analyzer.KindPart, Key: p.name + ":" + p.triplet}
	if p.feature == "core" {
		p.feature = ""
	}
	if p.status != "install ok installed" {
		f.Scope = removed
		if p.feature != "" {
			f.Key = p.name + "[" + p.feature + "]:" + p.triplet
		}
		return f, nil
	}
	for need := range strings.SplitSeq(p.depends, ",") {
		if need = strings.TrimSpace(need); need != "" {
			f.DependsOn = append(f.DependsOn, target(need, p.triplet))
		}
	}
	slices.Sort(f.DependsOn)
	f.DependsOn = slices.Compact(f.DependsOn)
	if p.feature != "" {
		f.Scope, f.Package = feature, &sbom.Package{Name: p.feature}
		return f, nil
	}
	pack := named(p.name, p.version, p.port)
	pack.Description = p.description
	pack.Properties = append(pack.Properties, sbom.Property{Name: "vcpkg:triplet", Value: p.triplet})
	f.Kind, f.Scope, f.Package = analyzer.KindPackage, installed, &pack
	return f, nil
}

// target makes a key of a dependency: "name", "name[feature]" or "name:triplet", with a
// condition in parentheses in old databases.
func target(need, triplet string) string {
	need, _, _ = strings.Cut(need, "(")
	name, other, ok := strings.Cut(strings.TrimSpace(need), ":")
	if ok {
		triplet = strings.TrimSpace(other)
	}
	name, _, _ = strings.Cut(name, "[")
	return strings.TrimSpace(name) + ":" + triplet
}

// named returns a package with what tells it from others. A port version counts the changes
// of the recipe: 0 is none.
func named(name, version, port string) sbom.Package {
	p := sbom.Package{Name: name, Version: version, PURL: url(name, version, port)}
	if port != "" && port != "0" {
		p.Properties = []sbom.Property{{Name: "vcpkg:port-version", Value: port}}
	}
	return p
}

// url returns the package URL (purl-spec, types/vcpkg-definition.json).
func url(name, version, port string) purl.PackageURL {
	u := locked.URL("vcpkg", "", name, version)
	if u.IsZero() || port == "0" {
		return u
	}
	return u.With("port_version", port)
}

// listed takes apart the name of a list of files, "zlib_1.3.1_x64-linux.list": only the
// version may have an underscore.
func listed(base string) []analyzer.Fact {
	name, rest, _ := strings.Cut(strings.TrimSuffix(base, ".list"), "_")
	at := strings.LastIndexByte(rest, '_')
	if name == "" || at <= 0 {
		return nil
	}
	p := named(strings.ToValidUTF8(name, "\uFFFD"), strings.ToValidUTF8(rest[:at], "\uFFFD"), "")
	triplet := strings.ToValidUTF8(rest[at+1:], "\uFFFD")
	p.Properties = []sbom.Property{{Name: "vcpkg:triplet", Value: triplet}}
	return []analyzer.Fact{{Kind: analyzer.KindPart, Scope: byList, Key: p.Name + ":" + triplet, Package: &p}}
}
