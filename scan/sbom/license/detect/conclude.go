package detect

import (
	"slices"

	"github.com/stella-ops/stella/scan/sbom/license"
)

// Expressions returns what the matches of one file say, as SPDX expressions,
// sorted, each once. Names count only where there is nothing better. A text that
// several identifiers have is taken as the one that a notice or tag of the file
// gives: a copy of the GPL alone does not say whether later versions may be
// used, and its shortest identifier, "GPL-2.0-only", stands for the text.
//
// An exception is added to the licence before it, or else to the one after it,
// and left out where that makes no expression.
func Expressions(matches []Match) []string {
	var out []string
	best := Name
	for _, m := range matches {
		if m.Kind != Name && !m.Exception {
			best = Text
		}
	}
	for i, m := range matches {
		if m.Exception || best != Name && m.Kind == Name {
			continue
		}
		expr := m.Expression
		for _, other := range matches {
			if (other.Kind == Notice || other.Kind == Tag) && slices.Contains(m.Also, other.Expression) {
				expr = other.Expression
			}
		}
		if e := exceptionAt(matches, i); e != "" {
			if with := expr + " WITH " + e; license.Parse(with) == nil {
				expr = with
			}
		}
		out = append(out, expr)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// exceptionAt returns the exception that belongs to match i, or "".
func exceptionAt(matches []Match, i int) string {
	if i+1 < len(matches) && matches[i+1].Exception {
		return matches[i+1].Expression
	}
	if i == 1 && matches[0].Exception {
		return matches[0].Expression
	}
	return ""
}
