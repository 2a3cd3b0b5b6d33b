package advisory

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/advisory/cvss"
)

// maxStated bounds the values of one conflict; the last one then says how many
// more there are.
const maxStated = 64

// judge fills in conflicts and confidence.
func (s *Linkset) judge(members []inSet) {
	versions := comparePackages(members)
	spread := s.severities(members)
	s.contradictory(members)
	s.withdrawn(members)
	s.duplicates(members)
	for _, p := range versions.packages {
		if p.agreement != equivalent {
			s.conflict(ConflictRange, p.label(), p.stated)
		}
	}
	if len(members) > MaxMembers {
		s.conflict(ConflictSize, "members", []Stated{{s.Key, strconv.Itoa(len(members))}})
	}
	slices.SortFunc(s.Conflicts, func(a, b Conflict) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Field, b.Field))
	})
	s.Confidence = s.confidence(members, versions, spread)
}

func (s *Linkset) conflict(kind ConflictKind, field string, values []Stated) {
	s.Conflicts = append(s.Conflicts, newConflict(kind, field, values))
}

// newConflict puts the values in order, and keeps at most maxStated.
func newConflict(kind ConflictKind, field string, values []Stated) Conflict {
	slices.SortFunc(values, func(a, b Stated) int {
		return cmp.Or(strings.Compare(a.Record, b.Record), strings.Compare(a.Value, b.Value))
	})
	values = slices.Compact(values)
	if more := len(values) - maxStated; more > 0 {
		values = append(values[:maxStated:maxStated], Stated{"", fmt.Sprintf("and %d more", more)})
	}
	return Conflict{Kind: kind, Field: field, Values: values}
}

// severities compares base scores of equal versions of CVSS, and returns how far
// they are apart at most, in tenths; -1 where no two can be compared.
func (s *Linkset) severities(members []inSet) int {
	type scores struct {
		low, high cvss.Score
		stated    []Stated
	}
	byType := map[string]*scores{}
	for i := range members {
		if !members[i].speaks() {
			continue
		}
		r := members[i].record
		for typ, base := range baseScores(r) {
			t := byType[typ]
			if t == nil {
				t = &scores{low: base, high: base}
				byType[typ] = t
			}
			t.low, t.high = min(t.low, base), max(t.high, base)
			t.stated = append(t.stated, Stated{r.ID, base.String()})
		}
	}
	spread := -1
	for typ, t := range byType {
		if len(t.stated) < 2 {
			continue
		}
		apart := int(t.high - t.low)
		spread = max(spread, apart)
		if apart > 10 {
			s.conflict(ConflictSeverity, typ, t.stated)
		}
	}
	return spread
}

// baseScores returns a record's highest base score for each major version of
// CVSS, by the type of OSV.
func baseScores(r *Record) map[string]cvss.Score {
	out := map[string]cvss.Score{}
	add := func(text string) {
		v, err := cvss.Parse(text)
		if err != nil {
			return
		}
		typ := "CVSS_V" + v.Version()[:1]
		if base, known := out[typ]; !known || v.Base() > base {
			out[typ] = v.Base()
		}
	}
	for _, score := range r.Scores {
		add(score.Value)
	}
	for i := range r.Affected {
		for _, score := range r.Affected[i].Scores {
			add(score.Value)
		}
	}
	return out
}

// contradictory looks for members whose aliases, or chains of aliases, lead to several
// CVE ids.
func (s *Linkset) contradictory(members []inSet) {
	for i := range members {
		if c := members[i].severalCVEs(); c != nil {
			s.Conflicts = append(s.Conflicts, *c)
		}
	}
}

// severalCVEs returns the conflict of a record whose aliases lead to several
// CVE ids, or nil. Records that pass on several vulnerabilities do not
// contradict themselves. It is made once for all linksets.
func (n *node) severalCVEs() *Conflict {
	if n.judged {
		return n.several
	}
	n.judged = true
	var values []string
	switch {
	case n.lost:
		values = []string{fmt.Sprintf("more than %d CVE ids", MaxReach)}
	case len(n.cves) > 0:
		values = distinct(slices.DeleteFunc(slices.Clone(n.record.Aliases), func(id string) bool { return !isCVE(id) }))
	case n.leads:
		for _, p := range n.places {
			values = append(values, p.key)
		}
	}
	if len(values) < 2 && !n.lost {
		return nil
	}
	stated := make([]Stated, len(values))
	for i, v := range values {
		stated[i] = Stated{n.record.ID, v}
	}
	c := newConflict(ConflictAlias, n.record.ID, stated)
	n.several = &c
	return n.several
}

// withdrawn looks whether some took it back, and others did not.
func (s *Linkset) withdrawn(members []inSet) {
	var stated []Stated
	gone := 0
	for i := range members {
		r := members[i].record
		if r.Withdrawn != "" {
			gone++
		}
		stated = append(stated, Stated{r.ID, cmp.Or(r.Withdrawn, "current")})
	}
	if gone > 0 && gone < len(members) {
		s.conflict(ConflictWithdrawn, "withdrawn", stated)
	}
}

// duplicates looks for texts that differ under one id.
func (s *Linkset) duplicates(members []inSet) {
	byID := map[string][]*Record{}
	for i := range members {
		r := members[i].record
		byID[r.ID] = append(byID[r.ID], r)
	}
	for id, list := range byID {
		if !slices.ContainsFunc(list, func(r *Record) bool { return r.Digest != list[0].Digest }) {
			continue
		}
		var stated []Stated
		for _, r := range list {
			stated = append(stated, Stated{r.ID, strings.TrimSpace(r.Source + " " + r.Digest)})
		}
		s.conflict(ConflictDuplicate, id, stated)
	}
}
