package version

import "strings"

// nuget orders NuGet versions: one to four numbers, where a missing one is
// zero, and optionally a pre-release, compared without regard to case. Build
// metadata is ignored.
//
// Source: NuGet documentation, "Package versioning"; NuGet.Versioning,
// VersionComparer (mode VersionRelease) and NuGetVersion.TryParse.
var nuget = partRules("nuget", splitNuGet, checkNuGet, orderNuGet)

// maxNuGetLabel is the largest number that a pre-release label can be; a larger
// one is compared as text.
const maxNuGetLabel = "2147483647"

func splitNuGet(s string) (p semverParts) {
	s = trimSpace(s)
	if i := strings.IndexByte(s, '+'); i >= 0 {
		s, p.build, p.isBuild = s[:i], s[i+1:], true
	}
	if i := strings.IndexByte(s, '-'); i >= 0 {
		s, p.pre, p.isPre = s[:i], s[i+1:], true
	}
	p.core = s
	return p
}

func checkNuGet(p semverParts) string {
	if why := checkSemver(p); why != "" {
		return why
	}
	if strings.Count(p.core, ".") > 3 {
		return "it has more than four numbers"
	}
	for pre := p.pre; pre != ""; {
		var label string
		label, pre, _ = cutByte(pre, '.')
		if len(label) > 1 && label[0] == '0' && allDigits(label) {
			return "a number in its pre-release has a leading zero"
		}
	}
	return ""
}

func orderNuGet(p, q semverParts) int {
	if c := compareDotted(p.core, q.core); c != 0 {
		return c
	}
	switch {
	case p.isPre && !q.isPre:
		return -1
	case !p.isPre && q.isPre:
		return 1
	}
	return compareLabels(p.pre, q.pre)
}

func compareLabels(a, b string) int {
	for a != "" && b != "" {
		var x, y string
		x, a, _ = cutByte(a, '.')
		y, b, _ = cutByte(b, '.')
		if c := compareLabel(x, y); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}

// compareLabel compares numbers by value and before text, text by letters
// without regard to case.
func compareLabel(x, y string) int {
	xNum, yNum := isNuGetNumber(x), isNuGetNumber(y)
	switch {
	case xNum && yNum:
		return compareSigned(x, y)
	case xNum:
		return -1
	case yNum:
		return 1
	}
	return compareFold(x, y)
}

// isNuGetNumber reports whether .NET's int.TryParse reads the label. A hyphen
// before the digits is a sign.
func isNuGetNumber(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if !allDigits(digits) {
		return false
	}
	c := compareNumbers(digits, maxNuGetLabel)
	return c <= 0 || len(digits) < len(s) && compareNumbers(digits, "2147483648") == 0
}

// compareSigned compares numbers that may have a minus.
func compareSigned(x, y string) int {
	xd, xNeg := strings.CutPrefix(x, "-")
	yd, yNeg := strings.CutPrefix(y, "-")
	zero := trimZeros(xd) == "" && trimZeros(yd) == ""
	switch {
	case zero:
		return 0
	case xNeg && yNeg:
		return compareNumbers(yd, xd)
	case xNeg:
		return -1
	case yNeg:
		return 1
	}
	return compareNumbers(xd, yd)
}

// compareFold compares texts with ASCII letters in lower case.
func compareFold(a, b string) int {
	for i := range min(len(a), len(b)) {
		if c := int(lower(a[i])) - int(lower(b[i])); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}
