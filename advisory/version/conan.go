package version

import "strings"

// conan orders Conan versions: dotted items, a pre-release after the first
// hyphen and a build after the last plus, each compared by items: numbers by
// value, all else as text. Zeros at the end do not count.
//
// The order is Conan's own and not transitive where an item mixes digits and
// letters: 2 < 10 by value, but 10 < 1a < 2 as text.
//
// Source: Conan 2, conans/model/version.py.
var conan = partRules("conan", splitConan, checkConan, orderConan)

func splitConan(s string) (p semverParts) {
	if i := strings.LastIndexByte(s, '+'); i >= 0 {
		s, p.build, p.isBuild = s[:i], s[i+1:], true
	}
	if i := strings.IndexByte(s, '-'); i >= 0 {
		s, p.pre, p.isPre = s[:i], s[i+1:], true
	}
	p.core = s
	return p
}

func checkConan(p semverParts) string {
	if hasControl(p.core) || hasControl(p.pre) || hasControl(p.build) {
		return whyControl
	}
	return ""
}

func orderConan(p, q semverParts) int {
	if c := compareConanItems(p.core, q.core); c != 0 {
		return c
	}
	switch {
	case p.isPre && !q.isPre:
		return -1
	case !p.isPre && q.isPre:
		return 1
	}
	if c := compareConanItems(p.pre, q.pre); c != 0 {
		return c
	}
	switch {
	case p.isBuild && !q.isBuild:
		return 1
	case !p.isBuild && q.isBuild:
		return -1
	}
	return compareConanItems(p.build, q.build)
}

// compareConanItems compares dotted items without the zeros at their end; of
// two lists where one is the other's start, the longer is the greater.
func compareConanItems(a, b string) int {
	a, aMore := trimConanZeros(a)
	b, bMore := trimConanZeros(b)
	for aMore && bMore {
		var x, y string
		x, a, aMore = cutByte(a, '.')
		y, b, bMore = cutByte(b, '.')
		if c := compareConanItem(x, y); c != 0 {
			return c
		}
	}
	switch {
	case aMore:
		return 1
	case bMore:
		return -1
	}
	return 0
}

// trimConanZeros drops the zero items at the end; some is false where no item
// is left.
func trimConanZeros(s string) (rest string, some bool) {
	for {
		i := strings.LastIndexByte(s, '.')
		if n, ok := conanNumber(s[i+1:]); !ok || n != "" {
			return s, true
		}
		if i < 0 {
			return "", false
		}
		s = s[:i]
	}
}

func compareConanItem(x, y string) int {
	m, xNum := conanNumber(x)
	n, yNum := conanNumber(y)
	if xNum && yNum {
		return compareSigned(m, n)
	}
	return strings.Compare(conanText(x, m, xNum), conanText(y, n, yNum))
}

// conanNumber returns an item as a number without leading zeros, zero as
// nothing. As in Python's int, a sign may come first and single underscores
// between the digits.
func conanNumber(s string) (number string, ok bool) {
	if !strings.ContainsAny(s, "+-_") {
		return trimZeros(s), allDigits(s)
	}
	digits := strings.TrimPrefix(s, "+")
	if digits == s {
		digits = strings.TrimPrefix(s, "-")
	}
	for part := range strings.SplitSeq(digits, "_") {
		if !allDigits(part) {
			return "", false
		}
	}
	number = trimZeros(strings.ReplaceAll(digits, "_", ""))
	if s[0] == '-' && number != "" {
		number = "-" + number
	}
	return number, true
}

// conanText is an item as text.
func conanText(s, number string, isNumber bool) string {
	switch {
	case !isNumber:
		return s
	case number == "":
		return "0"
	}
	return number
}
