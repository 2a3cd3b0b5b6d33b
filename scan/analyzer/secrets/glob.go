package secrets

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// globs is a list of patterns of paths. In a pattern "*" stands for any text within one part
// of a path, "?" for one byte of it, and "**" as a whole part for any number of parts, also
// none but at the end. What begins and ends with plain text is found by look-ups.
type globs struct {
	dirs   map[string]bool // "a/b/**"
	parts  map[string]bool // "**/a/**"
	bases  map[string]bool // "**/a"
	ends   map[string]bool // "**/*.a", by what follows the last dot
	others [][]string
}

// maxGlob bounds the bytes of one pattern.
const maxGlob = 256

func compileGlobs(patterns []string) (*globs, error) {
	g := &globs{dirs: map[string]bool{}, parts: map[string]bool{}, bases: map[string]bool{}, ends: map[string]bool{}}
	for i, p := range patterns {
		if why := badGlob(p); why != "" {
			return nil, fmt.Errorf("[%d]: %.80q %s: %w", i, p, why, fault.Invalid)
		}
		g.add(p)
	}
	return g, nil
}

func badGlob(p string) string {
	if p == "" || len(p) > maxGlob {
		return fmt.Sprintf("has %d bytes, want 1 to %d", len(p), maxGlob)
	}
	if strings.ContainsAny(p, "\\[]{}") {
		return `has one of \[]{}: patterns have *, ? and **`
	}
	for part := range strings.SplitSeq(p, "/") {
		switch {
		case part == "" || part == "." || part == "..":
			return "has an empty part, . or ..: paths are relative to the root"
		case part != "**" && strings.Contains(part, "**"):
			return "has ** beside other text: it stands for whole parts"
		}
	}
	return ""
}

func (g *globs) add(p string) {
	plain := func(s string) bool { return !strings.ContainsAny(s, "*?") }
	dir, deep := strings.CutSuffix(p, "/**")
	tail, anywhere := strings.CutPrefix(p, "**/")
	switch {
	case deep && plain(dir):
		g.dirs[dir] = true
	case deep && anywhere && len(p) > len("**/**") && plain(dir[len("**/"):]) && !strings.Contains(dir[len("**/"):], "/"):
		g.parts[dir[len("**/"):]] = true
	case anywhere && plain(tail) && !strings.Contains(tail, "/"):
		g.bases[tail] = true
	case anywhere && strings.HasPrefix(tail, "*.") && plain(tail[2:]) && !strings.ContainsAny(tail[2:], "/."):
		g.ends[tail[2:]] = true
	default:
		g.others = append(g.others, splitGlob(p))
	}
}

// splitGlob splits a pattern. "**" at its end stands for one part or more: a folder is not
// in itself.
func splitGlob(p string) []string {
	parts := strings.Split(p, "/")
	if n := len(parts); n > 1 && parts[n-1] == "**" {
		parts = append(parts, "*")
	}
	return parts
}

func (g *globs) match(path string) bool {
	base := 0
	for i := 0; i < len(path); i++ {
		if path[i] == '/' {
			if g.dirs[path[:i]] || g.parts[path[base:i]] {
				return true
			}
			base = i + 1
		}
	}
	if g.bases[path[base:]] {
		return true
	}
	if dot := strings.LastIndexByte(path[base:], '.'); dot >= 0 && g.ends[path[base+dot+1:]] {
		return true
	}
	for _, o := range g.others {
		if matchParts(o, path) {
			return true
		}
	}
	return false
}

// matchParts matches a whole path. To go back to the last "**" is enough.
func matchParts(pattern []string, path string) bool {
	parts := strings.Split(path, "/")
	p, i, star, mark := 0, 0, -1, 0
	for i < len(parts) {
		switch {
		case p < len(pattern) && pattern[p] == "**":
			star, mark = p, i
			p++
		case p < len(pattern) && matchPart(pattern[p], parts[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == "**" {
		p++
	}
	return p == len(pattern)
}

func matchPart(pattern, s string) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
