package version

import "strings"

// cran orders R package versions: numbers with dots or hyphens between them,
// where the two separators mean the same and a version precedes any longer one
// that it starts.
//
// Source: R documentation, numeric_version; R base/R/version.R.
var cran = textRules("cran", checkCRAN, orderLists)

// hackage orders Haskell package versions: dotted numbers, where a version
// precedes any longer one that it starts.
//
// Source: Haskell PVP; Cabal-syntax, Distribution.Types.Version.
var hackage = textRules("hackage", checkHackage, orderLists)

// intdot orders the VERS type intdot: dotted numbers. What follows the first
// character that is neither a digit nor a dot is ignored.
//
// Source: VERS specification, "Special VERS types".
var intdot = textRules("intdot", checkIntdot, orderIntdot)

func checkCRAN(s string) string {
	if s == "" {
		return whyEmpty
	}
	for start := 0; start <= len(s); {
		end := digitsEnd(s, start)
		if end == start || end < len(s) && s[end] != '.' && s[end] != '-' {
			return "it is not numbers with dots or hyphens between them"
		}
		start = end + 1
	}
	return ""
}

func checkHackage(s string) string {
	switch {
	case s == "":
		return whyEmpty
	case !isDotted(s, digitChars):
		return "it is not dotted numbers"
	}
	return ""
}

// cutIntdot returns the dotted numbers that s starts with, without a dot at
// their end.
func cutIntdot(s string) string {
	i := 0
	for i < len(s) && (isDigit(s[i]) || s[i] == '.') {
		i++
	}
	return strings.TrimSuffix(s[:i], ".")
}

func checkIntdot(s string) string {
	if !isDotted(cutIntdot(s), digitChars) {
		return "it does not start with dotted numbers"
	}
	return ""
}

func orderIntdot(a, b string) int { return orderLists(cutIntdot(a), cutIntdot(b)) }

// orderLists compares numbers with one character between them; of two lists
// where one is the other's start, the longer is the greater.
func orderLists(a, b string) int {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		ie, je := digitsEnd(a, i), digitsEnd(b, j)
		if c := compareNumbers(a[i:ie], b[j:je]); c != 0 {
			return c
		}
		i, j = ie+1, je+1
	}
	switch {
	case i < len(a):
		return 1
	case j < len(b):
		return -1
	}
	return 0
}
