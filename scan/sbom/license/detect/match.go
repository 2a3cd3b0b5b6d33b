package detect

import (
	"cmp"
	"slices"

	"github.com/stella-ops/stella/scan/sbom/license/detect/internal/template"
	"github.com/stella-ops/stella/scan/sbom/license/detect/internal/words"
)

// votes are the seeds of one template that agree, roughly, about where it
// begins.
type votes struct {
	count  int32
	lead   int32 // by how much p-q below leads in the vote about it (Boyer and Moore 1991)
	p, q   int32 // where one of the majority is, in the text and in the template
	lp, lq int32 // where the last one is
}

// bucket is the width of "roughly", in words.
func bucket(t *template.Template) int { return max(32, len(t.Words)/4) }

// match returns the alignments that count, in the order of the text.
func (l *lib) match(doc []words.Word) []alignment {
	hashes := make([]uint32, len(doc))
	for i, w := range doc {
		hashes[i] = w.Hash
	}
	found, known := l.recent.get(hashes)
	if !known {
		found = l.compare(hashes)
		l.recent.put(hashes, found)
	}
	return found
}

// compare is match without what is remembered.
func (l *lib) compare(hashes []uint32) []alignment {
	if a, ok := l.whole(hashes); ok {
		return []alignment{a}
	}
	var found []alignment
	for _, c := range l.candidates(hashes) {
		if a, ok := l.align(hashes, c); ok {
			found = append(found, a)
		}
	}
	return l.choose(found)
}

const (
	before = 16 // words that may stand before a text that is the whole file
	after  = 8  // and after it
)

// whole finds the text of the list that is all of doc, but for a title and a few
// words. Most licence files are that, and few templates begin as they do.
func (l *lib) whole(doc []uint32) (best alignment, ok bool) {
	for p := 0; p < before && p+gram <= len(doc); p++ {
		for _, i := range l.heads[hashGram(doc[p:])] {
			t := &l.templates[i]
			if t.Required > len(doc) {
				continue
			}
			a := alignment{template: i, start: p}
			ahead, back := walk{t, doc, 1, 0}, walk{t, doc, -1, 0}
			last, follows := ahead.run(&a, p, t.Head)
			a.end = last + 1
			if first, ok := back.run(&a, p-1, t.Head-1); ok && first >= 0 {
				a.start = first // a title
			}
			if follows && len(doc)-a.end <= after && (!ok || a.worth() > best.worth()) {
				best, ok = a, true
			}
		}
	}
	return best, ok
}

type candidate struct {
	template, start int // start is the bucket
	votes
}

// candidates returns the templates that may begin somewhere, in an order that
// depends on the text alone.
func (l *lib) candidates(doc []uint32) []candidate {
	tally := newTally()
	for p := 0; p+gram <= len(doc); p++ {
		for _, at := range l.lookup(hashGram(doc[p:])) {
			t := &l.templates[at.template]
			begin := p - int(at.at) + len(t.Words) // never negative
			key := uint64(at.template)<<32 | uint64(begin/bucket(t))
			v := tally.at(key)
			v.count++
			switch {
			case v.lead == 0:
				v.p, v.q, v.lead = int32(p), int32(at.at), 1
			case v.p-v.q == int32(p)-int32(at.at):
				v.lead++
			default:
				v.lead--
			}
			v.lp, v.lq = int32(p), int32(at.at)
		}
	}
	var out []candidate
	for key, v := range tally.all() {
		i := int(key >> 32)
		// A begin at the edge of two buckets, or words that are more or less than
		// expected, divide the votes.
		near := max(tally.count(key+1), tally.count(key-1))
		if v.count >= near && int(v.count+near)*4 >= int(l.seeds[i]) {
			out = append(out, candidate{i, int(uint32(key)), v})
		}
	}
	slices.SortFunc(out, func(a, b candidate) int { return cmp.Or(a.template-b.template, a.start-b.start) })
	return out
}

// align lays a template over the text from a seed on, both ways.
func (l *lib) align(doc []uint32, c candidate) (alignment, bool) {
	t := &l.templates[c.template]
	allow := t.Required * (1000 - MinScore) / MinScore
	if len(t.Words) > 4*window {
		allow = max(allow, window)
	}
	try := func(p, q int) (alignment, bool) {
		a := alignment{template: c.template, start: p, end: p}
		back := walk{t, doc, -1, allow}
		if first, ok := back.run(&a, p-1, q-1); !ok {
			return a, false
		} else if first >= 0 {
			a.start = first
		}
		ahead := walk{t, doc, 1, allow}
		last, ok := ahead.run(&a, p, q)
		if last >= 0 {
			a.end = last + 1
		}
		return a, ok && a.end > a.start && a.counts(t)
	}
	a, ok := try(int(c.p), int(c.q))
	if ok && a.missing+a.extra == 0 {
		return a, true
	}
	if b, better := try(int(c.lp), int(c.lq)); better && (!ok || b.worth() > a.worth()) {
		return b, true
	}
	return a, ok
}

// counts reports whether an alignment says what its template does. Notices are
// short and differ in the name of the licence alone: they must be nearly equal.
func (a *alignment) counts(t *template.Template) bool {
	if t.Kind == template.Header {
		return !a.doubt && !a.other && a.score(t) >= minNotice
	}
	return !a.other && a.score(t) >= MinScore
}

// choose keeps, of alignments that overlap, the one that explains most of the
// text.
func (l *lib) choose(found []alignment) []alignment {
	slices.SortStableFunc(found, func(a, b alignment) int {
		ta, tb := &l.templates[a.template], &l.templates[b.template]
		return cmp.Or(b.worth()-a.worth(), int(ta.Kind)-int(tb.Kind), a.start-b.start, cmp.Compare(ta.ID, tb.ID))
	})
	var kept []alignment
	for _, a := range found {
		if !slices.ContainsFunc(kept, func(k alignment) bool { return a.start < k.end && k.start < a.end }) {
			kept = append(kept, a)
		}
	}
	slices.SortFunc(kept, func(a, b alignment) int { return a.start - b.start })
	return kept
}
