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
	keys   []string // of the linksets that the record is in; see [Link]
	places []place  // the same with paths, for a record that names no CVE id
}

// group is the hits that are one finding.
type group struct {
	key  string   // of their linkset; empty for a record that is in several
	hits []*hit   // never empty
	also []string // ids of records that name this vulnerability among several
}

// groupHits puts hits together that are about the same vulnerability; see the
// package comment.
func groupHits(hits []hit) []*group {
	byKey := map[string]*group{}
	var groups []*group
	for i := range hits {
		if len(hits[i].keys) > 1 {
			continue
		}
		key := hits[i].keys[0]
		g := byKey[key]
		if g == nil {
			g = &group{key: key}
			byKey[key] = g
			groups = append(groups, g)
		}
		g.hits = append(g.hits, &hits[i])
	}
	for i := range hits {
		if len(hits[i].keys) < 2 {
			continue
		}
		whole := true
		for _, key := range hits[i].keys {
			if g := byKey[key]; g != nil {
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

// appendFindings adds a finding for each vulnerability of a package.
func (r *run) appendFindings(p *sbom.Package, s *scope) error {
	for i := range r.hits {
		if err := r.locate(&r.hits[i], p, s.isSystem); err != nil {
			return err
		}
	}
	purl := p.PURL.String()
	for _, g := range groupHits(r.hits) {
		f := g.finding(s)
		f.Package, f.Name, f.Version, f.PURL = p.ID, p.Name, p.Version, purl
		if err := r.enrich(&f); err != nil {
			return err
		}
		r.report.Findings = append(r.report.Findings, f)
	}
	return nil
}

// locate says which linksets a hit is in.
func (r *run) locate(h *hit, p *sbom.Package, isSystem bool) (err error) {
	if h.keys = h.record.cves(isSystem); len(h.keys) > 0 {
		return nil
	}
	if h.places, err = r.follow(h.record, h.entry.Record, p); err != nil {
		return err
	}
	for _, at := range h.places {
		h.keys = append(h.keys, at.key)
	}
	return nil
}

// path returns the chain of ids from a hit's record to a CVE id that the record
// does not name itself, or nil.
func (h *hit) path(key string) []string {
	for _, at := range h.places {
		if at.key == key && isCVE(key) && len(at.path) > 2 {
			return at.path
		}
	}
	return nil
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
	vulnerability := best.record.ID
	if isCVE(g.key) {
		vulnerability = g.key
	}
	f := finding.Finding{
		Vulnerability: vulnerability, Advisory: best.record.ID, Aliases: g.aliases(s.isSystem),
		Evidence: finding.Evidence{
			Ecosystem: best.entry.Ecosystem, Name: best.query.name, Version: best.query.version, Range: best.span, Record: best.record.Digest,
			Path: best.path(g.key),
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
		f.Summary, f.URL, f.Published = cmp.Or(f.Summary, h.record.Summary), cmp.Or(f.URL, h.record.URL), cmp.Or(f.Published, published(h.record))
	}
	if len(f.Fixed) == 0 {
		f.FixStatus = string(best.entry.Status)
	}
	return f
}

// published is when a record was published, "" where it does not say. Some databases
// write the zero time of Go for that.
func published(r *Record) string {
	if strings.HasPrefix(r.Published, "0001-") {
		return ""
	}
	return r.Published
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

// aliases returns every other name of the finding's vulnerability. A CVE id has
// no other CVE id for a name, whatever records say.
func (g *group) aliases(isSystem bool) []string {
	names := slices.Clone(g.also)
	for _, h := range g.hits {
		r := h.record
		names = append(append(append(names, r.ID), r.Aliases...), r.Upstream...)
		names = append(names, r.cves(isSystem)...)
		for _, at := range h.places {
			names = append(names, at.path...)
		}
	}
	slices.Sort(names)
	best := g.hits[0].record.ID
	return slices.DeleteFunc(slices.Compact(names), func(id string) bool {
		return id == best || id == pathCut || isCVE(g.key) && isCVE(id) && id != g.key
	})
}
