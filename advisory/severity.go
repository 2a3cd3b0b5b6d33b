package advisory

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory/cvss"
	"github.com/stella-ops/stella/advisory/finding"
)

// severity derives how bad a hit is from what its record states, and says from
// which statement. The first that says something counts:
//
//  1. for a package of an operating system, the distribution's own decision that
//     it does not matter, or its word: Ubuntu's priority, Debian's urgency;
//  2. CVSS vectors for the package, then for the record; of several the newest
//     version, of one version the highest base score;
//  3. the database's word for the package, then for the record;
//  4. the word that begins the summary of an erratum ("Important: …").
//
// A statement that cannot be read says nothing; with none, it stays unknown.
func severity(h *hit, isSystem bool) (finding.Severity, string) {
	r := h.record
	if isSystem {
		if h.entry.Status == Unimportant {
			return finding.None, "status " + string(Unimportant) + " (" + r.ID + ")"
		}
		for _, scores := range [][]finding.Score{h.entry.Scores, r.Scores} {
			for _, s := range scores {
				if sev, ok := finding.ParseSeverity(s.Value); ok && !strings.HasPrefix(s.Type, "CVSS") {
					return sev, s.Type + " " + s.Value + " (" + r.ID + ")"
				}
			}
		}
		if sev, from, ok := word(h.entry.Rating, r); ok {
			return sev, from
		}
	}
	for _, scores := range [][]finding.Score{h.entry.Scores, r.Scores} {
		if v, s := highest(scores); v.Version() != "" {
			return v.Severity(), s.Type + " " + v.Base().String() + " (" + r.ID + ")"
		}
	}
	for _, rating := range []string{h.entry.Rating, r.Rating} {
		if sev, from, ok := word(rating, r); ok {
			return sev, from
		}
	}
	if first, _, ok := strings.Cut(r.Summary, ":"); ok && isSystem {
		if sev, from, ok := word(first, r); ok {
			return sev, from
		}
	}
	return finding.Unknown, ""
}

// word reads a rating. Debian marks some with asterisks.
func word(rating string, r *Record) (sev finding.Severity, from string, ok bool) {
	sev, ok = finding.ParseSeverity(strings.TrimRight(rating, "*"))
	return sev, "rating " + rating + " (" + r.ID + ")", ok
}

// highest returns the vector of the newest version and highest base score.
func highest(scores []finding.Score) (best cvss.Vector, from finding.Score) {
	for _, s := range scores {
		v, err := cvss.Parse(s.Value)
		if err != nil {
			continue
		}
		if v.Version() > best.Version() || v.Version() == best.Version() && v.Base() > best.Base() {
			best, from = v, s
		}
	}
	return best, from
}

// appendScores adds what a hit's record states about severity. A statement whose
// record does not name a source is the record's own.
func appendScores(list []finding.Score, h *hit) []finding.Score {
	for _, scores := range [][]finding.Score{h.entry.Scores, h.record.Scores} {
		for _, s := range scores {
			if s.Source == "" {
				s.Source = h.record.ID
			}
			if !slices.Contains(list, s) {
				list = append(list, s)
			}
		}
	}
	return list
}
