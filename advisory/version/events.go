package version

import (
	"fmt"
	"slices"
)

// Event is one event of an OSV range: exactly one of its fields is set.
//
// Source: OSV schema, affected[].ranges[].events.
type Event struct {
	Introduced   string `json:"introduced,omitempty"`    // the first affected version; "0" is before all versions
	Fixed        string `json:"fixed,omitempty"`         // the first unaffected version
	LastAffected string `json:"last_affected,omitempty"` // the last affected version
	Limit        string `json:"limit,omitempty"`         // versions from here on are not in the range; "*" is after all versions
}

// NewRange returns the range that OSV events describe, of which it takes any
// number in any order. Events at one version end an interval before they start
// the next. A version that s cannot read makes the range's answers unknown,
// with the reason, where the rest does not decide.
//
// The events of a range of type GIT name commits, which are no versions: they
// are not for NewRange.
//
// An event with no or more than one field, and events without an introduced
// one, are an error that wraps [ErrInvalid].
//
// Source: OSV schema, "Evaluation" and "Requirements".
func NewRange(s Scheme, events []Event) (Range, error) {
	r := Range{scheme: s}
	b := rangeBuilder{scheme: s}
	introduced := false
	for i, e := range events {
		if err := e.check(); err != nil {
			return Range{}, fmt.Errorf("read range event %d of %d: %w", i+1, len(events), err)
		}
		introduced = introduced || e.Introduced != ""
		if err := b.add(e); err != nil && r.gap == "" {
			r.gap = err.Error()
		}
	}
	if !introduced {
		return Range{}, fmt.Errorf("read range of %d events: none is introduced: %w", len(events), ErrInvalid)
	}
	if r.gap == "" {
		r.sets = b.build()
	}
	return r, nil
}

func (e Event) check() error {
	n := 0
	for _, v := range [...]string{e.Introduced, e.Fixed, e.LastAffected, e.Limit} {
		if v != "" {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("it sets %d of introduced, fixed, last_affected and limit: %w", n, ErrInvalid)
	}
	return nil
}

// rangeBuilder collects events and turns them into intervals.
type rangeBuilder struct {
	scheme    Scheme
	fromStart bool // the versions before all marks are in the range
	marks     []mark
	limit     Version // the highest limit
	isLimited bool
	isEndless bool // a limit is "*"
}

// mark is what happens at one version.
type mark struct {
	version                 Version
	introduced, fixed, last bool
}

func (b *rangeBuilder) add(e Event) error {
	switch {
	case e.Introduced == "0":
		b.fromStart = true
		return nil
	case e.Limit == "*":
		b.isEndless = true
		return nil
	}
	v, err := b.scheme.Parse(e.Introduced + e.Fixed + e.LastAffected + e.Limit)
	if err != nil {
		return err
	}
	if e.Limit == "" {
		b.marks = append(b.marks, mark{v, e.Introduced != "", e.Fixed != "", e.LastAffected != ""})
		return nil
	}
	if !b.isLimited || v.Compare(b.limit) > 0 {
		b.limit, b.isLimited = v, true
	}
	return nil
}

// build walks the marks in order and returns the intervals between them.
func (b *rangeBuilder) build() []set {
	slices.SortStableFunc(b.marks, func(m, n mark) int { return m.version.Compare(n.version) })
	var sets []set
	isOpen, low := b.fromStart, []comparator(nil)
	for len(b.marks) > 0 {
		m := b.nextMark()
		wasOpen := isOpen
		switch {
		case isOpen && m.fixed:
			sets, isOpen = append(sets, b.interval(low, less, m.version)), false
		case isOpen && m.last:
			sets, isOpen = append(sets, b.interval(low, atMost, m.version)), false
		case !isOpen && m.introduced && m.last && !m.fixed:
			sets = append(sets, b.interval(nil, equal, m.version))
		}
		if !isOpen && m.introduced && (wasOpen || !m.fixed && !m.last) {
			isOpen, low = true, []comparator{{atLeast, m.version}}
		}
	}
	if isOpen {
		sets = append(sets, b.interval(low, 0, Version{}))
	}
	return sets
}

// nextMark takes the marks of the lowest version, as one.
func (b *rangeBuilder) nextMark() mark {
	m := b.marks[0]
	b.marks = b.marks[1:]
	for len(b.marks) > 0 && b.marks[0].version.Compare(m.version) == 0 {
		n := b.marks[0]
		m.introduced = m.introduced || n.introduced
		m.fixed = m.fixed || n.fixed
		m.last = m.last || n.last
		b.marks = b.marks[1:]
	}
	return m
}

// interval returns the set from low, if any, to a version, if op is one.
func (b *rangeBuilder) interval(low []comparator, op operator, v Version) set {
	s := set{comparators: low}
	if op != 0 {
		s.comparators = append(s.comparators, comparator{op, v})
	}
	if b.isLimited && !b.isEndless {
		s.comparators = append(s.comparators, comparator{less, b.limit})
	}
	return s
}
