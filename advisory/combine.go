package advisory

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"slices"
	"strings"
)

// Combine makes one record of what several documents of one source state under
// one id, each about its own release or repository: Alpine's databases, OVAL of
// each release, updateinfo.xml of each repository. The order of parts does not
// matter, and parts with one digest count once. It panics without parts.
//
// Texts, times, the rating and the digest's own part come from the newest, of
// those the one with the greatest digest; ids, scores, weaknesses and references
// are those of all. The record is withdrawn if all parts are; packages of
// withdrawn parts are otherwise left out. Of packages that several parts name in
// one ecosystem and stream, ranges and versions are those of all, the status one
// that some part states; one that some part says is affected is affected. A
// combined record's digest is of the parts' digests. Parts are not changed.
func Combine(parts ...*Record) *Record {
	list := slices.Clone(parts)
	slices.SortFunc(list, func(a, b *Record) int {
		if c := strings.Compare(b.Modified, a.Modified); c != 0 {
			return c
		}
		return strings.Compare(b.Digest, a.Digest)
	})
	list = slices.CompactFunc(list, func(a, b *Record) bool { return a.Digest == b.Digest && a.Modified == b.Modified })
	if len(list) == 1 {
		return list[0]
	}
	alive := slices.DeleteFunc(slices.Clone(list), func(r *Record) bool { return r.Withdrawn != "" })
	if len(alive) == 0 {
		alive = list
	}
	out := *alive[0]
	out.Aliases, out.Upstream, out.Related, out.CWEs = nil, nil, nil, nil
	out.Scores, out.References, out.Affected = nil, nil, nil
	at := map[[3]string]int{}
	for _, r := range alive {
		out.Aliases, out.Upstream, out.Related = union(out.Aliases, r.Aliases), union(out.Upstream, r.Upstream), union(out.Related, r.Related)
		out.CWEs, out.References = union(out.CWEs, r.CWEs), union(out.References, r.References)
		out.Scores = union(out.Scores, r.Scores)
		for i := range r.Affected {
			combineAffected(&out, at, &r.Affected[i])
		}
	}
	slices.SortStableFunc(out.Affected, func(a, b Affected) int {
		return slices.Compare([]string{a.Ecosystem, a.Name, a.Stream}, []string{b.Ecosystem, b.Name, b.Stream})
	})
	h := sha256.New()
	digests := make([]string, len(list))
	for i, r := range list {
		digests[i] = r.Digest
	}
	slices.Sort(digests)
	for _, d := range digests {
		h.Write([]byte(d + "\n"))
	}
	out.Digest = "sha256:" + hex.EncodeToString(h.Sum(nil))
	return &out
}

// union appends what list has not.
func union[T comparable](list, more []T) []T {
	if len(list) == 0 && len(more) == 0 {
		return list
	}
	known := make(map[T]bool, len(list)+len(more))
	for _, v := range list {
		known[v] = true
	}
	for _, v := range more {
		if !known[v] {
			known[v] = true
			list = append(list, v)
		}
	}
	return list
}

// combineAffected adds a package of one part.
func combineAffected(out *Record, at map[[3]string]int, a *Affected) {
	key := [3]string{a.Ecosystem, a.Name, a.Stream}
	i, known := at[key]
	if !known || a.Name == "" {
		if a.Name != "" {
			at[key] = len(out.Affected)
		}
		out.Affected = append(out.Affected, *a)
		return
	}
	have := &out.Affected[i]
	switch {
	case a.Status == NotAffected:
		return // unless nobody says otherwise
	case have.Status == NotAffected:
		*have = *a
		return
	}
	have.Status = combineStatus(have.Status, a.Status)
	have.Scores = union(have.Scores[:len(have.Scores):len(have.Scores)], a.Scores)
	if have.Rating == "" {
		have.Rating = a.Rating
	}
	for j := range a.Ranges {
		same := func(r Range) bool {
			return r.Type == a.Ranges[j].Type && r.Repo == a.Ranges[j].Repo && slices.Equal(r.Events, a.Ranges[j].Events)
		}
		if !slices.ContainsFunc(have.Ranges, same) {
			have.Ranges = append(have.Ranges[:len(have.Ranges):len(have.Ranges)], a.Ranges[j])
		}
	}
	if have.Versions != a.Versions {
		have.Versions = NewVersionList(union(slices.Collect(have.Versions.All()), slices.Collect(a.Versions.All()))...)
	}
}

// combineStatus takes the status that is stated; of two the one that promises
// less.
func combineStatus(a, b Status) Status {
	order := []Status{"", UnderInvestigation, FixDeferred, Unimportant, WillNotFix, EndOfLife}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}

// Combined yields records with those that follow each other under one source and
// id made one by [Combine], as [Heads] has them sorted. Records without a source
// are left as they are.
func Combined(records iter.Seq2[*Record, error]) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		var parts []*Record
		flush := func() bool {
			if len(parts) == 0 {
				return true
			}
			r := Combine(parts...)
			parts = parts[:0]
			return yield(r, nil)
		}
		for r, err := range records {
			if err != nil {
				if !flush() || !yield(nil, err) {
					return
				}
				continue
			}
			if len(parts) > 0 && (r.Source == "" || parts[0].Source != r.Source || parts[0].ID != r.ID) && !flush() {
				return
			}
			parts = append(parts, r)
		}
		flush()
	}
}
