package rubygems

import (
	"cmp"
	"slices"
	"strings"
)

// isVersion reports whether RubyGems takes a text for a version: digits first, then letters
// and digits between dots.
func isVersion(s string) bool {
	if s == "" || s[0] < '0' || s[0] > '9' || strings.Contains(s, "..") || s[len(s)-1] == '.' {
		return false
	}
	return strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-") == ""
}

// segments takes a version apart into numbers and words (Gem::Version).
func segments(v string) []string {
	var out []string
	v = strings.ReplaceAll(v, "-", ".pre.")
	for i := 0; i < len(v); {
		j := i + 1
		for j < len(v) && kindOf(v[j]) == kindOf(v[i]) {
			j++
		}
		if kindOf(v[i]) != 0 {
			out = append(out, v[i:j])
		}
		i = j
	}
	return out
}

func kindOf(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return 1
	case 'a' <= c|0x20 && c|0x20 <= 'z':
		return 2
	}
	return 0
}

// compare compares two versions by their segments: words, which make a pre-release, come
// before numbers, and what is missing counts as zero.
func compare(a, b []string) int {
	a, b = canonical(a), canonical(b)
	for i := range max(len(a), len(b)) {
		x, y := "0", "0"
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		c := cmp.Compare(kindOf(y[0]), kindOf(x[0])) // a word is of the higher kind
		if c == 0 && kindOf(x[0]) == 1 {
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			c = cmp.Compare(len(x), len(y))
		}
		if c = cmp.Or(c, strings.Compare(x, y)); c != 0 {
			return c
		}
	}
	return 0
}

// canonical leaves out the zeros before the first word and at the end.
func canonical(v []string) []string {
	isZero := func(s string) bool { return strings.Trim(s, "0") == "" }
	for len(v) > 0 && isZero(v[len(v)-1]) {
		v = v[:len(v)-1]
	}
	word := slices.IndexFunc(v, func(s string) bool { return kindOf(s[0]) == 2 })
	first := word
	for first > 0 && isZero(v[first-1]) {
		first--
	}
	if first < word {
		v = slices.Concat(v[:first], v[word:])
	}
	return v
}

// clause is one of the conditions of a requirement.
type clause struct {
	op    string
	bound []string
}

// clauses takes apart requirements such as ">= 1.2, < 3"
// (https://guides.rubygems.org/patterns/#pessimistic-version-constraint).
func clauses(requirements string) []clause {
	var out []clause
	for r := range strings.SplitSeq(requirements, ",") {
		r = strings.TrimSpace(r)
		bound := strings.TrimLeft(r, "=<>!~ ")
		if list := segments(bound); len(list) > 0 {
			out = append(out, clause{strings.TrimSpace(r[:len(r)-len(bound)]), list})
		}
	}
	return out
}

// allow reports whether all conditions allow a version.
func allow(list []clause, version []string) bool {
	return !slices.ContainsFunc(list, func(c clause) bool { return !compared(c.op, version, c.bound) })
}

func compared(op string, version, bound []string) bool {
	c := compare(version, bound)
	switch op {
	case "!=":
		return c != 0
	case ">":
		return c > 0
	case "<":
		return c < 0
	case ">=":
		return c >= 0
	case "<=":
		return c <= 0
	case "~>": // all numbers but the last one are as they are in the bound
		prefix := release(bound)
		prefix = prefix[:max(1, len(prefix)-1)]
		own := release(version)
		return c >= 0 && compare(own[:min(len(own), len(prefix))], prefix) <= 0
	}
	return c == 0
}

// release returns the numbers before the first word of a version.
func release(v []string) []string {
	for i, s := range v {
		if kindOf(s[0]) == 2 {
			v = v[:i]
			break
		}
	}
	if len(v) == 0 {
		return []string{"0"}
	}
	return v
}
