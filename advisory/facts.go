package advisory

import (
	"cmp"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory/version"
)

// FactsOf says for which packages a record says something else than before. old
// or now may be nil: the record came, or is gone. A record that was taken back
// says nothing. The facts are sorted; a record about several CVE ids has one for
// each.
func FactsOf(old, now *Record) []Fact {
	if old != nil && old.Withdrawn != "" {
		old = nil
	}
	if now != nil && now.Withdrawn != "" {
		now = nil
	}
	about := cmp.Or(now, old)
	if about == nil {
		return nil
	}
	before, after := entriesOf(old), entriesOf(now)
	whole := old != nil && now != nil && !sameRecord(old, now)
	var out []Fact
	for p := range before {
		if _, stays := after[p]; !stays {
			out = appendFacts(out, about, p, CauseWithdrawn)
		}
	}
	for p, entries := range after {
		was, known := before[p]
		switch {
		case !known:
			out = appendFacts(out, about, p, CauseNew)
		case !hasFix(was) && hasFix(entries):
			out = appendFacts(out, about, p, CauseFixAvailable)
		case whole || !sameEntries(was, entries):
			out = appendFacts(out, about, p, CauseChanged)
		}
	}
	SortFacts(out)
	return out
}

// Linked reports whether what a record says of its vulnerability is another than
// before, so that findings by other records that name it may be: under which CVE
// id, how bad, or whether it is there at all.
func Linked(old, now *Record) bool {
	return old == nil || now == nil || !sameRecord(old, now) || (old.Withdrawn == "") != (now.Withdrawn == "")
}

// Hangs returns the ids, CVE ids excepted, by which a record hangs together with
// others. follows reports whether it may be about what those lead to, since it names
// no CVE id itself: a change of any record that they lead to may then concern it.
func (r *Record) Hangs() (ids []string, follows bool) { return r.links(), len(r.cves(false)) == 0 }

// SortFacts puts facts into their order: by ecosystem, name, vulnerability,
// record and cause.
func SortFacts(list []Fact) {
	slices.SortFunc(list, func(a, b Fact) int {
		return cmp.Or(strings.Compare(a.Ecosystem, b.Ecosystem), strings.Compare(a.Name, b.Name), strings.Compare(a.Vulnerability, b.Vulnerability),
			strings.Compare(a.Record, b.Record), cmp.Compare(a.Cause, b.Cause))
	})
}

// pack names a package.
type pack struct{ ecosystem, name string }

// entriesOf groups what a record affects, whose order within a package matters
// not.
func entriesOf(r *Record) map[pack][]Affected {
	out := map[pack][]Affected{}
	if r == nil {
		return out
	}
	for _, a := range r.Affected {
		if a.Name == "" {
			continue
		}
		p := pack{a.Ecosystem, CanonicalName(a.Ecosystem, a.Name)}
		out[p] = append(out[p], a)
	}
	return out
}

func appendFacts(out []Fact, r *Record, p pack, cause Cause) []Fact {
	ids := r.cves(true)
	if len(ids) == 0 {
		ids = []string{r.ID}
	}
	for _, id := range ids {
		out = append(out, Fact{Ecosystem: p.ecosystem, Name: p.name, Record: r.ID, Vulnerability: id, Cause: cause})
	}
	return out
}

// sameRecord reports whether what a record says of all its packages is the same
// for a finding: texts and times are not.
func sameRecord(a, b *Record) bool {
	return slices.Equal(a.Aliases, b.Aliases) && slices.Equal(a.Upstream, b.Upstream) && slices.Equal(a.Related, b.Related) && slices.Equal(a.Scores, b.Scores) && a.Rating == b.Rating
}

func sameEntries(a, b []Affected) bool {
	return slices.EqualFunc(a, b, func(x, y Affected) bool {
		return x.Versions == y.Versions && x.Status == y.Status && x.Stream == y.Stream && x.Rating == y.Rating && slices.Equal(x.Scores, y.Scores) &&
			slices.EqualFunc(x.Ranges, y.Ranges, func(r, s Range) bool { return r.Type == s.Type && r.Repo == s.Repo && slices.Equal(r.Events, s.Events) })
	})
}

func hasFix(entries []Affected) bool {
	return slices.ContainsFunc(entries, func(a Affected) bool {
		return slices.ContainsFunc(a.Ranges, func(r Range) bool {
			return r.Type != RangeGit && slices.ContainsFunc(r.Events, func(e version.Event) bool { return e.Fixed != "" })
		})
	})
}
