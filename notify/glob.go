package notify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// maxGlob bounds a pattern, in bytes.
const maxGlob = 512

// glob is a pattern in which "*" stands for any characters: the texts between the stars.
// Matching takes the first place where each fits, which is never worse than a later one:
// no pattern makes it try again.
type glob []string

func parseGlob(p string) (glob, error) {
	if p == "" || len(p) > maxGlob {
		return nil, fmt.Errorf("want 1 to %d bytes: %w", maxGlob, fault.Invalid)
	}
	return strings.Split(p, "*"), nil
}

func (g glob) match(s string) bool {
	last := len(g) - 1
	s, ok := strings.CutPrefix(s, g[0])
	if !ok || last == 0 {
		return ok && s == ""
	}
	if s, ok = strings.CutSuffix(s, g[last]); !ok {
		return false
	}
	for _, text := range g[1:last] {
		if _, s, ok = strings.Cut(s, text); !ok {
			return false
		}
	}
	return true
}

// globs are patterns: one of those without "!" matches, and none of those with it. Where
// all exclude, everything else is included.
type globs struct{ with, without []glob }

func parseGlobs(list []string) (out globs, err error) {
	if len(list) > MaxPatterns {
		return out, fmt.Errorf("%d patterns are over the limit of %d: %w", len(list), MaxPatterns, fault.Limit)
	}
	for _, p := range list {
		body, excludes := strings.CutPrefix(p, "!")
		g, err := parseGlob(body)
		switch {
		case err != nil:
			return out, fmt.Errorf("pattern %.80q: %w", p, err)
		case excludes:
			out.without = append(out.without, g)
		default:
			out.with = append(out.with, g)
		}
	}
	return out, nil
}

// match reports whether the names of one thing, any of them, are what is asked for.
func (g *globs) match(names ...string) bool {
	return (len(g.with) == 0 || anyMatch(g.with, names)) && !anyMatch(g.without, names)
}

func anyMatch(list []glob, names []string) bool {
	for _, g := range list {
		if slices.ContainsFunc(names, g.match) {
			return true
		}
	}
	return false
}
