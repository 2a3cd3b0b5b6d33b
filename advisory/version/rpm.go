package version

import "strings"

// rpm orders RPM versions, [epoch:]version[-release].
//
// Source: rpm-version(7); rpm's rpmio/rpmvercmp.cc and rpmio/rpmver.cc, whose
// rpmverCmp is `rpm.vercmp` in Lua. A missing epoch is 0; a missing release
// orders before any release, an empty one included.
var rpm = rawRules("rpm", checkRPM, orderRPM)

func checkRPM(s string) string {
	switch {
	case s == "":
		return whyEmpty
	case hasControl(s):
		return whyControl
	}
	return ""
}

// splitEVR cuts a version at the colon after leading digits and at its last
// hyphen. A missing epoch is "0", as an empty one is.
func splitEVR(s string) (epoch, version, release string, hasRelease bool) {
	epoch = "0"
	if i := digitsEnd(s, 0); i < len(s) && s[i] == ':' {
		if i > 0 {
			epoch = s[:i]
		}
		s = s[i+1:]
	}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		return epoch, s[:i], s[i+1:], true
	}
	return epoch, s, "", false
}

func orderRPM(a, b string) int {
	ae, av, ar, aHas := splitEVR(a)
	be, bv, br, bHas := splitEVR(b)
	if c := compareNumbers(ae, be); c != 0 {
		return c
	}
	if c := compareRPMPart(av, bv); c != 0 {
		return c
	}
	switch {
	case aHas && !bHas:
		return 1
	case bHas && !aHas:
		return -1
	}
	return compareRPMPart(ar, br)
}

// compareRPMPart is rpmvercmp: segments of digits or of letters one after
// another, separators skipped; a number is newer than letters, a tilde sorts
// before the end, a caret after the end but before anything else.
func compareRPMPart(a, b string) int {
	i, j := 0, 0
	for {
		i, j = rpmSegment(a, i), rpmSegment(b, j)
		aEnd, bEnd := i == len(a), j == len(b)
		if aEnd && bEnd {
			return 0
		}
		if c, mark := compareRPMMark(a[i:], b[j:]); c != 0 {
			return c
		} else if mark {
			i++
			j++
			continue
		}
		if aEnd {
			return -1
		}
		if bEnd {
			return 1
		}
		var ie, je int
		var c int
		if isDigit(a[i]) {
			if ie, je = digitsEnd(a, i), digitsEnd(b, j); je == j {
				return 1
			}
			c = compareNumbers(a[i:ie], b[j:je])
		} else {
			if ie, je = lettersEnd(a, i), lettersEnd(b, j); je == j {
				return -1
			}
			c = strings.Compare(a[i:ie], b[j:je])
		}
		if c != 0 {
			return c
		}
		i, j = ie, je
	}
}

// rpmSegment skips separators: everything but ASCII letters, digits, ~ and ^.
func rpmSegment(s string, i int) int {
	for i < len(s) && !isAlnum(s[i]) && s[i] != '~' && s[i] != '^' {
		i++
	}
	return i
}

func lettersEnd(s string, i int) int {
	for i < len(s) && isAlpha(s[i]) {
		i++
	}
	return i
}

// compareRPMMark decides where either rest starts with ~ or ^; mark says that
// both start with the same one.
func compareRPMMark(a, b string) (c int, mark bool) {
	at, bt := strings.HasPrefix(a, "~"), strings.HasPrefix(b, "~")
	switch {
	case at && bt:
		return 0, true
	case at:
		return -1, false
	case bt:
		return 1, false
	}
	ac, bc := strings.HasPrefix(a, "^"), strings.HasPrefix(b, "^")
	switch {
	case ac && bc:
		return 0, true
	case ac && b == "", bc && a != "":
		return 1, false
	case bc && a == "", ac:
		return -1, false
	}
	return 0, false
}
