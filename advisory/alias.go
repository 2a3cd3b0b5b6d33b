package advisory

import (
	"cmp"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan/sbom"
)

// hit is a record that affects the package at hand.
type hit struct {
	record *Record
	entry  Entry // the first that contains the version
	query  query
	span   string
	fixed  []string // of all its entries
}

// group is the hits that are one finding.
type group struct {
	vulnerability string // the CVE id; empty where there is not exactly one
	hits          []*hit
	also          []string // ids of records that name this vulnerability among several
}

// groupHits puts hits together that are about the same vulnerability; see the
// package comment.
func groupHits(hits []hit, isSystem bool) []*group {
	l := &linker{isSystem: isSystem, byID: map[string][]int{}, reach: make([][]string, len(hits)), leader: make([]int, len(hits)), hits: hits}
	l.link()
	byKey := map[string]*group{}
	var groups []*group
	put := func(key, vulnerability string, h *hit) {
		g := byKey[key]
		if g == nil {
			g = &group{vulnerability: vulnerability}
			byKey[key] = g
			groups = append(groups, g)
		}
		g.hits = append(g.hits, h)
	}
	for i := range hits {
		switch cves := l.reach[i]; len(cves) {
		case 0:
			put("\x00"+hits[l.leader[i]].record.ID, "", &hits[i])
		case 1:
			put(cves[0], cves[0], &hits[i])
		}
	}
	for i := range hits {
		if len(l.reach[i]) < 2 {
			continue
		}
		whole := true
		for _, cve := range l.reach[i] {
			if g := byKey[cve]; g != nil {
				g.also = append(g.also, hits[i].record.ID)
			} else {
				whole = false
			}
		}
		if !whole {
			groups = append(groups, &group{hits: []*hit{&hits[i]}})
		}
	}
	return groups
}

// linker finds the CVE ids that each hit is about: those of its record, or, for
// a record without one, those of the records that share an id with it, and so
// on through records without one.
type linker struct {
	hits     []hit
	isSystem bool
	byID     map[string][]int // hits by every id that they name, CVE ids excepted
	reach    [][]string       // CVE ids of each hit
	leader   []int            // for hits without: the first hit of those that hang together
}

func (l *linker) link() {
	for i := range l.hits {
		l.reach[i] = l.hits[i].record.cves(l.isSystem)
		l.leader[i] = -1
		for _, id := range l.names(i) {
			l.byID[id] = append(l.byID[id], i)
		}
	}
	for i := range l.hits {
		if len(l.reach[i]) == 0 && l.leader[i] < 0 {
			l.spread(i)
		}
	}
}

// names returns the ids, CVE ids excepted, by which hit i hangs together with
// others.
func (l *linker) names(i int) []string {
	r := l.hits[i].record
	names := []string{r.ID}
	names = append(append(names, r.Aliases...), r.Upstream...)
	return slices.DeleteFunc(names, isCVE)
}

// spread visits the hits without a CVE id that hang together with hit first.
func (l *linker) spread(first int) {
	members, cves := []int{first}, []string(nil)
	l.leader[first] = first
	for at := 0; at < len(members); at++ {
		for _, id := range l.names(members[at]) {
			for _, other := range l.byID[id] {
				switch {
				case l.leader[other] >= 0:
				case len(l.reach[other]) > 0:
					cves = append(cves, l.reach[other]...)
				default:
					l.leader[other] = first
					members = append(members, other)
				}
			}
			delete(l.byID, id) // whoever names it has been seen
		}
	}
	slices.Sort(cves)
	cves = slices.Compact(cves)
	for _, m := range members {
		l.reach[m] = cves
	}
}

// appendFindings adds a finding for each vulnerability of a package.
func appendFindings(list []finding.Finding, p *sbom.Package, s *scope, hits []hit) []finding.Finding {
	purl := p.PURL.String()
	for _, g := range groupHits(hits, s.isSystem) {
		f := g.finding(s)
		f.Package, f.Name, f.Version, f.PURL = p.ID, p.Name, p.Version, purl
		list = append(list, f)
	}
	return list
}

// finding makes the finding of a group, but for the package.
func (g *group) finding(s *scope) finding.Finding {
	slices.SortFunc(g.hits, func(a, b *hit) int {
		return cmp.Or(
			cmp.Compare(precedence(a.record, a.entry.Ecosystem, s.isSystem), precedence(b.record, b.entry.Ecosystem, s.isSystem)),
			falseFirst(a.span == spanVersions, b.span == spanVersions),
			falseFirst(len(a.fixed) == 0, len(b.fixed) == 0),
			strings.Compare(a.record.ID, b.record.ID),
		)
	})
	best := g.hits[0]
	f := finding.Finding{
		Vulnerability: cmp.Or(g.vulnerability, best.record.ID), Advisory: best.record.ID, Aliases: g.aliases(s.isSystem),
		Evidence: finding.Evidence{
			Ecosystem: best.entry.Ecosystem, Name: best.query.name, Version: best.query.version, Range: best.span, Record: best.record.Digest,
		},
	}
	for _, h := range g.hits {
		if f.Severity == finding.Unknown {
			f.Severity, f.SeverityFrom = severity(h, s.isSystem)
		}
		f.Scores = appendScores(f.Scores, h)
		if len(f.Fixed) == 0 {
			f.Fixed = sortVersions(s.scheme, h.fixed)
		}
		f.Summary, f.URL = cmp.Or(f.Summary, h.record.Summary), cmp.Or(f.URL, h.record.URL)
	}
	if len(f.Fixed) == 0 {
		f.FixStatus = string(best.entry.Status)
	}
	return f
}

func falseFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// aliases returns every other name of the finding's vulnerability.
func (g *group) aliases(isSystem bool) []string {
	names := slices.Clone(g.also)
	for _, h := range g.hits {
		r := h.record
		names = append(append(append(names, r.ID), r.Aliases...), r.Upstream...)
		names = append(names, r.cves(isSystem)...)
	}
	if g.vulnerability != "" {
		names = append(names, g.vulnerability)
	}
	slices.Sort(names)
	best := g.hits[0].record.ID
	return slices.DeleteFunc(slices.Compact(names), func(id string) bool { return id == best })
}
