// Package spans is the algebra of version ranges: intersection, union and
// complement of intervals under the order of a scheme, and the OSV events that
// say the same. Sources whose formats state what is not affected, or state
// conditions, use it.
package spans

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/fault"
)

// MaxSpans bounds the intervals of one set.
const MaxSpans = 10_000

// Set is a set of versions: intervals that are disjoint and in order. The zero
// Set is empty. It is immutable.
type Set struct{ list []span }

// span is one interval.
type span struct{ low, high bound }

// bound is one end of an interval.
type bound struct {
	version version.Version
	closed  bool // the version itself is in the interval
	finite  bool // otherwise there is no bound on this side
}

// All returns the set of all versions.
func All() Set { return Set{[]span{{}}} }

// Compare returns the versions for which "v op text" holds; op is one of <, <=,
// =, ==, !=, >=, >, and "" for =. An error wraps the kind "invalid input".
func Compare(s version.Scheme, op, text string) (Set, error) {
	v, err := s.Parse(text)
	if err != nil {
		return Set{}, err
	}
	open, shut := bound{version: v, finite: true}, bound{version: v, finite: true, closed: true}
	switch op {
	case "<":
		return Set{[]span{{high: open}}}, nil
	case "<=":
		return Set{[]span{{high: shut}}}, nil
	case "", "=", "==":
		return Set{[]span{{low: shut, high: shut}}}, nil
	case "!=":
		return Set{[]span{{high: open}, {low: open}}}, nil
	case ">=":
		return Set{[]span{{low: shut}}}, nil
	case ">":
		return Set{[]span{{low: open}}}, nil
	}
	return Set{}, fmt.Errorf("read version condition %.64q: unknown operator: %w", op+text, fault.Invalid)
}

// Parse reads comparators, such as ">= 1.2, <2.0 || 3.1": spaces or commas
// between those that all hold, "||" between alternatives, "*" for all versions.
func Parse(s version.Scheme, text string) (Set, error) {
	var list []Set
	for part := range strings.SplitSeq(text, "||") {
		one, err := parseAll(s, part)
		if err != nil {
			return Set{}, err
		}
		if list = append(list, one); len(list) > MaxSpans {
			return Set{}, &fault.LimitError{What: "version intervals", Where: "the range", Max: MaxSpans}
		}
	}
	return Union(list...), nil
}

// parseAll reads comparators that all hold.
func parseAll(s version.Scheme, text string) (Set, error) {
	set, op, n := All(), "", 0
	for field := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ' ' || r == ',' || r >= '\t' && r <= '\r' }) {
		i := 0
		for i < len(field) && strings.IndexByte("<>=!", field[i]) >= 0 {
			i++
		}
		if op += field[:i]; i == len(field) {
			continue // the version follows after a space
		}
		n++
		if field[i:] == "*" && op == "" {
			continue
		}
		one, err := Compare(s, op, field[i:])
		if err != nil {
			return Set{}, err
		}
		set, op = set.And(one), ""
	}
	if n == 0 || op != "" {
		return Set{}, fmt.Errorf("read version condition %.128q: a comparator has no version: %w", text, fault.Invalid)
	}
	return set, nil
}

// IsEmpty reports whether no version is in the set.
func (s Set) IsEmpty() bool { return len(s.list) == 0 }

// IsAll reports whether every version is in the set.
func (s Set) IsAll() bool { return len(s.list) == 1 && !s.list[0].low.finite && !s.list[0].high.finite }

// And returns the versions that are in both sets.
func (s Set) And(t Set) Set {
	var out Set
	for i, j := 0, 0; i < len(s.list) && j < len(t.list); {
		a, b := s.list[i], t.list[j]
		both := span{low: a.low, high: a.high}
		if compareLow(b.low, a.low) > 0 {
			both.low = b.low
		}
		c := compareHigh(a.high, b.high)
		if c > 0 {
			both.high = b.high
		}
		if !both.isEmpty() {
			out.list = append(out.list, both)
		}
		if c <= 0 {
			i++
		}
		if c >= 0 {
			j++
		}
	}
	return out
}

// Or returns the versions that are in either set.
func (s Set) Or(t Set) Set { return Union(s, t) }

// Union returns the versions that are in any of the sets, in time of order
// n log n.
func Union(sets ...Set) Set {
	var all []span
	for _, s := range sets {
		all = append(all, s.list...)
	}
	slices.SortStableFunc(all, func(a, b span) int { return compareLow(a.low, b.low) })
	var out Set
	for _, next := range all {
		if n := len(out.list) - 1; n >= 0 && touches(out.list[n].high, next.low) {
			if compareHigh(out.list[n].high, next.high) < 0 {
				out.list[n].high = next.high
			}
			continue
		}
		out.list = append(out.list, next)
	}
	return out
}

// touches reports whether no version is between an upper bound and a lower one.
func touches(high, low bound) bool {
	if !high.finite || !low.finite {
		return true
	}
	c := low.version.Compare(high.version)
	return c < 0 || c == 0 && (low.closed || high.closed)
}

// Not returns the versions that are not in the set.
func (s Set) Not() Set {
	var out Set
	low := bound{}
	for _, one := range s.list {
		if one.low.finite {
			gap := span{low: low, high: bound{one.low.version, !one.low.closed, true}}
			if !gap.isEmpty() {
				out.list = append(out.list, gap)
			}
		}
		if !one.high.finite {
			return out
		}
		low = bound{one.high.version, !one.high.closed, true}
	}
	out.list = append(out.list, span{low: low})
	return out
}

// Contains reports whether a version is in the set.
func (s Set) Contains(v version.Version) bool {
	at := bound{v, true, true}
	for _, one := range s.list {
		if compareLow(one.low, at) <= 0 && compareHigh(at, one.high) <= 0 {
			return true
		}
	}
	return false
}

func (s span) isEmpty() bool {
	if !s.low.finite || !s.high.finite {
		return false
	}
	switch s.low.version.Compare(s.high.version) {
	case -1:
		return false
	case 0:
		return !s.low.closed || !s.high.closed
	}
	return true
}

// compareLow orders lower bounds: the one that lets in more comes first.
func compareLow(a, b bound) int {
	switch {
	case !a.finite || !b.finite:
		return order(a.finite, b.finite)
	case a.version.Compare(b.version) != 0:
		return a.version.Compare(b.version)
	}
	return order(!a.closed, !b.closed)
}

// compareHigh orders upper bounds: the one that lets in less comes first.
func compareHigh(a, b bound) int {
	switch {
	case !a.finite || !b.finite:
		return order(!a.finite, !b.finite)
	case a.version.Compare(b.version) != 0:
		return a.version.Compare(b.version)
	}
	return order(a.closed, b.closed)
}

func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
