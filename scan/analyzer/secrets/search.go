package secrets

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/stella-ops/stella/internal/fault"
)

// The window. A keyword is looked at once all that its rules may look at is there, and is
// kept as long as they may look back, so that what is found does not depend on where the
// pieces end in which a file arrives.
const (
	windowBytes = 128 << 10
	cellBytes   = 4 << 10              // lines that are too long are looked at in cells
	behind      = cellBytes + Before   // of the keyword's beginning
	ahead       = cellBytes + After    // of it
	margin      = aroundBytes + 64 + 1 // text around a secret, a keyword, a newline
)

// maxLooked bounds what expressions see of one file, all together: a text of keywords
// alone is not to hold up the scan. Sources and logs stay far below it.
const maxLooked = 256 << 20

// search is one pass over one text.
type search struct {
	r       *Rules
	path    string
	from    io.Reader
	maxFile int64

	buf  []byte // the window
	base int64  // place of its first byte
	at   int64  // up to which keywords were looked for
	ends bool   // nothing comes after the window
	line int    // newlines before the window

	state   uint32
	applies []int8  // by rule: 0 not known, 1 yes, -1 no
	done    []int64 // by rule: the key of the region that was looked at last, plus 1
	last    []int64 // by rule: the end of the last secret
	counts  []int   // by rule: findings
	bounds  bounds

	looked int64 // bytes that expressions saw
	used   int   // of the window's array, since it was wiped

	found []finding
	near  []span // secrets and what was not taken for one, in the window
	from0 int    // findings whose surroundings are in the window begin here
	over  error  // the first maximum that was reached
}

// span is a part of the text.
type span struct{ start, end int64 }

// bounds are those of the line that was looked at last, as far as its cell allows.
type bounds struct {
	cell       int64
	start, end int64 // no newline between them
	first      bool  // the line begins at start
	whole      bool  // it ends at end
}

func newSearch(r *Rules, window int) *search {
	n := len(r.list)
	return &search{r: r, buf: make([]byte, 0, window), applies: make([]int8, n), done: make([]int64, n), last: make([]int64, n), counts: make([]int, n)}
}

// begin makes s ready for another text.
func (s *search) begin(path string, from io.Reader) {
	s.path, s.from, s.maxFile = path, from, s.r.bundle.MaxFile
	s.buf, s.base, s.at, s.ends, s.line, s.state = s.buf[:0], 0, 0, false, 0, 0
	clear(s.applies)
	clear(s.done)
	clear(s.last)
	clear(s.counts)
	s.bounds = bounds{cell: -1}
	s.found, s.near, s.from0, s.over, s.looked = s.found[:0], s.near[:0], 0, nil, 0
}

// forget wipes what s holds of the text.
func (s *search) forget() {
	clear(s.buf[:s.used])
	s.used = 0
	for i := range s.found {
		s.found[i].wipe()
	}
	clear(s.found)
	s.found, s.from, s.path, s.over = s.found[:0], nil, "", nil
}

// run reads the text to its end.
func (s *search) run(ctx context.Context) error {
	for !s.ends {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.fill(); err != nil {
			return err
		}
		s.used = max(s.used, len(s.buf))
		limit := s.base + int64(len(s.buf))
		if !s.ends {
			limit -= ahead + margin
		}
		s.scan(limit)
		if s.looked > maxLooked {
			return &fault.LimitError{What: "bytes that expressions look at in a text that is searched for secrets", Where: s.path, Max: maxLooked, Seen: s.looked}
		}
		s.slide()
	}
	return s.over
}

// fill reads until the window is full or the text ends.
func (s *search) fill() error {
	for len(s.buf) < cap(s.buf) {
		n, err := s.from.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+n]
		if err == io.EOF {
			s.ends = true
			break
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", s.path, err)
		}
	}
	if seen := s.base + int64(len(s.buf)); seen > 2*s.maxFile+headBytes { // UTF-8 of UTF-16 may be longer
		return &fault.LimitError{What: "bytes of a text that is searched for secrets", Where: s.path, Max: s.maxFile, Seen: seen}
	}
	return nil
}

// slide moves on what may still be looked at.
func (s *search) slide() {
	keep := max(s.at-behind-margin, s.base)
	s.line += bytes.Count(s.buf[:keep-s.base], newline)
	rest := copy(s.buf, s.buf[keep-s.base:])
	s.buf, s.base = s.buf[:rest], keep
	s.near = slices.DeleteFunc(s.near, func(x span) bool { return x.end < keep })
	for s.from0 < len(s.found) && s.found[s.from0].end+aroundBytes < keep {
		s.from0++
	}
}

var newline = []byte{'\n'}

// scan looks at the keywords that end before limit.
func (s *search) scan(limit int64) {
	k := s.r.keywords
	for s.at < limit {
		n, state := k.scan(s.state, s.buf[s.at-s.base:limit-s.base])
		s.at, s.state = s.at+int64(n), state
		for _, w := range k.at(state) {
			for _, i := range k.rules[w] {
				if s.applies[i] == 0 {
					s.applies[i] = s.r.list[i].appliesTo(s.path)
				}
				if s.applies[i] > 0 {
					s.keyword(int(i), s.at-int64(k.sizes[w]))
				}
			}
		}
	}
}

func (c *rule) appliesTo(path string) int8 {
	if c.paths != nil && !c.paths.match(path) || c.not.match(path) {
		return -1
	}
	return 1
}

// keyword runs a rule over the surroundings of the keyword at p: its line and those that
// follow, or, where these are not all within reach, what is around its cell.
func (s *search) keyword(i int, p int64) {
	c := &s.r.list[i]
	b := s.lineAt(p)
	if b.first {
		if s.done[i] == 2*b.start+1 {
			return
		}
		if end, ok := s.linesEnd(b, c.lines); ok {
			s.done[i] = 2*b.start + 1
			s.match(i, c, b.start, end, false, false)
			return
		}
	}
	start, end := reach(p)
	if s.done[i] == 2*start+2 {
		return
	}
	s.done[i] = 2*start + 2
	end = min(end, s.base+int64(len(s.buf)))
	s.match(i, c, start, end, start > 0, end < s.base+int64(len(s.buf)) || !s.ends)
}

// reach is what may be looked at for a keyword at p.
func reach(p int64) (start, end int64) {
	cell := p / cellBytes * cellBytes
	return max(cell-Before, 0), cell + cellBytes + After
}

// lineAt returns the line that p is in.
func (s *search) lineAt(p int64) *bounds {
	b := &s.bounds
	if cell := p / cellBytes; b.cell == cell && b.start <= p && p < b.end {
		return b
	}
	start, end := reach(p)
	*b = bounds{cell: p / cellBytes, start: start, end: min(end, s.base+int64(len(s.buf)))}
	if n := bytes.LastIndexByte(s.buf[start-s.base:p-s.base], '\n'); n >= 0 {
		b.start, b.first = start+int64(n)+1, true
	} else {
		b.first = start == 0
	}
	if n := bytes.IndexByte(s.buf[p-s.base:b.end-s.base], '\n'); n >= 0 {
		b.end, b.whole = p+int64(n), true
	} else {
		b.whole = s.ends && b.end == s.base+int64(len(s.buf))
	}
	return b
}

// linesEnd returns where a line and those after it end, if that is within reach.
func (s *search) linesEnd(b *bounds, more int) (int64, bool) {
	if !b.whole {
		return 0, false
	}
	_, limit := reach(b.cell * cellBytes)
	limit = min(limit, s.base+int64(len(s.buf)))
	end := b.end
	for ; more > 0 && end < limit; more-- {
		n := bytes.IndexByte(s.buf[end+1-s.base:limit-s.base], '\n')
		if n < 0 {
			// The text may end before all lines are there.
			return limit, s.ends && limit == s.base+int64(len(s.buf))
		}
		end += 1 + int64(n)
	}
	return end, true
}

// match runs an expression over a region. A match that touches an end at which the text
// was cut may be a part of a longer one, and is left to the region that has it whole.
func (s *search) match(i int, c *rule, start, end int64, cutStart, cutEnd bool) {
	region := s.buf[start-s.base : end-s.base]
	if s.looked += int64(len(region)); s.looked > maxLooked {
		return
	}
	for _, m := range c.re.FindAllSubmatchIndex(region, -1) {
		if cutStart && m[0] == 0 || cutEnd && m[1] == len(region) {
			continue
		}
		a, b := m[2*c.group], m[2*c.group+1]
		if a < 0 || b-a < MinSecret || start+int64(a) < s.last[i] {
			continue
		}
		x := span{start + int64(a), start + int64(b)}
		taken := s.secret(c, region[a:b])
		if taken {
			s.last[i] = x.end
			taken = s.room(i, c)
		}
		if taken {
			s.capture(i, x)
		}
		s.hide(x)
	}
}

// secret reports whether what an expression found is one.
func (s *search) secret(c *rule, text []byte) bool {
	return (c.entropy == 0 || Entropy(text) >= c.entropy) && !c.dummies.has(text) && !s.r.dummies.has(text)
}

// room counts a finding, and reports whether it may be kept.
func (s *search) room(i int, c *rule) bool {
	s.counts[i]++
	limit, what := c.max, "findings of the rule "+c.id
	if s.counts[i] <= c.max {
		if len(s.found) < MaxFindings {
			return true
		}
		limit, what = MaxFindings, "findings of secrets"
	}
	if s.over == nil {
		s.over = &fault.LimitError{What: what, Where: s.path, Max: int64(limit)}
	}
	return false
}

// settle sorts the findings, and keeps of those that overlap the one of the first rule.
func (s *search) settle() []finding {
	slices.SortStableFunc(s.found, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.rule, b.rule))
	})
	out := s.found[:0:0]
	for _, f := range s.found {
		if n := len(out); n == 0 || f.start >= out[n-1].end {
			out = append(out, f)
		} else if f.rule < out[n-1].rule {
			out[n-1] = f
		}
	}
	return out
}
