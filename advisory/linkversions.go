package advisory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory/version"
)

// The limits of comparing what records say about one package. Above them only
// that part is compared.
const (
	maxComparedMembers = 64
	maxComparedBounds  = 512
)

// agreement says how the versions relate that records state about one package.
type agreement uint8

const (
	equivalent  agreement = iota // the same
	overlapping                  // there are common ones
	disjoint
)

// packageKey is a package as records about it are compared.
type packageKey struct{ ecosystem, name, stream string }

// comparedPackage is a package that several members name.
type comparedPackage struct {
	packageKey
	agreement agreement
	stated    []Stated
}

func (p *comparedPackage) label() string {
	label := p.ecosystem + "/" + p.name
	if p.stream != "" {
		label += " (" + p.stream + ")"
	}
	return label
}

// comparedPackages is what members say about packages.
type comparedPackages struct {
	packages       []comparedPackage // those whose versions could be compared
	naming, shared int               // members that name packages, and that name one that another one names
}

// statement is what one record says about one package.
type statement struct {
	record  *Record
	entries []*Affected
}

// comparePackages compares what members say about versions. Packages are told
// apart by ecosystem, release and stream; for sharing one, the ecosystem's
// release does not matter.
func comparePackages(members []inSet) comparedPackages {
	var out comparedPackages
	byPackage := map[packageKey][]statement{}
	naming := map[packageKey]int{} // members by package, whatever the release
	var named []map[packageKey]bool
	for i := range members {
		if !members[i].speaks() {
			continue
		}
		r := members[i].record
		mine := map[packageKey]bool{}
		for j := range r.Affected {
			a := &r.Affected[j]
			if a.Name == "" {
				continue
			}
			key := packageKey{a.Ecosystem, CanonicalName(a.Ecosystem, a.Name), a.Stream}
			list := byPackage[key]
			if len(list) == 0 || list[len(list)-1].record != r {
				list = append(list, statement{record: r})
			}
			list[len(list)-1].entries = append(list[len(list)-1].entries, a)
			byPackage[key] = list
			base, _, _ := strings.Cut(a.Ecosystem, ":")
			mine[packageKey{ecosystem: base, name: key.name}] = true
		}
		for key := range mine {
			naming[key]++
		}
		if len(mine) > 0 {
			named = append(named, mine)
		}
	}
	out.naming = len(named)
	for _, mine := range named {
		for key := range mine {
			if naming[key] > 1 {
				out.shared++
				break
			}
		}
	}
	keys := slices.SortedFunc(maps.Keys(byPackage), func(a, b packageKey) int {
		return cmp.Or(strings.Compare(a.ecosystem, b.ecosystem), strings.Compare(a.name, b.name), strings.Compare(a.stream, b.stream))
	})
	for _, key := range keys {
		if p, ok := compareVersions(key, byPackage[key]); ok {
			out.packages = append(out.packages, p)
		}
	}
	return out
}

// compareVersions compares what records say about one package: at each version
// that one of them names, and before all versions, who has it. It reports false
// where fewer than two can be compared.
func compareVersions(key packageKey, list []statement) (p comparedPackage, ok bool) {
	scheme, err := version.For(key.ecosystem)
	if err != nil || len(list) < 2 {
		return p, false
	}
	list = list[:min(len(list), maxComparedMembers)]
	var sets []version.Range
	var bounds []string
	fromStart := []bool{}
	p.packageKey = key
	for _, s := range list {
		set, starts, versions, readable := s.versions(scheme)
		if !readable {
			continue
		}
		sets, fromStart, bounds = append(sets, set), append(fromStart, starts), append(bounds, versions...)
		p.stated = append(p.stated, Stated{s.record.ID, s.text()})
	}
	if len(sets) < 2 {
		return p, false
	}
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	rows := [][]bool{fromStart}
	for _, b := range bounds[:min(len(bounds), maxComparedBounds)] {
		v, err := scheme.Parse(b)
		if err != nil {
			continue
		}
		row := make([]bool, len(sets))
		for i := range sets {
			row[i] = sets[i].ContainsVersion(v).State == version.Yes
		}
		rows = append(rows, row)
	}
	p.agreement = agree(rows)
	return p, true
}

// agree judges rows of who has a version.
func agree(rows [][]bool) agreement {
	same, common := true, false
	for _, row := range rows {
		all := !slices.Contains(row, false)
		common = common || all
		same = same && (all || !slices.Contains(row, true))
	}
	switch {
	case same:
		return equivalent
	case common:
		return overlapping
	}
	return disjoint
}

// versions returns the versions that a statement is about, whether those before
// all others are among them, and the versions that it names. It reports false
// where they cannot be told.
func (s *statement) versions(scheme version.Scheme) (set version.Range, fromStart bool, bounds []string, readable bool) {
	var sets []version.Range
	for _, a := range s.entries {
		known := a.Versions != "" || a.Status == NotAffected
		for i := range a.Ranges {
			if a.Ranges[i].Type == RangeGit {
				continue
			}
			part, err := version.NewRange(scheme, a.Ranges[i].Events)
			if err != nil {
				return set, false, nil, false
			}
			known = true
			sets = append(sets, part)
			for _, e := range a.Ranges[i].Events {
				if v := cmp.Or(e.Introduced, e.Fixed, e.LastAffected, e.Limit); v == "0" && e.Introduced != "" {
					fromStart = true
				} else if v != "*" {
					if _, err := scheme.Parse(v); err != nil {
						return set, false, nil, false
					}
					bounds = append(bounds, v)
				}
			}
		}
		if !known {
			return set, false, nil, false
		}
		if a.Versions != "" && !hasRange(a) {
			list := slices.Collect(a.Versions.All())
			list = list[:min(len(list), maxComparedBounds)]
			sets, bounds = append(sets, version.Enumerated(scheme, list)), append(bounds, list...)
		}
	}
	set, err := version.Union(sets...)
	return set, fromStart, bounds, err == nil
}

// hasRange reports whether an entry has a range of versions.
func hasRange(a *Affected) bool {
	return slices.ContainsFunc(a.Ranges, func(r Range) bool { return r.Type != RangeGit })
}

// text writes what a statement says, for people.
func (s *statement) text() string {
	var parts []string
	for _, a := range s.entries {
		if a.Status != "" {
			parts = append(parts, string(a.Status))
		}
		for i := range a.Ranges {
			if a.Ranges[i].Type != RangeGit {
				parts = append(parts, rangeText(a.Ranges[i].Events))
			}
		}
		if a.Versions != "" && !hasRange(a) {
			n := 0
			for range a.Versions.All() {
				n++
			}
			parts = append(parts, fmt.Sprintf("%d enumerated versions", n))
		}
	}
	return strings.Join(distinct(parts), " || ")
}

// rangeText writes events for people, as they are: ">= 1.0, < 1.2".
func rangeText(events []version.Event) string {
	var parts []string
	for _, e := range events {
		switch {
		case e.Introduced != "":
			parts = append(parts, ">= "+e.Introduced)
		case e.Fixed != "":
			parts = append(parts, "< "+e.Fixed)
		case e.LastAffected != "":
			parts = append(parts, "<= "+e.LastAffected)
		case e.Limit != "":
			parts = append(parts, "< "+e.Limit+" (limit)")
		}
	}
	return strings.Join(parts, ", ")
}
