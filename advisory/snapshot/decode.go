package snapshot

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/fault"
)

// cursor reads written values off the front of a text, whose parts it returns
// without copying. It notes damage and then returns zero values, so that
// callers check once.
type cursor struct {
	rest string
	bad  bool
}

func (c *cursor) fail() {
	c.bad, c.rest = true, ""
}

func (c *cursor) byte() byte {
	if c.rest == "" {
		c.fail()
		return 0
	}
	b := c.rest[0]
	c.rest = c.rest[1:]
	return b
}

func (c *cursor) number() uint64 {
	if c.rest != "" && c.rest[0] < 0x80 { // most are short
		n := uint64(c.rest[0])
		c.rest = c.rest[1:]
		return n
	}
	var n, shift uint64
	for i := 0; i < len(c.rest) && shift < 63; i++ {
		n |= uint64(c.rest[i]&0x7f) << shift
		if c.rest[i] < 0x80 {
			c.rest = c.rest[i+1:]
			return n
		}
		shift += 7
	}
	c.fail()
	return 0
}

func (c *cursor) text() string {
	n := c.number()
	if n > uint64(len(c.rest)) {
		c.fail()
		return ""
	}
	s := c.rest[:n]
	c.rest = c.rest[n:]
	return s
}

// count reads the length of a list whose elements have at least one byte.
func (c *cursor) count() int {
	n := c.number()
	if n > uint64(len(c.rest)) {
		c.fail()
		return 0
	}
	return int(n)
}

func (c *cursor) texts() []string {
	n := c.count()
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = c.text()
	}
	return list
}

func (c *cursor) scores() []finding.Score {
	n := c.count()
	if n == 0 {
		return nil
	}
	list := make([]finding.Score, n)
	for i := range list {
		list[i] = finding.Score{Type: c.text(), Value: c.text(), Source: c.text()}
	}
	return list
}

// record reads what appendRecord wrote.
func (c *cursor) record() (*advisory.Record, error) {
	r := &advisory.Record{}
	for _, to := range []*string{&r.ID, &r.Modified, &r.Published, &r.Withdrawn, &r.Summary, &r.Rating, &r.URL} {
		*to = c.text()
	}
	for _, to := range []*[]string{&r.Aliases, &r.Upstream, &r.Related} {
		*to = c.texts()
	}
	r.Scores = c.scores()
	if c.bad || len(c.rest) != 32 {
		return nil, fmt.Errorf("record %.64q is damaged: %w", r.ID, fault.Invalid)
	}
	r.Digest = digestName([32]byte([]byte(c.rest)))
	return r, nil
}

// eventStore hands out the events of a posting from one piece of memory.
type eventStore struct{ free []version.Event }

func (s *eventStore) take(n int) []version.Event {
	if n > len(s.free) {
		s.free = make([]version.Event, max(n, 2*cap(s.free), 8))
	}
	out := s.free[:n:n]
	s.free = s.free[n:]
	return out
}

// entry reads what appendEntry wrote.
func (c *cursor) entry(e *advisory.Entry, events *eventStore) {
	flags := c.byte()
	e.Withdrawn = flags&isWithdrawn != 0
	if flags&hasName != 0 {
		e.Name = c.text()
	}
	if n := c.count(); n > 0 {
		e.Ranges = make([]advisory.Range, n)
		for i := range e.Ranges {
			c.versionRange(&e.Ranges[i], events)
		}
	}
	if flags&hasVersions != 0 {
		e.Versions = advisory.VersionList(c.text())
	}
	if flags&hasScores != 0 {
		e.Scores = c.scores()
	}
	if flags&hasRating != 0 {
		e.Rating = c.text()
	}
	if flags&hasStatus != 0 {
		e.Status = advisory.Status(c.text())
	}
	if flags&hasStream != 0 {
		e.Stream = c.text()
	}
}

func (c *cursor) versionRange(r *advisory.Range, events *eventStore) {
	switch c.byte() {
	case kindEcosystem:
		r.Type = advisory.RangeEcosystem
	case kindSemver:
		r.Type = advisory.RangeSemver
	case kindOther:
		r.Type, r.Repo = advisory.RangeType(c.text()), c.text()
	default:
		c.fail()
	}
	r.Events = events.take(c.count())
	for i := range r.Events {
		c.event(&r.Events[i])
	}
}

func (c *cursor) event(e *version.Event) {
	switch c.byte() {
	case eventStart:
		e.Introduced = "0"
	case eventIntroduced:
		e.Introduced = c.text()
	case eventFixed:
		e.Fixed = c.text()
	case eventLastAffected:
		e.LastAffected = c.text()
	case eventLimit:
		e.Limit = c.text()
	default:
		c.fail()
	}
}

// appendPosting adds the entries of a posting to list.
func appendPosting(list []advisory.Entry, text, ecosystem string, segment int) ([]advisory.Entry, error) {
	c := cursor{rest: text}
	c.number() // the ecosystem
	name := strings.Clone(c.text())
	n := c.count()
	var events eventStore
	at := len(list)
	list = append(list, make([]advisory.Entry, n)...)
	for i := at; i < len(list); i++ {
		e := &list[i]
		e.Ecosystem, e.Name = ecosystem, name
		record := c.number()
		if record > 1<<32-1 {
			c.fail()
		}
		e.Record = advisory.Ref(uint64(segment)<<32 | record)
		c.entry(e, &events)
	}
	if c.bad || c.rest != "" {
		return nil, fmt.Errorf("the entries of %.64q are damaged: %w", name, fault.Invalid)
	}
	return list, nil
}
