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
var apk = rawRules("apk", checkAPK, orderAPK)

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

// apkToken is one token and the version text after it.
type apkToken struct {
	kind   apkKind
	text   string // the digits, letter, suffix or hash
	suffix int    // the rank of a suffix
	rest   string
}

// firstAPK reads the number that a version starts with.
func firstAPK(s string) apkToken {
	i := digitsEnd(s, 0)
	if i == 0 {
		return apkToken{kind: apkInvalid}
	}
	return apkToken{kind: apkFirst, text: s[:i], rest: s[i:]}
}

// next reads the token after t.
func (t apkToken) next() apkToken {
	s := t.rest
	if s == "" {
		return apkToken{kind: apkEnd}
	}
	switch c := s[0]; {
	case isLower(c) && t.isNumber():
		return apkToken{kind: apkLetter, text: s[:1], rest: s[1:]}
	case isDigit(c) && t.kind == apkSuffix:
		return numberAPK(apkSuffixNumber, s)
	case isDigit(c) && t.kind == apkLetter:
		return numberAPK(apkNumber, s)
	case c == '.' && t.isNumber():
		if len(s) == 1 || !isDigit(s[1]) {
			return apkToken{kind: apkNothing, rest: s[1:]}
		}
		return numberAPK(apkNumber, s[1:])
	case c == '_' && (t.kind <= apkSuffixNumber || t.kind == apkNothing):
		return suffixAPK(s[1:])
	case c == '~' && (t.kind < apkHash || t.kind == apkNothing):
		return hashAPK(s[1:])
	case c == '-' && (t.kind < apkRevision || t.kind == apkNothing) && strings.HasPrefix(s, "-r"):
		return numberAPK(apkRevision, s[2:])
	}
	return apkToken{kind: apkInvalid}
}

// isNumber reports whether t is a number, or nothing in the place of one.
func (t apkToken) isNumber() bool { return t.kind <= apkNumber || t.kind == apkNothing }

func numberAPK(kind apkKind, s string) apkToken {
	i := digitsEnd(s, 0)
	return apkToken{kind: kind, text: s[:i], rest: s[i:]}
}

func hashAPK(s string) apkToken {
	i := 0
	for i < len(s) && (isDigit(s[i]) || s[i]-'a' < 6) {
		i++
	}
	if i == 0 {
		return apkToken{kind: apkInvalid}
	}
	return apkToken{kind: apkHash, text: s[:i], rest: s[i:]}
}

func suffixAPK(s string) apkToken {
	i := 0
	for i < len(s) && isLower(s[i]) {
		i++
	}
	rank := apkSuffixRank(s[:i])
	if rank == 0 {
		return apkToken{kind: apkInvalid}
	}
	return apkToken{kind: apkSuffix, text: s[:i], suffix: rank, rest: s[i:]}
}

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
		t = t.next()
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
		if c := compareAPKToken(t, u); c != 0 {
			return c
		}
		t, u = t.next(), u.next()
	}
	switch {
	case t.suffix < 0:
		return -1
	case u.suffix < 0:
		return 1
	}
	return int(u.kind - t.kind)
}

// compareAPKToken compares two tokens of one kind.
func compareAPKToken(t, u apkToken) int {
	switch t.kind {
	case apkNumber:
		if strings.HasPrefix(t.text, "0") || strings.HasPrefix(u.text, "0") {
			return strings.Compare(t.text, u.text)
		}
		return compareNumbers(t.text, u.text)
	case apkSuffix:
		return t.suffix - u.suffix
	case apkLetter, apkHash:
		return strings.Compare(t.text, u.text)
	default:
		return compareNumbers(t.text, u.text)
	}
}
