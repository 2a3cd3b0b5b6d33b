package version

import (
	"fmt"
	"strings"
)

// The VERS types that are no scheme: a range of all versions and one of none.
const (
	versAll  = "all"
	versNone = "none"
)

// ParseVERS reads a version range specifier, such as
// "vers:npm/1.2.3|>=2.0.0|<5.0.0".
//
// As the specification demands, only the canonical form is accepted: lower-case
// scheme and type, no white space, no empty constraint, each version once, in
// order, lower bounds and upper bounds by turns, and percent-encoding of just
// the characters that need it; all else is an error that wraps [ErrInvalid]. A
// type without a known order is one that wraps [ErrUnsupported].
//
// A single version that its scheme cannot read gives a range whose answers are
// unknown for all other texts; a timestamp, whose form VERS itself defines, is
// an error. A range of "!=" constraints alone holds all
// other versions; the specification's algorithm leaves that open.
//
// Source: VERS specification, "Core specification" and "How to parse and
// validate VERS" (2026-08).
func ParseVERS(s string) (Range, error) {
	typ, constraints, err := splitVERS(s)
	if err != nil {
		return Range{}, fmt.Errorf("parse VERS %.128q: %w", s, err)
	}
	switch typ {
	case versNone:
		return Range{}, nil
	case versAll:
		return Range{sets: []set{{}}}, nil
	}
	scheme, err := ForVERS(typ)
	if err != nil {
		return Range{}, fmt.Errorf("parse VERS %.128q: %w", s, err)
	}
	r, err := versRange(scheme, constraints)
	if err != nil {
		return Range{}, fmt.Errorf("parse VERS %.128q: %w", s, err)
	}
	return r, nil
}

// versRange turns checked constraints into a range.
func versRange(scheme Scheme, constraints []versConstraint) (Range, error) {
	r := Range{scheme: scheme}
	if len(constraints) == 0 {
		r.sets = []set{{}}
		return r, nil
	}
	if len(constraints) == 1 && scheme.rules != &datetime {
		if _, err := scheme.Parse(constraints[0].version); err != nil {
			r.gap = err.Error()
			if constraints[0].op == equal {
				r.versions = []string{constraints[0].version}
			}
			return r, nil
		}
	}
	comparators, err := versComparators(scheme, constraints)
	if err != nil {
		return Range{}, err
	}
	if err := checkVERSOrder(comparators); err != nil {
		return Range{}, err
	}
	r.sets = versSets(comparators)
	return r, nil
}

func versComparators(scheme Scheme, constraints []versConstraint) ([]comparator, error) {
	comparators := make([]comparator, 0, len(constraints))
	for i, c := range constraints {
		v, err := scheme.Parse(c.version)
		if err != nil {
			return nil, err
		}
		comparators = append(comparators, comparator{c.op, v})
		if i == 0 {
			continue
		}
		switch last := comparators[i-1].version; v.Compare(last) {
		case 0:
			return nil, fmt.Errorf("version %q is there twice: %w", c.version, ErrInvalid)
		case -1:
			return nil, fmt.Errorf("version %q comes after %q, which is higher: %w", c.version, last.raw, ErrInvalid)
		}
	}
	return comparators, nil
}

// checkVERSOrder checks which comparators follow which.
func checkVERSOrder(comparators []comparator) error {
	var last, bound operator
	for _, c := range comparators {
		isLower := c.op == atLeast || c.op == greater
		isUpper := c.op == less || c.op == atMost
		wasLower := bound == atLeast || bound == greater
		switch {
		case isUpper && last == equal:
			return fmt.Errorf("upper bound %s%s follows a single version: %w", c.op, c.version, ErrInvalid)
		case isLower && wasLower, isUpper && bound != 0 && !wasLower:
			return fmt.Errorf("bound %s%s follows a bound of the same side: %w", c.op, c.version, ErrInvalid)
		}
		if c.op != notEqual {
			last = c.op
		}
		if isLower || isUpper {
			bound = c.op
		}
	}
	return nil
}

// versSets turns ordered comparators into intervals and single versions, each
// without the excluded versions.
func versSets(comparators []comparator) []set {
	var sets []set
	var low, excluded []comparator
	for _, c := range comparators {
		switch c.op {
		case notEqual:
			excluded = append(excluded, c)
		case equal:
			sets = append(sets, set{comparators: []comparator{c}})
		case atLeast, greater:
			low = []comparator{c}
		default:
			sets = append(sets, set{comparators: append(low, c)})
			low = nil
		}
	}
	if low != nil || len(sets) == 0 {
		sets = append(sets, set{comparators: low})
	}
	for i := range sets {
		sets[i].comparators = append(sets[i].comparators, excluded...)
	}
	return sets
}

// versConstraint is one constraint, its version decoded.
type versConstraint struct {
	op      operator
	version string
}

// splitVERS cuts a specifier into its type and constraints; "*" gives none.
func splitVERS(s string) (typ string, constraints []versConstraint, err error) {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return "", nil, fmt.Errorf("byte %d is not a printable ASCII character: %w", i+1, ErrInvalid)
		}
	}
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || scheme != "vers" {
		return "", nil, fmt.Errorf(`it does not start with "vers:": %w`, ErrInvalid)
	}
	typ, rest, ok = strings.Cut(rest, "/")
	switch {
	case !ok:
		return "", nil, fmt.Errorf("no slash ends its type: %w", ErrInvalid)
	case !isVERSType(typ):
		return "", nil, fmt.Errorf("its type %.64q is not a lower-case letter with lower-case letters, digits, . or - after it: %w", typ, ErrInvalid)
	case rest == "":
		return "", nil, fmt.Errorf("it has no constraint: %w", ErrInvalid)
	case rest == "*":
		return typ, nil, nil
	case typ == versAll || typ == versNone:
		return "", nil, fmt.Errorf(`type %q has a constraint other than "*": %w`, typ, ErrInvalid)
	}
	for c := range strings.SplitSeq(rest, "|") {
		constraint, err := parseVERSConstraint(c)
		if err != nil {
			return "", nil, err
		}
		constraints = append(constraints, constraint)
	}
	return typ, constraints, nil
}

func isVERSType(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLower(c) && (i == 0 || !isDigit(c) && c != '.' && c != '-') {
			return false
		}
	}
	return s != ""
}
