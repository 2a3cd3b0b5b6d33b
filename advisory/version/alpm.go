package version

import "strings"

// alpm orders Arch Linux versions, [epoch:]version[-release].
//
// A missing release equals any release, so that equality is not transitive:
// 1-1 = 1 = 1-2 but 1-1 < 1-2.
//
// Source: vercmp(8); pacman lib/libalpm/version.c, alpm_pkg_vercmp.
var alpm = partRules("alpm", splitEVR, checkEVR, orderALPM)

func orderALPM(p, q evr) int {
	if c := compareNumbers(p.epoch, q.epoch); c != 0 {
		return c
	}
	if c := compareALPMPart(p.version, q.version); c != 0 || !p.hasRelease || !q.hasRelease {
		return c
	}
	return compareALPMPart(p.release, q.release)
}

// compareALPMPart is libalpm's rpmvercmp: as rpm's of old, but separators of
// different length decide, and letters at the end make a version older.
func compareALPMPart(a, b string) int {
	if a == b {
		return 0
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		is, js := alnumStart(a, i), alnumStart(b, j)
		aSep, bSep := is-i, js-j
		i, j = is, js
		if i == len(a) || j == len(b) {
			break
		}
		if aSep != bSep {
			return aSep - bSep
		}
		var c int
		var ie, je int
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
	return compareALPMRest(a[i:], b[j:])
}

// compareALPMRest decides between rests of which at least one is empty.
func compareALPMRest(a, b string) int {
	switch {
	case a == "" && b == "":
		return 0
	case a == "" && !isAlpha(b[0]), a != "" && isAlpha(a[0]):
		return -1
	}
	return 1
}

func alnumStart(s string, i int) int {
	for i < len(s) && !isAlnum(s[i]) {
		i++
	}
	return i
}
