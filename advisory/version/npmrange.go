package version

import (
	"fmt"
	"slices"
	"strings"
)

// NPMOptions says how [ParseNPMRange] reads a range. The zero value is npm's
// default.
type NPMOptions struct {
	// Loose accepts versions as npm reads them from the registry (=1.2.3,
	// 01.2.3, 1.2.3beta) and drops comparators that it cannot read.
	Loose bool
	// IncludePrerelease lets pre-releases match like all other versions. By
	// default they match only where a comparator has the same major, minor and
	// patch and a pre-release itself.
	IncludePrerelease bool
}

// ParseNPMRange reads a range as npm writes them: comparators (>=1.2.3), x
// ranges (1.x), tilde (~1.2), caret (^1.2.3), hyphen ranges (1 - 2), and "||"
// between alternatives. A nil opts is the default. Whatever node-semver refuses
// is an error that wraps [ErrInvalid]; so is what only slips through its regular
// expressions, such as 1.2.3* and, in loose mode, 1.2.34.5.
//
// Source: node-semver 7, README "Ranges" and classes/range.js.
func ParseNPMRange(s string, opts *NPMOptions) (Range, error) {
	p := npmRangeParser{}
	if opts != nil {
		p.NPMOptions = *opts
	}
	var sets []set
	for part := range strings.SplitSeq(s, "||") {
		comparators, ok, err := p.parseSet(strings.Join(strings.FieldsFunc(part, isSpace), " "))
		if err != nil {
			return Range{}, fmt.Errorf("parse npm range %.128q: %w", s, err)
		}
		if ok {
			sets = append(sets, set{comparators, !p.IncludePrerelease})
		}
	}
	if len(sets) == 0 {
		return Range{}, fmt.Errorf("parse npm range %.128q: it has no comparator: %w", s, ErrInvalid)
	}
	return Range{scheme: Scheme{&npm}, sets: simplifyNPMSets(sets)}, nil
}

func isSpace(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }

// nothingNPM is the comparator that no version meets.
const nothingNPM = "0.0.0-0"

// simplifyNPMSets leaves out empty sets next to others, and all sets next to
// one of all versions.
func simplifyNPMSets(sets []set) []set {
	isNothing := func(s set) bool {
		return len(s.comparators) > 0 && s.comparators[0].op == less && s.comparators[0].version.raw == nothingNPM
	}
	for _, s := range sets {
		if len(s.comparators) == 0 {
			return []set{s}
		}
	}
	if kept := slices.DeleteFunc(slices.Clone(sets), isNothing); len(kept) > 0 {
		return kept
	}
	return sets[:1]
}

// allowsPreRelease reports whether v is no pre-release, or one of the numbers
// of a comparator that has a pre-release too.
func (s set) allowsPreRelease(v Version) bool {
	p := splitNPM(v.raw)
	if !p.isPre {
		return true
	}
	for _, c := range s.comparators {
		if q := splitNPM(c.version.raw); q.isPre && compareDotted(p.core, q.core) == 0 {
			return true
		}
	}
	return false
}

// npmRangeParser reads the alternatives of a range.
type npmRangeParser struct{ NPMOptions }

// parseSet reads comparators with one space between them. It reports false
// where loose mode dropped them all.
func (p npmRangeParser) parseSet(s string) (comparators []comparator, ok bool, err error) {
	s = dropNPMBuilds(s)
	parts, isHyphen := p.parseHyphen(s)
	if !isHyphen {
		if parts, ok, err = p.parseComparators(s); err != nil || !ok {
			return nil, false, err
		}
	}
	seen := make(map[npmComparator]bool, len(parts))
	for _, c := range parts {
		v, err := c.version()
		if err != nil {
			return nil, false, err
		}
		if c.op == less && v.raw == nothingNPM {
			return []comparator{{less, v}}, true, nil
		}
		if !p.isAll(c) && !seen[c] {
			comparators = append(comparators, comparator{c.op, v})
		}
		seen[c] = true
	}
	return comparators, true, nil
}

// isAll reports whether every version meets c.
func (p npmRangeParser) isAll(c npmComparator) bool {
	wantPre := ""
	if p.IncludePrerelease {
		wantPre = "0"
	}
	return c.op == 0 || c.op == atLeast && c.numbers == [3]uint64{} && c.pre == wantPre
}

// parseComparators reads what is not a hyphen range.
func (p npmRangeParser) parseComparators(s string) (parts []npmComparator, ok bool, err error) {
	for _, field := range joinNPMSigns(strings.Split(s, " ")) {
		cs, err := p.parseComparator(field)
		switch {
		case err == nil:
			parts, ok = append(parts, cs...), true
		case !p.Loose:
			return nil, false, err
		}
	}
	return parts, ok, nil
}

// joinNPMSigns joins signs with what a space parts them from: signs of order
// with a version only, tilde and caret with anything.
func joinNPMSigns(fields []string) []string {
	fields = joinNext(fields, func(field, next string) bool {
		switch field {
		case "<", "<=", ">", ">=", "=":
			next = strings.TrimLeft(next, "v=")
			return next != "" && (isDigit(next[0]) || strings.IndexByte("xX*", next[0]) >= 0)
		}
		return false
	})
	return joinNext(fields, func(field, _ string) bool {
		return strings.HasSuffix(field, "~") || strings.HasSuffix(field, "~>") || strings.HasSuffix(field, "^")
	})
}

// joinNext joins each field with the next one for as long as join says so.
func joinNext(fields []string, join func(field, next string) bool) []string {
	var joined []string
	for start, i := 0, 0; i < len(fields); i++ {
		if i+1 < len(fields) && join(fields[i], fields[i+1]) {
			continue
		}
		joined = append(joined, strings.Join(fields[start:i+1], ""))
		start = i + 1
	}
	return joined
}

// parseHyphen reads "from - to".
func (p npmRangeParser) parseHyphen(s string) (parts []npmComparator, ok bool) {
	from, to, found := strings.Cut(s, " - ")
	if !found {
		return nil, false
	}
	x, xOK := p.parsePartial(from)
	y, yOK := p.parsePartial(to)
	if !xOK || !yOK {
		return nil, false
	}
	return []npmComparator{p.hyphenLow(x), p.hyphenHigh(y)}, true
}

// dropNPMBuilds removes build metadata: a plus and dotted identifiers.
func dropNPMBuilds(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '+')
		if i < 0 || i+1 == len(s) || !identChars.has(s[i+1]) {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		s = s[i+1:]
		end := 0
		for end < len(s) && (identChars.has(s[end]) || s[end] == '.' && end+1 < len(s) && identChars.has(s[end+1])) {
			end++
		}
		s = s[end:]
	}
}
