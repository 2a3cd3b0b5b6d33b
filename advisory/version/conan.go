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
var conan = rawRules("conan", checkConan, orderConan)

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

func checkConan(s string) string {
	switch {
	case s == "":
		return whyEmpty
	case hasControl(s):
		return whyControl
	}
	return ""
}

func orderConan(a, b string) int {
	p, q := splitConan(a), splitConan(b)
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
		x, a, aMore = strings.Cut(a, ".")
		y, b, bMore = strings.Cut(b, ".")
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
		if last := s[i+1:]; !allDigits(last) || trimZeros(last) != "" {
			return s, true
		}
		if i < 0 {
			return "", false
		}
		s = s[:i]
	}
}

func compareConanItem(x, y string) int {
	xNum, yNum := allDigits(x), allDigits(y)
	if xNum && yNum {
		return compareNumbers(x, y)
	}
	return strings.Compare(conanText(x, xNum), conanText(y, yNum))
}

// conanText is an item as text, a number without leading zeros.
func conanText(s string, isNumber bool) string {
	if !isNumber {
		return s
	}
	if s = trimZeros(s); s == "" {
		return "0"
	}
	return s
}
