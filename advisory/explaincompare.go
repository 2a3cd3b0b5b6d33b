package advisory

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/version"
)

// explain compares a version with each range and list of an entry, as decide
// does, and says so in words.
func (c *comparison) explain(e *Entry) []finding.Comparison {
	var out []finding.Comparison
	for i := range e.Ranges {
		r := &e.Ranges[i]
		one := finding.Comparison{Type: string(r.Type), Range: rangeText(r.Events)}
		switch {
		case r.Type == RangeGit:
			one.Answer, one.Why = "not compared", "commits of "+r.Repo+" are no versions"
		case c.query.version == "":
			one.Answer, one.Why = "not compared", "there is no version"
		default:
			a := c.contains(r)
			one.Answer, one.Why = a.State.String(), a.Reason
			if a.Reason == "" {
				one.Why = c.words(r.Events)
			}
		}
		out = append(out, one)
	}
	if e.Versions != "" {
		out = append(out, c.explainList(e))
	}
	return out
}

// explainList is explain for enumerated versions.
func (c *comparison) explainList(e *Entry) finding.Comparison {
	n := 0
	for range e.Versions.All() {
		n++
	}
	one := finding.Comparison{Type: spanVersions, Range: fmt.Sprintf("%d enumerated", n)}
	switch {
	case c.query.version == "":
		one.Answer, one.Why = "not compared", "there is no version"
	case e.Versions.Has(c.query.version):
		one.Answer, one.Why = "yes", c.query.version+" is one of them"
	case hasRange(&e.Affected):
		one.Answer, one.Why = "no", c.query.version+" is none of them as it is written; the ranges decide"
	default:
		a := c.enumerated(e.Versions)
		if one.Answer, one.Why = a.State.String(), a.Reason; a.Reason == "" {
			one.Why = c.query.version + " equals one of them"
			if a.State == version.No {
				one.Why = c.query.version + " equals none of them"
			}
		}
	}
	return one
}

// bound is the version of an event, and what it means.
type bound struct{ version, meaning string }

// bounds returns the nearest bounds of events at or below the version, and
// above it. It fails with the version that cannot be compared.
func (c *comparison) bounds(events []version.Event) (below, above bound, failed string) {
	for _, e := range events {
		for _, b := range [...]bound{{e.Introduced, "introduced"}, {e.Fixed, "fixed"}, {e.LastAffected, "last affected"}, {e.Limit, "limit"}} {
			if b.version == "" || b.version == "*" {
				continue
			}
			if b.version == "0" && b.meaning == "introduced" {
				if below.version == "" {
					below = b
				}
				continue
			}
			v := b.version
			if c.query.noEpoch {
				v = cutEpoch(v)
			}
			o, err := c.scheme.Compare(c.query.version, v)
			switch {
			case err != nil:
				return below, above, b.version
			case o >= 0 && (below.version == "" || below.version == "0" || !c.less(b.version, below.version)):
				below = b
			case o < 0 && (above.version == "" || c.less(b.version, above.version)):
				above = b
			}
		}
	}
	return below, above, ""
}

// words says how a version lies to the nearest bounds of events:
// "1.2-3 >= 1.2-3 (fixed)".
func (c *comparison) words(events []version.Event) string {
	below, above, failed := c.bounds(events)
	if failed != "" {
		return fmt.Sprintf("%s cannot be compared with %s", c.query.version, failed)
	}
	var parts []string
	if below.version != "" {
		parts = append(parts, fmt.Sprintf("%s >= %s (%s)", c.query.version, below.version, below.meaning))
	}
	if above.version != "" {
		parts = append(parts, fmt.Sprintf("%s < %s (%s)", c.query.version, above.version, above.meaning))
	}
	if c.query.noEpoch {
		parts = append(parts, "without epochs: the name of the source package has none")
	}
	return strings.Join(parts, ", ")
}

// fixedBy returns the fixed version that a version is at or after, or "": the
// nearest bound at or below it, of the ranges of an entry that do not contain
// it.
func (c *comparison) fixedBy(e *Entry) string {
	best := ""
	for i := range e.Ranges {
		if e.Ranges[i].Type == RangeGit {
			continue
		}
		below, _, failed := c.bounds(e.Ranges[i].Events)
		if failed == "" && below.meaning == "fixed" && (best == "" || c.less(best, below.version)) {
			best = below.version
		}
	}
	return best
}

// fixedVersions returns every fixed version that an entry names.
func fixedVersions(a *Affected) []string {
	var out []string
	for i := range a.Ranges {
		if a.Ranges[i].Type == RangeGit {
			continue
		}
		for _, e := range a.Ranges[i].Events {
			if e.Fixed != "" {
				out = append(out, e.Fixed)
			}
		}
	}
	return distinct(out)
}
