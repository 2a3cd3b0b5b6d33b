package version

import "strings"

// apk orders Alpine package versions:
// number{.number}[letter]{_suffix[number]}[~hash][-rnumber].
//
// Source: apk-package(5), "Version"; apk-tools 3 src/version.c. Where apk-tools
// 2 orders differently (leading zeros: 1.05 and 1.1), 3 decides.
//
// Three forms that apk-tools 2 accepted and 3 refuses are in secfixes and old
// repositories, and are accepted: numbers after the letter (6.6.2p1) and a
// revision without a number (1-r, which is 1-r0) as 2 read them, and nothing
// after a dot (10.2.24.r0), which is older than anything else in its place, as
// 3 orders it where it is asked to compare.
var apk = textRules("apk", checkAPK, orderAPK)

// apkKind is the kind of a token, in the order that a version has them. Of two
// versions that differ first in the kind, the one with the earlier kind is the
// newer, save that a pre-release suffix makes its version the older.
type apkKind int

const (
	apkFirst apkKind = iota // the first number
	apkNumber
	apkLetter
	apkSuffix
	apkSuffixNumber
	apkHash
	apkRevision
	apkEnd
	apkNothing // after a dot
	apkInvalid
)

// apkToken is one token of a version, as a place in its text.
type apkToken struct {
	kind       apkKind
	start, end int
	suffix     int // the rank of a suffix
}

// firstAPK reads the number that a version starts with.
func firstAPK(s string) apkToken {
	if i := digitsEnd(s, 0); i > 0 {
		return apkToken{kind: apkFirst, end: i}
	}
	return apkToken{kind: apkInvalid}
}

// next moves t to the token after it.
func (t *apkToken) next(s string) {
	i := t.end
	if i == len(s) {
		*t = apkToken{kind: apkEnd, start: i, end: i}
		return
	}
	after := t.kind
	*t = apkToken{kind: apkInvalid}
	switch c := s[i]; {
	case isLower(c) && after.isNumber():
		t.set(apkLetter, i, i+1)
	case isDigit(c) && after == apkSuffix:
		t.set(apkSuffixNumber, i, digitsEnd(s, i))
	case isDigit(c) && after == apkLetter:
		t.set(apkNumber, i, digitsEnd(s, i))
	case c == '.' && after.isNumber():
		t.set(apkNumber, i+1, digitsEnd(s, i+1))
		if t.start == t.end {
			t.kind = apkNothing
		}
	case c == '_' && (after <= apkSuffixNumber || after == apkNothing):
		t.readSuffix(s, i+1)
	case c == '~' && (after < apkHash || after == apkNothing):
		t.readHash(s, i+1)
	case c == '-' && (after < apkRevision || after == apkNothing) && strings.HasPrefix(s[i:], "-r"):
		t.set(apkRevision, i+2, digitsEnd(s, i+2))
	}
}

func (t *apkToken) set(kind apkKind, start, end int) {
	t.kind, t.start, t.end = kind, start, end
}

func (t *apkToken) readHash(s string, start int) {
	i := start
	for i < len(s) && (isDigit(s[i]) || s[i]-'a' < 6) {
		i++
	}
	if i > start {
		t.set(apkHash, start, i)
	}
}

func (t *apkToken) readSuffix(s string, start int) {
	i := start
	for i < len(s) && isLower(s[i]) {
		i++
	}
	if t.suffix = apkSuffixRank(s[start:i]); t.suffix != 0 {
		t.set(apkSuffix, start, i)
	}
}

// isNumber reports whether k is a number, or nothing in the place of one.
func (k apkKind) isNumber() bool { return k <= apkNumber || k == apkNothing }

// apkSuffixRank orders the suffixes: those of pre-releases are negative.
func apkSuffixRank(name string) int {
	switch name {
	case "alpha":
		return -4
	case "beta":
		return -3
	case "pre":
		return -2
	case "rc":
		return -1
	case "cvs":
		return 1
	case "svn":
		return 2
	case "git":
		return 3
	case "hg":
		return 4
	case "p":
		return 5
	}
	return 0
}

func checkAPK(s string) string {
	if s == "" {
		return whyEmpty
	}
	t := firstAPK(s)
	if t.kind == apkInvalid {
		return "it does not start with a digit"
	}
	for t.kind != apkEnd && t.kind != apkInvalid {
		t.next(s)
	}
	if t.kind == apkInvalid {
		return "it is not number{.number}[letter]{_suffix[number]}[~hash][-rnumber]"
	}
	return ""
}

func orderAPK(a, b string) int {
	t, u := firstAPK(a), firstAPK(b)
	for t.kind == u.kind {
		if t.kind == apkEnd {
			return 0
		}
		if c := compareAPKToken(t.kind, a[t.start:t.end], b[u.start:u.end]); c != 0 {
			return c
		}
		t.next(a)
		u.next(b)
	}
	switch {
	case t.suffix < 0:
		return -1
	case u.suffix < 0:
		return 1
	}
	return int(u.kind - t.kind)
}

// compareAPKToken compares the texts of two tokens of one kind.
func compareAPKToken(kind apkKind, a, b string) int {
	switch kind {
	case apkNumber:
		if strings.HasPrefix(a, "0") || strings.HasPrefix(b, "0") {
			return strings.Compare(a, b)
		}
		return compareNumbers(a, b)
	case apkSuffix:
		return apkSuffixRank(a) - apkSuffixRank(b)
	case apkLetter, apkHash:
		return strings.Compare(a, b)
	default:
		return compareNumbers(a, b)
	}
}
