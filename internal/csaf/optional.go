package csaf

import (
	"slices"
	"strings"
)

// optional performs the tests of section 6.2.
func (v *validator) optional() {
	v.unused()
	for i := range v.doc.Vulnerabilities {
		u := &v.doc.Vulnerabilities[i]
		v.unanswered(i, u)
		v.fixedScores(i, u)
		for j, x := range u.Involvements {
			if x.Date == "" {
				v.fail("6.2.7", at("vulnerabilities", i, "involvements", j), "it has no date")
			}
		}
		for j, x := range u.IDs {
			if cveOK.OK(x.Text) {
				v.fail("6.2.17", at("vulnerabilities", i, "ids", j), "%.32s belongs in cve", x.Text)
			}
		}
	}
	v.optionalHistory()
	v.weakHashes()
	v.optionalHead()
	v.optionalTree()
	for _, p := range v.doc.structure.Unsorted {
		v.fail("6.2.13", p, "it stands after a later name")
	}
	for _, p := range v.doc.structure.Unknown {
		v.fail("6.2.20", p, "the schema does not know it")
	}
}

// unused performs 6.2.1.
func (v *validator) unused() {
	if v.doc.Head.Category == CategoryInformational {
		return
	}
	used := map[string]bool{}
	v.eachProductReference(func(_, id string) { used[id] = true })
	v.tree.each(func(d definition) bool {
		if !used[d.name.ProductID] {
			v.fail("6.2.1", d.pointer()+"/product_id", "product %.200q is not referred to", d.name.ProductID)
		}
		return true
	})
}

// unanswered performs 6.2.2 and 6.2.3: products that are or may be affected
// have remediations, and affected ones scores.
func (v *validator) unanswered(i int, u *Vulnerability) {
	remedied, scored := newCover(), newCover()
	for _, r := range u.Remediations {
		v.add(remedied, r.ProductIDs, r.GroupIDs)
	}
	for _, s := range u.Scores {
		v.add(scored, s.Products, nil)
	}
	for _, l := range u.ProductStatus.Lists() {
		for j, id := range l.IDs {
			if (l.Group == Affected || l.Group == UnderInvestigation) && !remedied.ids[id] {
				v.fail("6.2.2", at("vulnerabilities", i, "product_status", l.Name, j), "product %.200q has no remediation", id)
			}
			if l.Group == Affected && !scored.ids[id] {
				v.fail("6.2.3", at("vulnerabilities", i, "product_status", l.Name, j), "product %.200q has no score", id)
			}
		}
	}
}

// fixedScores performs 6.2.19: where a fixed product has a score, the
// environmental one is zero.
func (v *validator) fixedScores(i int, u *Vulnerability) {
	fixed := newCover()
	for _, l := range u.ProductStatus.Lists() {
		if l.Group == Fixed {
			v.add(fixed, l.IDs, nil)
		}
	}
	for j := range u.Scores {
		s := &u.Scores[j]
		if !slices.ContainsFunc(s.Products, func(id string) bool { return fixed.ids[id] }) {
			continue
		}
		for _, c := range s.objects() {
			if !v.withoutImpact(c) {
				v.fail("6.2.19", at("vulnerabilities", i, "scores", j, c.name), "a product is fixed, but its environmental score is not 0")
			}
		}
	}
}

// withoutImpact reports whether the environmental score is, or by the metrics
// must be, zero.
func (v *validator) withoutImpact(c named) bool {
	if c.EnvironmentalScore != "" {
		n, ok := c.EnvironmentalScore.Tenths()
		return ok && n == 0
	}
	s, ok := schemes[c.Version]
	if !ok {
		return false
	}
	metrics, _ := readVector(c.Vector, s.prefix, s.properties)
	all := s.complete(c.CVSS, metrics)
	if c.Version == "2.0" {
		return all["TD"] == "N"
	}
	return all["MC"] == "N" && all["MI"] == "N" && all["MA"] == "N"
}

// optionalHistory performs 6.2.4 to 6.2.6.
func (v *validator) optionalHistory() {
	tracking := &v.doc.Head.Tracking
	for i, r := range tracking.RevisionHistory {
		if n, ok := parseVersion(r.Number); ok && n.build != "" {
			v.fail("6.2.4", historyAt+at(i, "number"), "version %.32q has build metadata", r.Number)
		}
	}
	history, ok := v.revisions()
	if !ok {
		return
	}
	if t, ok := Time(tracking.InitialReleaseDate); ok && t.Before(history[0].date) {
		v.fail("6.2.5", "/document/tracking/initial_release_date", "it is before the oldest revision")
	}
	if t, ok := Time(tracking.CurrentReleaseDate); ok && t.Before(history[len(history)-1].date) {
		v.fail("6.2.6", "/document/tracking/current_release_date", "it is before the newest revision")
	}
}

// weakHashes performs 6.2.8 and 6.2.9.
func (v *validator) weakHashes() {
	v.eachHashes(func(pointer string, h FileHashes) {
		for _, weak := range []struct{ test, algorithm string }{{"6.2.8", "md5"}, {"6.2.9", "sha1"}} {
			other := func(f FileHash) bool { return !strings.EqualFold(f.Algorithm, weak.algorithm) }
			if len(h.FileHashes) > 0 && !slices.ContainsFunc(h.FileHashes, other) {
				v.fail(weak.test, pointer+"/file_hashes", "%s is the only digest", weak.algorithm)
			}
		}
	})
}
