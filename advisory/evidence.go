package advisory

import (
	"slices"

	"github.com/stella-ops/stella/advisory/version"
)

// span writes the interval of a range that contains the version, such as
// ">= 0, < 1.2.3".
func (c *comparison) span(events []version.Event) string {
	var low, high, sign string
	for _, e := range events {
		if v := e.Introduced; v != "" && (v == "0" || c.order(v) <= 0) && (low == "" || low == "0" || v != "0" && c.less(low, v)) {
			low = v
		}
		v, s := e.Fixed, "< "
		if v == "" {
			v, s = e.LastAffected, "<= "
		}
		if v == "" || c.order(v) < 0 || e.Fixed != "" && c.order(v) == 0 {
			continue
		}
		if high == "" || c.less(v, high) {
			high, sign = v, s
		}
	}
	out := ">= " + low
	if high != "" {
		out += ", " + sign + high
	}
	return out
}

// order compares a version of a record with the one that is asked about.
// Versions that cannot be compared count as equal: they are only shown.
func (c *comparison) order(v string) int {
	if c.query.noEpoch {
		v = cutEpoch(v)
	}
	o, err := c.scheme.Compare(v, c.query.version)
	if err != nil {
		return 0
	}
	return o
}

func (c *comparison) less(v, w string) bool {
	o, err := c.scheme.Compare(v, w)
	return err == nil && o < 0
}

// fixes returns the versions after the one that is asked about in which an
// entry is fixed, and which the entry does not affect.
func (c *comparison) fixes(e *Entry) []string {
	var out []string
	for i := range e.Ranges {
		if e.Ranges[i].Type == RangeGit {
			continue
		}
		for _, event := range e.Ranges[i].Events {
			if v := event.Fixed; v != "" && c.order(v) > 0 {
				out = append(out, v)
			}
		}
	}
	if len(out) == 0 || len(e.Ranges) == 1 && len(e.Ranges[0].Events) <= 2 {
		return out
	}
	sets := c.sets(e)
	return slices.DeleteFunc(out, func(v string) bool {
		return slices.ContainsFunc(sets, func(set version.Range) bool { return set.Contains(v).State == version.Yes })
	})
}

// sets returns the ranges of an entry that can be read.
func (c *comparison) sets(e *Entry) []version.Range {
	var out []version.Range
	for i := range e.Ranges {
		if e.Ranges[i].Type == RangeGit {
			continue
		}
		if set, err := version.NewRange(c.scheme, e.Ranges[i].Events); err == nil {
			out = append(out, set)
		}
	}
	return out
}

// sortVersions sorts versions by the order of a scheme, and drops repeated
// ones. Versions that it cannot compare keep the order of their texts.
func sortVersions(scheme version.Scheme, versions []string) []string {
	if len(versions) == 0 {
		return nil
	}
	slices.Sort(versions)
	versions = slices.Compact(versions)
	slices.SortStableFunc(versions, func(a, b string) int {
		o, err := scheme.Compare(a, b)
		if err != nil {
			return 0
		}
		return o
	})
	return versions
}
