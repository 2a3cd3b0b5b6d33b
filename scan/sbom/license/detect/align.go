package detect

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/stella-ops/stella/scan/sbom/license/detect/internal/template"
	"github.com/stella-ops/stella/scan/sbom/license/detect/internal/words"
)

// alignment is one template laid over words of a text.
type alignment struct {
	template   int
	start, end int  // words of the text
	matched    int  // required words that the text has
	optional   int  // omittable words that it has
	missing    int  // required words that it lacks
	extra      int  // words that it has where the template has none
	wrong      int  // both, where a run of more than maxRun counts as maxRun
	doubt      bool // words that tell notices apart are among them
	other      bool // words that tell licences apart are among them
}

// score is in thousandths, rounded down.
func (a *alignment) score(t *template.Template) int {
	has := a.matched + a.optional
	return 1000 * has / max(1, has+a.missing+a.extra)
}

// worth orders alignments that compete for the same words. A preamble that a copy
// left out says less about which licence it is than single words do.
func (a *alignment) worth() int { return a.matched + a.optional - 3*a.wrong }

const (
	window  = 48 // words that may be skipped on either side to find the thread again
	maxRun  = 16
	confirm = 3 // words that must agree to take it up
	nearby  = 8 // like window, where leaving out the rest costs nothing

	few      = 4   // words that are skipped before it is asked which can agree at all
	maxReach = 400 // words of the text beyond which that would say nothing
)

// walk follows a template from word q on and the text from word p on, in one
// direction, and adds what it sees to the alignment. It gives up when more than
// allow words differ.
type walk struct {
	t     *template.Template
	doc   []uint32
	step  int // 1 or -1
	allow int
}

// run returns the last word of the text that matched, or -1, and whether the
// template was followed to its end. What may be left out at the end is left out
// where that is better than what the text has in its place.
func (w *walk) run(a *alignment, p, q int) (last int, ok bool) {
	last = -1
	var body alignment // without the omittable words at the end
	bodyLast, left := -1, false
	for w.inside(q) {
		if a.missing+a.extra > w.allow {
			break
		}
		if !left && w.beyond(q) {
			body, bodyLast, left = *a, last, true
		}
		if !w.has(p) || w.doc[p] != w.t.Words[q] || w.free(q) > 0 {
			np, nq, extra, found := w.resume(p, q, w.allow-a.missing-a.extra)
			if !found {
				w.lack(a, q, w.end())
				break
			}
			w.lack(a, q, nq)
			a.extra += extra
			a.wrong += min(extra, maxRun)
			if extra > 0 {
				w.passed(a, p, np)
			}
			if p, q = np, nq; !w.inside(q) {
				break // only omittable words were left
			}
		}
		last = p
		w.take(a, q)
		p, q = p+w.step, q+w.step
	}
	if left && body.worth() > a.worth() {
		*a, last = body, bodyLast
	}
	return last, a.missing+a.extra <= w.allow
}

// beyond reports whether only omittable words follow.
func (w *walk) beyond(q int) bool {
	if w.step > 0 {
		return q >= w.t.Tail
	}
	return q < w.t.Head
}

func (w *walk) inside(q int) bool { return q >= 0 && q < len(w.t.Words) }
func (w *walk) has(p int) bool    { return p >= 0 && p < len(w.doc) }

// end returns the first index behind the template.
func (w *walk) end() int {
	if w.step > 0 {
		return len(w.t.Words)
	}
	return -1
}

// free is the number of words that may stand before word q.
func (w *walk) free(q int) int {
	if w.step > 0 {
		return int(w.t.Gaps[q])
	}
	return int(w.t.Gaps[q+1])
}

func (w *walk) take(a *alignment, q int) {
	if w.t.Skip[q] == 0 {
		a.matched++
	} else {
		a.optional++
	}
}

// lack counts the words from q up to nq as missing.
func (w *walk) lack(a *alignment, q, nq int) {
	n := 0
	for ; q != nq && (n < maxRun || a.missing+n+a.extra <= w.allow); q += w.step { // what is given up needs no count
		if w.t.Skip[q] == 0 {
			n++
			a.tell(w.t.Words[q])
		}
	}
	a.missing += n
	a.wrong += min(n, maxRun)
}

// passed looks at the words from p up to np, which the template does not have.
func (w *walk) passed(a *alignment, p, np int) {
	for ; p != np && w.has(p); p += w.step {
		a.tell(w.doc[p])
	}
}

// tell notes a word that only one of text and template has.
func (a *alignment) tell(word uint32) {
	a.other = a.other || naming.has(word)
	a.doubt = a.doubt || telling.has(word)
}

// Words by which licences of one family differ that are alike in all else, and
// words by which their notices do. What differs in one is another licence.
var (
	naming  = wordSet("noncommercial noderivatives noderivs sharealike")
	telling = wordSet("0 1 2 3 4 library lesser affero later only")
)

// set is a few words. Most others end at its filter.
type set struct {
	filter filter
	words  []uint32
}

func wordSet(list string) *set {
	s := &set{}
	for w := range strings.FieldsSeq(list) {
		s.filter.add(words.Hash(w))
		s.words = append(s.words, words.Hash(w))
	}
	return s
}

func (s *set) has(word uint32) bool { return s.filter.may(word) && slices.Contains(s.words, word) }

// filter has a bit for each of some bits of a word's hash.
type filter [8]uint64

func (f *filter) add(word uint32)      { f[word>>6&7] |= 1 << (word & 63) }
func (f *filter) may(word uint32) bool { return f[word>>6&7]>>(word&63)&1 != 0 }

// agree reports whether the next words are the same, as far as the template goes
// without a gap.
func (w *walk) agree(p, q int) bool {
	for i := range confirm {
		if !w.inside(q) || i > 0 && w.free(q) > 0 {
			return i > 0
		}
		if !w.has(p) || w.doc[p] != w.t.Words[q] {
			return false
		}
		p, q = p+w.step, q+w.step
	}
	return true
}

// resume finds where text and template agree again, at the least cost, and how
// many words of the text were passed that nothing allows. More than budget words
// may not differ any more.
func (w *walk) resume(p, q, budget int) (np, nq, extra int, found bool) {
	// Omittable texts may be left out, replaceable ones be as long as they may.
	at := q
	for w.inside(at) {
		for b := 0; b <= w.free(at); b++ {
			if w.agree(p+b*w.step, at) {
				return p + b*w.step, at, 0, true
			}
		}
		next := w.past(at)
		if next == at {
			break
		}
		at = next
	}
	most := min(window, budget+1)
	if !w.inside(at) {
		most = min(most, nearby) // the rest may be missing, if it does not follow at once
	}
	var allowed [window + 1]int // words in the place of gaps before the template's next ones
	var may uint64              // which of those may be in the text
	for cost := range most + 1 {
		if cost < few {
			may |= w.note(q, cost, &allowed)
		} else if cost == few {
			may = w.common(p, q, most, &allowed)
		}
		for left := may & (1<<(cost+1) - 1); left != 0 && cost > 0; left &= left - 1 {
			a := bits.TrailingZeros64(left)
			nq := q + a*w.step
			for _, b := range [2]int{cost - a, cost - a + allowed[a]} {
				if to := p + b*w.step; w.has(to) && w.doc[to] == w.t.Words[nq] && w.agree(to, nq) {
					return to, nq, max(0, b-allowed[a]), true
				}
				if allowed[a] == 0 {
					break
				}
			}
		}
	}
	return p, at, 0, !w.inside(at)
}

// note takes up the template's word a words behind q, and returns its bit.
func (w *walk) note(q, a int, allowed *[window + 1]int) uint64 {
	if q += a * w.step; !w.inside(q) {
		return 0
	}
	allowed[a] = max(allowed[max(a-1, 0)], w.free(q))
	return 1 << a
}

// common returns which words of the template, from q to most behind it, may be among those
// of the text that resume looks at.
func (w *walk) common(p, q, most int, allowed *[window + 1]int) (may uint64) {
	for a := range most + 1 {
		may |= w.note(q, a, allowed)
	}
	reach := most + slices.Max(allowed[:])
	if reach > maxReach {
		return may
	}
	var near filter
	for b := 0; b <= reach && w.has(p+b*w.step); b++ {
		near.add(w.doc[p+b*w.step])
	}
	for left := may; left != 0; left &= left - 1 {
		if a := bits.TrailingZeros64(left); !near.may(w.t.Words[q+a*w.step]) {
			may &^= 1 << a
		}
	}
	return may
}

// past returns the index behind the omittable text that begins at or has q, or q
// if there is none.
func (w *walk) past(q int) int {
	skip := w.t.Skip[q]
	if skip == 0 {
		return q
	}
	if w.step > 0 {
		return int(skip)
	}
	for q >= 0 && w.t.Skip[q] == skip {
		q--
	}
	return q
}
