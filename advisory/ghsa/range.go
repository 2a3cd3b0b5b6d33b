package ghsa

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/fault"
)

// ecosystem is one of the interfaces' ecosystems in the terms of OSV.
type ecosystem struct {
	name string
	typ  advisory.RangeType
}

// ecosystems are by the names of GraphQL, and of REST in upper case.
var ecosystems = map[string]ecosystem{
	"ACTIONS":  {"GitHub Actions", advisory.RangeEcosystem},
	"COMPOSER": {"Packagist", advisory.RangeEcosystem},
	"ERLANG":   {"Hex", advisory.RangeEcosystem},
	"GO":       {"Go", advisory.RangeSemver},
	"MAVEN":    {"Maven", advisory.RangeEcosystem},
	"NPM":      {"npm", advisory.RangeSemver},
	"NUGET":    {"NuGet", advisory.RangeEcosystem},
	"PIP":      {"PyPI", advisory.RangeEcosystem},
	"PUB":      {"Pub", advisory.RangeEcosystem},
	"RUBYGEMS": {"RubyGems", advisory.RangeEcosystem},
	"RUST":     {"crates.io", advisory.RangeSemver},
	"SWIFT":    {"SwiftURL", advisory.RangeSemver},
}

// events reads a range such as ">= 1.0, < 2.0" with the first version that has
// a fix, which may be empty. A fix ends the range rather than the last version
// that is known to be affected, as in the database's own records.
func events(text, fix string, eco ecosystem) ([]version.Event, error) {
	low, high := version.Event{Introduced: "0"}, version.Event{}
	seen, exact := false, false
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		n := 0
		for n < len(part) && strings.IndexByte("<>=", part[n]) >= 0 {
			n++
		}
		op, v := part[:n], strings.TrimSpace(part[n:])
		if v == "" || strings.ContainsAny(v, " <>=") {
			return nil, fmt.Errorf("the range %.200q cannot be read: %w", text, fault.Invalid)
		}
		seen = true
		switch op {
		case "=":
			low, high, exact = version.Event{Introduced: v}, version.Event{LastAffected: v}, true
		case ">=":
			low = version.Event{Introduced: v}
		case ">":
			low = version.Event{Introduced: after(v, eco)}
		case "<":
			high = version.Event{Fixed: v}
		case "<=":
			high = version.Event{LastAffected: v}
		default:
			return nil, fmt.Errorf("the range %.200q cannot be read: %w", text, fault.Invalid)
		}
	}
	if !seen {
		return nil, fmt.Errorf("there is no range: %w", fault.Invalid)
	}
	if fix != "" && high.Fixed == "" && !exact {
		high = version.Event{Fixed: fix}
	}
	if high == (version.Event{}) {
		return []version.Event{low}, nil
	}
	return []version.Event{low, high}, nil
}

// after returns the first version behind v: for Semantic Versioning the first
// prerelease of the next patch, or a longer prerelease; otherwise v with one
// more part, which the database's own conversion takes as well.
func after(v string, eco ecosystem) string {
	if eco.typ != advisory.RangeSemver {
		return v + ".1"
	}
	if strings.ContainsAny(v, "-+") {
		return v + ".0"
	}
	parts := strings.Split(v, ".")
	for len(parts) < 3 {
		parts = append(parts, "0")
	}
	n, err := strconv.ParseUint(parts[2], 10, 32)
	if err != nil || len(parts) > 3 {
		return v + ".0"
	}
	return fmt.Sprintf("%s.%s.%d-0", parts[0], parts[1], n+1)
}
