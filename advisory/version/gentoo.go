package version

import "strings"

// gentoo orders Gentoo ebuild versions:
// number{.number}[letter]{_suffix[number]}[-rnumber].
//
// Source: Package Manager Specification, §3.2 and §3.3 (algorithms 3.1 to 3.7).
var gentoo = partRules("gentoo", splitGentoo, checkGentoo, orderGentoo)

// gentooParts are the parts of a version.
type gentooParts struct {
	numbers     string // dotted
	letter      string
	suffixes    string // each with its underscore
	revision    string // digits
	hasRevision bool
}

func splitGentoo(s string) (p gentooParts) {
	i := 0
	for i < len(s) && (isDigit(s[i]) || s[i] == '.') {
		i++
	}
	p.numbers, s = s[:i], s[i:]
	if s != "" && isLower(s[0]) {
		p.letter, s = s[:1], s[1:]
	}
	p.suffixes, p.revision, p.hasRevision = strings.Cut(s, "-r")
	return p
}

func checkGentoo(p gentooParts) string {
	ok := isDotted(p.numbers, digitChars) && (!p.hasRevision || allDigits(p.revision))
	for ok && p.suffixes != "" {
		var rank int
		rank, _, p.suffixes = cutGentooSuffix(p.suffixes)
		ok = rank != 0
	}
	if !ok {
		return "it is not number{.number}[letter]{_suffix[number]}[-rnumber]"
	}
	return ""
}

// cutGentooSuffix cuts one suffix off the start of s. The rank orders suffixes,
// those of pre-releases are negative; zero is no suffix.
func cutGentooSuffix(s string) (rank int, number, rest string) {
	name, isSuffix := strings.CutPrefix(s, "_")
	i := 0
	for i < len(name) && isLower(name[i]) {
		i++
	}
	end := digitsEnd(name, i)
	if isSuffix {
		switch name[:i] {
		case "alpha":
			rank = -4
		case "beta":
			rank = -3
		case "pre":
			rank = -2
		case "rc":
			rank = -1
		case "p":
			rank = 1
		}
	}
	return rank, name[i:end], name[end:]
}

func orderGentoo(p, q gentooParts) int {
	if c := compareGentooNumbers(p.numbers, q.numbers); c != 0 {
		return c
	}
	if c := strings.Compare(p.letter, q.letter); c != 0 {
		return c
	}
	if c := compareGentooSuffixes(p.suffixes, q.suffixes); c != 0 {
		return c
	}
	return compareNumbers(p.revision, q.revision)
}

// compareGentooNumbers compares the first number by value and the others by
// value too, unless one has a leading zero: then as decimal fractions.
func compareGentooNumbers(a, b string) int {
	x, a, aMore := strings.Cut(a, ".")
	y, b, bMore := strings.Cut(b, ".")
	c := compareNumbers(x, y)
	for c == 0 && aMore && bMore {
		x, a, aMore = strings.Cut(a, ".")
		y, b, bMore = strings.Cut(b, ".")
		if x[0] == '0' || y[0] == '0' {
			c = strings.Compare(strings.TrimRight(x, "0"), strings.TrimRight(y, "0"))
		} else {
			c = compareNumbers(x, y)
		}
	}
	switch {
	case c != 0:
		return c
	case aMore:
		return 1
	case bMore:
		return -1
	}
	return 0
}

func compareGentooSuffixes(a, b string) int {
	for a != "" && b != "" {
		var aRank, bRank int
		var x, y string
		aRank, x, a = cutGentooSuffix(a)
		bRank, y, b = cutGentooSuffix(b)
		if aRank != bRank {
			return aRank - bRank
		}
		if c := compareNumbers(x, y); c != 0 {
			return c
		}
	}
	aRank, _, _ := cutGentooSuffix(a)
	bRank, _, _ := cutGentooSuffix(b)
	return aRank - bRank
}
