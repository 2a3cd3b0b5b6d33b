package version

import "strings"

// rpm orders RPM versions, [epoch:]version[-release].
//
// Source: rpm-version(7); rpm's rpmio/rpmvercmp.cc and rpmio/rpmver.cc, whose
// rpmverCmp is `rpm.vercmp` in Lua. A missing epoch is 0; a missing release
// orders before any release, an empty one included.
var rpm = partRules("rpm", splitEVR, checkEVR, orderRPM)

// evr is the epoch, version and release of an RPM or Arch Linux version.
type evr struct {
	epoch, version, release string
	hasRelease              bool
}

// splitEVR cuts a version at the colon after leading digits and at its last
// hyphen. A missing epoch is empty, which orders as 0.
func splitEVR(s string) (p evr) {
	if i := digitsEnd(s, 0); i < len(s) && s[i] == ':' {
		p.epoch, s = s[:i], s[i+1:]
	}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		s, p.release, p.hasRelease = s[:i], s[i+1:], true
	}
	p.version = s
	return p
}

func checkEVR(p evr) string {
	if hasControl(p.version) || hasControl(p.release) {
		return whyControl
	}
	return ""
}

func orderRPM(p, q evr) int {
	if c := compareNumbers(p.epoch, q.epoch); c != 0 {
		return c
	}
	if c := compareRPMPart(p.version, q.version); c != 0 {
		return c
	}
	switch {
	case p.hasRelease && !q.hasRelease:
		return 1
	case q.hasRelease && !p.hasRelease:
		return -1
	}
	return compareRPMPart(p.release, q.release)
}

// compareRPMPart is rpmvercmp: segments of digits or of letters one after
// another, separators skipped; a number is newer than letters, a tilde sorts
// before the end, a caret after the end but before anything else.
func compareRPMPart(a, b string) int {
	if a == b {
		return 0
	}
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
