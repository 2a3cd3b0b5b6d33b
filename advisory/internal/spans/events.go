package spans

import (
	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/version"
)

// Ranges writes the set as OSV ranges; nil for the empty set. Intervals that end
// with their last version are in a range of their own, as OSV asks for. OSV
// ranges include their first version: above returns the version that comes next
// after one that is not in the set.
func (s Set) Ranges(typ advisory.RangeType, above func(string) string) (out []advisory.Range) {
	for _, closed := range []bool{false, true} {
		var events []version.Event
		for _, one := range s.list {
			if (one.high.finite && one.high.closed) == closed {
				events = append(events, one.events(above)...)
			}
		}
		if events != nil {
			out = append(out, advisory.Range{Type: typ, Events: events})
		}
	}
	return out
}

func (s span) events(above func(string) string) (out []version.Event) {
	switch low := s.low.version.String(); {
	case !s.low.finite:
		out = append(out, version.Event{Introduced: "0"})
	case s.low.closed:
		out = append(out, version.Event{Introduced: low})
	default:
		out = append(out, version.Event{Introduced: above(low)})
	}
	switch high := s.high.version.String(); {
	case !s.high.finite:
	case s.high.closed:
		out = append(out, version.Event{LastAffected: high})
	default:
		out = append(out, version.Event{Fixed: high})
	}
	return out
}
