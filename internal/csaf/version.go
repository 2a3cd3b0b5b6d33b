package csaf

import (
	"cmp"
	"strings"
)

// number is a document version: an integer, or a semantic version. Its parts
// are decimal digits of any length without leading zeros.
//
// Source: CSAF 2.0, section 3.1.11.
type number struct {
	semantic   bool
	core       [3]string // major, minor, patch; an integer is the major version
	prerelease string    // without the hyphen
	build      string    // without the plus
}

// parseVersion reads a version and reports whether it is one.
func parseVersion(s string) (n number, ok bool) {
	if isNumeral(s) {
		return number{core: [3]string{s, "0", "0"}}, true
	}
	n.semantic = true
	rest, build, hasBuild := strings.Cut(s, "+")
	core, prerelease, hasPre := strings.Cut(rest, "-")
	parts := strings.Split(core, ".")
	if len(parts) != 3 {
		return number{}, false
	}
	for i, p := range parts {
		if !isNumeral(p) {
			return number{}, false
		}
		n.core[i] = p
	}
	n.prerelease, n.build = prerelease, build
	return n, (!hasBuild || identifiers(build, false)) && (!hasPre || identifiers(prerelease, true))
}

// isNumeral accepts digits without a leading zero.
func isNumeral(s string) bool {
	return s == "0" || s != "" && s[0] != '0' && isDigits(s)
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// identifiers accepts identifiers separated by dots; where strict, those of
// digits alone have no leading zero.
func identifiers(s string, strict bool) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || strict && isDigits(part) && !isNumeral(part) {
			return false
		}
		for _, c := range part {
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-') {
				return false
			}
		}
	}
	return true
}

// initial reports whether n is of the time before the first release: 0 or
// 0.y.z.
func (n number) initial() bool { return n.core[0] == "0" }

// compare orders versions by precedence, which ignores build metadata.
func (n number) compare(other number) int {
	for i := range n.core {
		if c := compareNumerals(n.core[i], other.core[i]); c != 0 {
			return c
		}
	}
	return comparePrerelease(n.prerelease, other.prerelease)
}

func compareNumerals(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func comparePrerelease(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	}
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		x, y := as[i], bs[i]
		c := 0
		switch {
		case isDigits(x) && isDigits(y):
			c = compareNumerals(x, y)
		case isDigits(x):
			c = -1
		case isDigits(y):
			c = 1
		default:
			c = strings.Compare(x, y)
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(as), len(bs))
}

// follows reports whether n's major version is m's or the next one.
func (n number) follows(m number) bool {
	return n.core[0] == m.core[0] || n.core[0] == increment(m.core[0])
}

// increment adds one to a numeral of any length.
func increment(s string) string {
	digits := []byte(s)
	for i := len(digits) - 1; i >= 0; i-- {
		if digits[i] != '9' {
			digits[i]++
			return string(digits)
		}
		digits[i] = '0'
	}
	return "1" + string(digits)
}
