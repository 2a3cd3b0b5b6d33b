package version

import (
	"bytes"
	"strings"
)

// composer orders Packagist versions as Composer does: it normalizes a version
// to four numbers and a stability, and compares as PHP's version_compare. What
// Composer would not accept as a version but starts with a number is compared
// without that padding, as osv.dev does. Branches (dev-main) order before all
// numbers and among themselves by name, but have no place in ranges.
//
// Source: composer/semver, VersionParser::normalize, normalizeBranch and
// Comparator; PHP manual, version_compare (ext/standard/versioning.c).
var composer = rules{
	name:     "composer",
	parse:    func(s string) ([]byte, string) { return composerKey(nil, s) },
	order:    func(v, w Version) int { return bytes.Compare(v.key, w.key) },
	compare:  compareComposer,
	floating: composerBranch,
}

func compareComposer(a, b string) (int, bool) {
	var abuf, bbuf [keySize]byte
	x, why := composerKey(abuf[:0], a)
	if why != "" {
		return 0, false
	}
	y, why := composerKey(bbuf[:0], b)
	return bytes.Compare(x, y), why == ""
}

// Marks of the parts of a version, in PHP's order; the end of a version counts
// as just before a number.
const (
	phpUnknown = 0x10 * (iota + 1)
	phpDev
	phpAlpha
	phpBeta
	phpRC
	phpEnd
	phpNumber
	phpPatch
)

// composerChars are what a version other than a branch is of.
var composerChars = chars(".-_+:~")

// branchNumber is what an x in a branch such as 1.x-dev stands for.
const branchNumber = "9999999"

func composerKey(key []byte, s string) ([]byte, string) {
	s = cutComposerNotes(trimSpace(s))
	if name, ok := cutBranch(s); ok {
		return append(append(key, phpDev), name...), ""
	}
	if s != "" && lower(s[0]) == 'v' {
		s = s[1:]
	}
	switch {
	case s == "":
		return nil, whyEmpty
	case !isDigit(s[0]):
		return nil, "it is neither a branch nor starts with a number"
	case !composerChars.hasAll(s):
		return nil, "it has a character other than letters, digits and . - _ + : ~"
	}
	if key, ok := appendNumericBranch(key, s); ok {
		return key, ""
	}
	numbers, rest := cutComposerNumbers(s)
	if key, ok := appendStability(appendComposerNumbers(key, numbers), rest); ok {
		return key, ""
	}
	return appendPHPParts(key, s), ""
}

// cutComposerNotes drops what is not part of the version: an alias ("1.0 as
// 2.0"), a stability flag ("@dev") and build metadata.
func cutComposerNotes(s string) string {
	if before, _, ok := strings.Cut(s, " as "); ok {
		s = trimSpace(before)
	}
	if i := strings.LastIndexByte(s, '@'); i > 0 {
		switch strings.ToLower(s[i+1:]) {
		case "stable", "rc", "beta", "alpha", "dev":
			s = s[:i]
		}
	}
	if _, ok := cutBranch(s); ok {
		return s
	}
	if i := strings.IndexByte(s, '+'); i > 0 && i+1 < len(s) {
		s = s[:i]
	}
	return s
}

// cutBranch returns the name of a branch version.
func cutBranch(s string) (name string, ok bool) {
	switch s {
	case "master", "trunk", "default":
		return s, true
	}
	if len(s) > len("dev-") && hasFoldPrefix(s, "dev-") && !hasControl(s) {
		return s[len("dev-"):], true
	}
	return "", false
}

func composerBranch(v Version) string {
	if _, ok := cutBranch(cutComposerNotes(trimSpace(v.raw))); ok {
		return "it is a branch, which moves and has no place among releases"
	}
	return ""
}

// appendNumericBranch encodes a branch such as 1.x-dev, whose missing numbers
// are above those of releases.
func appendNumericBranch(key []byte, s string) ([]byte, bool) {
	n := len(s) - len("dev")
	if n <= 0 || !hasFoldPrefix(s[n:], "dev") {
		return key, false
	}
	name := s[:n]
	if c := name[n-1]; c == '.' || c == '-' {
		name = name[:n-1]
	}
	if strings.Count(name, ".") > 3 || !strings.ContainsAny(name, "xX") {
		return key, false
	}
	start := len(key)
	for i := range 4 {
		part := "x"
		if i == 0 || name != "" {
			part, name, _ = strings.Cut(name, ".")
		}
		switch {
		case allDigits(part):
			key = appendNumber(append(key, phpNumber), part)
		case i > 0 && (part == "x" || part == "X"):
			key = appendNumber(append(key, phpNumber), branchNumber)
		default:
			return key[:start], false
		}
	}
	return append(key, phpDev, phpEnd), true
}
