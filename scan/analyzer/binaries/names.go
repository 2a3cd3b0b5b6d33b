package binaries

import "strings"

// A pattern of names is a name, in which "#" at its end stands for a version or nothing, "*"
// for anything, and ".so" for a shared library with or without a version behind it:
// "libpython#.so" is libpython3.so and libpython3.11.so.1.0.

// matchName reports whether a base name is of a pattern, and what "#" stands for.
func matchName(pattern, base string) (version string, ok bool) {
	if p, library := strings.CutSuffix(pattern, ".so"); library {
		i := strings.LastIndex(base, ".so")
		if i < 0 || strings.Trim(base[i+3:], ".0123456789") != "" || i+3 < len(base) && base[i+3] != '.' {
			return "", false
		}
		pattern, base = p, base[:i]
	}
	if p, open := strings.CutSuffix(pattern, "*"); open {
		return "", strings.HasPrefix(base, p)
	}
	pattern, versioned := strings.CutSuffix(pattern, "#")
	rest, ok := strings.CutPrefix(base, pattern)
	rest = strings.TrimPrefix(rest, "-")
	return rest, ok && (base == pattern || versioned && isVersion(rest))
}

// isVersion reports whether s is numbers and dots, with the letters that builds of Python
// have behind them, or the hash that Rust puts behind the name of a library.
func isVersion(s string) bool {
	if len(s) == 16 && strings.Trim(s, "0123456789abcdef") == "" {
		return true
	}
	s = strings.TrimRight(s, "dmtu")
	return s != "" && '0' <= s[0] && s[0] <= '9' && strings.Trim(s, ".0123456789") == ""
}

// candidate is a program that a file may be by its name.
type candidate struct {
	*program
	series  string // what the name says of the version, such as "3.11"
	library bool
}

// candidates returns the programs that a file of that name may be.
func candidates(base string) []candidate {
	var out []candidate
	for i := range programs {
		p := &programs[i]
		for _, pattern := range p.files {
			version, ok := matchName(pattern, base)
			if !ok {
				continue
			}
			c := candidate{program: p, library: strings.HasSuffix(pattern, ".so")}
			if p.series {
				c.series = strings.TrimRight(version, "dmtu")
			}
			if !p.series || strings.Contains(c.series, ".") {
				out = append(out, c)
			}
			break
		}
	}
	return out
}
