package version

import (
	"fmt"
	"slices"
	"strings"
)

// State is an answer's yes, no or unknown.
type State uint8

// The states. The zero State is Unknown.
const (
	Unknown State = iota
	No
	Yes
)

// String returns "unknown", "no" or "yes".
func (s State) String() string {
	switch s {
	case Yes:
		return "yes"
	case No:
		return "no"
	}
	return "unknown"
}

// Answer says whether a version is in a range. The zero Answer is unknown.
type Answer struct {
	State State
	// Reason says what could not be read or ordered; empty unless State is
	// Unknown.
	Reason string
}

// String returns the state, and the reason of an unknown one.
func (a Answer) String() string {
	if a.Reason == "" {
		return a.State.String()
	}
	return a.State.String() + ": " + a.Reason
}

// Range is a set of versions of one scheme: intervals and enumerated versions.
// The zero Range is empty. It is immutable; its methods are safe for concurrent
// use.
type Range struct {
	scheme   Scheme
	sets     []set    // a version of any of them is in the range
	versions []string // enumerated
	// gap says why part of the range could not be read: versions that are not
	// in the rest are then of unknown state.
	gap string
}

// set is the versions that meet all comparators: all versions, for none.
type set struct {
	comparators []comparator
	// releases leaves out pre-releases save those of a comparator's own numbers,
	// as npm does.
	releases bool
}

// comparator is a condition on a version, such as ">=1.2".
type comparator struct {
	op      operator
	version Version
}

type operator uint8

const (
	less operator = iota + 1
	atMost
	equal
	notEqual
	atLeast
	greater
)

// String returns the operator's sign; empty for equal, as in npm and VERS.
func (o operator) String() string {
	return [...]string{less: "<", atMost: "<=", equal: "", notEqual: "!=", atLeast: ">=", greater: ">"}[o]
}

// holds reports whether v meets the condition.
func (c comparator) holds(v Version) bool {
	switch o := v.Compare(c.version); c.op {
	case less:
		return o == -1
	case atMost:
		return o == -1 || o == 0
	case equal:
		return o == 0
	case notEqual:
		return o != 0
	case atLeast:
		return o == 0 || o == 1
	default:
		return o == 1
	}
}

// contains reports whether v meets all conditions of s.
func (s set) contains(v Version) bool {
	for _, c := range s.comparators {
		if !c.holds(v) {
			return false
		}
	}
	return !s.releases || s.allowsPreRelease(v)
}

// isAll reports whether s has no condition.
func (s set) isAll() bool { return len(s.comparators) == 0 && !s.releases }

// Enumerated returns the range of exactly the given versions. A version is in
// it if it is one of the texts or equals one of them under s; texts that s
// cannot read match only themselves.
func Enumerated(s Scheme, versions []string) Range {
	return Range{scheme: s, versions: slices.Clone(versions)}
}

// Union returns the range of all versions in any of the given ones, which are
// of one scheme; empty ranges may be of any. An error wraps [ErrInvalid].
func Union(ranges ...Range) (Range, error) {
	var u Range
	for _, r := range ranges {
		if r.isEmpty() {
			continue
		}
		if u.scheme != (Scheme{}) && u.scheme != r.scheme {
			return Range{}, fmt.Errorf("unite ranges of %s and %s versions: %w", u.scheme, r.scheme, ErrInvalid)
		}
		u.scheme = r.scheme
		u.sets = append(u.sets, r.sets...)
		u.versions = append(u.versions, r.versions...)
		if u.gap == "" {
			u.gap = r.gap
		}
	}
	return u, nil
}

// isEmpty reports whether r has no version, and none that could not be read.
func (r Range) isEmpty() bool { return len(r.sets)+len(r.versions) == 0 && r.gap == "" }

// Scheme returns the scheme of the range's versions.
func (r Range) Scheme() Scheme { return r.scheme }

// Contains answers whether v is in the range: yes, no, or unknown where v is
// not a valid version, has no place in the order (a branch), or could be in a
// part of the range that could not be read. An enumerated version, compared as
// text, and a range of all versions need no valid v.
func (r Range) Contains(v string) Answer {
	switch {
	case r.isEmpty():
		return Answer{State: No}
	case r.covers(v):
		return Answer{State: Yes}
	}
	parsed, err := r.scheme.Parse(v)
	if err != nil {
		return Answer{Reason: err.Error()}
	}
	return r.decide(parsed)
}

// ContainsVersion is [Range.Contains] of a parsed version. A version of another
// scheme is of unknown state.
func (r Range) ContainsVersion(v Version) Answer {
	switch {
	case r.isEmpty():
		return Answer{State: No}
	case v.rules == nil || v.rules != r.scheme.rules:
		return Answer{Reason: fmt.Sprintf("%.64q is a %q version, the range is of %q versions", v.raw, v.Scheme(), r.scheme)}
	case r.covers(v.raw):
		return Answer{State: Yes}
	}
	return r.decide(v)
}

// covers reports whether v is in the range by its text alone.
func (r Range) covers(v string) bool {
	return slices.Contains(r.versions, v) || slices.ContainsFunc(r.sets, set.isAll)
}

// decide answers by the order of v.
func (r Range) decide(v Version) Answer {
	if v.rules.floating != nil {
		if why := v.rules.floating(v); why != "" {
			return Answer{Reason: fmt.Sprintf("%s version %.64q: %s", v.rules.name, v.raw, why)}
		}
	}
	for _, s := range r.sets {
		if s.contains(v) {
			return Answer{State: Yes}
		}
	}
	for _, e := range r.versions {
		if c, ok := v.rules.compare(v.raw, e); ok && c == 0 {
			return Answer{State: Yes}
		}
	}
	if r.gap != "" {
		return Answer{Reason: r.gap}
	}
	return Answer{State: No}
}

// String writes the range for people: comparators with spaces between them,
// which all hold, and "||" between alternatives, as npm does. A version alone
// is itself; "?" is what could not be read.
func (r Range) String() string {
	var b strings.Builder
	for i, s := range r.sets {
		if i > 0 {
			b.WriteString("||")
		}
		for j, c := range s.comparators {
			if j > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(c.op.String() + c.version.raw)
		}
		if len(s.comparators) == 0 {
			b.WriteByte('*')
		}
	}
	for i, v := range r.versions {
		if i > 0 || len(r.sets) > 0 {
			b.WriteString("||")
		}
		b.WriteString(v)
	}
	if r.gap != "" {
		b.WriteString("||?")
	}
	return b.String()
}
