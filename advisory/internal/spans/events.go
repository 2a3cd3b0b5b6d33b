package spans

import "github.com/stella-ops/stella/advisory/version"

// Events writes the set as the events of one OSV range; nil for the empty set.
// OSV ranges include their first version: above returns the version that comes
// next after one that is not in the set.
func (s Set) Events(above func(string) string) []version.Event {
	var out []version.Event
	for _, one := range s.list {
		switch low := one.low.version.String(); {
		case !one.low.finite:
			out = append(out, version.Event{Introduced: "0"})
		case one.low.closed:
			out = append(out, version.Event{Introduced: low})
		default:
			out = append(out, version.Event{Introduced: above(low)})
		}
		switch high := one.high.version.String(); {
		case !one.high.finite:
		case one.high.closed:
			out = append(out, version.Event{LastAffected: high})
		default:
			out = append(out, version.Event{Fixed: high})
		}
	}
	return out
}
