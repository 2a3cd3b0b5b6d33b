package version

import "strings"

// deb orders Debian versions, [epoch:]upstream[-revision].
//
// Source: deb-version(7); Debian Policy §5.6.12; dpkg lib/dpkg/version.c and
// parsehelp.c. What `dpkg --validate-version` refuses is no version.
var deb = rawRules("deb", checkDeb, orderDeb)

// maxDebEpoch is the largest epoch that dpkg reads.
const maxDebEpoch = "2147483647"

// splitDeb cuts a version at its first colon and last hyphen. A missing part is
// empty, which orders as "0" does.
func splitDeb(s string) (epoch, upstream, revision string) {
	s = trimBlanks(s)
	if i := strings.IndexByte(s, ':'); i >= 0 {
		epoch, s = cutSign(s[:i]), s[i+1:]
	}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		return epoch, s[:i], s[i+1:]
	}
	return epoch, s, ""
}

// cutSign drops a plus before an epoch, and a minus before a zero one: dpkg
// reads it with strtol.
func cutSign(s string) string {
	if len(s) > 1 && (s[0] == '+' || s[0] == '-' && trimZeros(s[1:]) == "") {
		return s[1:]
	}
	return s
}

// trimBlanks drops the spaces and tabs around s, as dpkg does.
func trimBlanks(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

func checkDeb(s string) string {
	s = trimBlanks(s)
	epoch, upstream, revision := splitDeb(s)
	switch {
	case s == "":
		return whyEmpty
	case s[0] == ':':
		return "its epoch is empty"
	case epoch != "" && !allDigits(epoch):
		return "its epoch is not a number"
	case compareNumbers(epoch, maxDebEpoch) > 0:
		return "its epoch is over " + maxDebEpoch
	case upstream == "" || !isDigit(upstream[0]):
		return "its upstream version does not start with a digit"
	case revision == "" && s[len(s)-1] == '-':
		return "its revision is empty"
	case !isDebText(upstream, true):
		return "its upstream version has a character other than letters, digits and . + - ~ :"
	case !isDebText(revision, false):
		return "its revision has a character other than letters, digits and . + ~"
	}
	return ""
}

func isDebText(s string, upstream bool) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case isAlnum(c), c == '.', c == '+', c == '~':
		case upstream && (c == '-' || c == ':'):
		default:
			return false
		}
	}
	return true
}

func orderDeb(a, b string) int {
	ae, au, ar := splitDeb(a)
	be, bu, br := splitDeb(b)
	if c := compareNumbers(ae, be); c != 0 {
		return c
	}
	if c := compareDebPart(au, bu); c != 0 {
		return c
	}
	return compareDebPart(ar, br)
}

// compareDebPart compares two upstream versions or revisions: by turns a run of
// other characters in dpkg's character order, and a number. A character weighs
// other than the end of the text or a digit, so neither index passes its end.
func compareDebPart(a, b string) int {
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		for i < len(a) && !isDigit(a[i]) || j < len(b) && !isDigit(b[j]) {
			if c := debWeight(a, i) - debWeight(b, j); c != 0 {
				return c
			}
			i++
			j++
		}
		ie, je := digitsEnd(a, i), digitsEnd(b, j)
		if c := compareNumbers(a[i:ie], b[j:je]); c != 0 {
			return c
		}
		i, j = ie, je
	}
	return 0
}

// debWeight orders the character at s[i] against others: a tilde before the
// end of the text and digits, then letters, then all else.
func debWeight(s string, i int) int {
	if i >= len(s) || isDigit(s[i]) {
		return 0
	}
	switch c := s[i]; {
	case c == '~':
		return -1
	case isAlpha(c):
		return int(c)
	default:
		return int(c) + 256
	}
}

// opam orders versions of OCaml packages: Debian's order without an epoch, and
// over any text of opam's alphabet.
//
// Source: opam manual, "Version ordering"; opam src/core/opamVersionCompare.ml.
var opam = rawRules("opam", checkOpam, orderOpam)

func checkOpam(s string) string {
	if s == "" {
		return whyEmpty
	}
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && strings.IndexByte("-_+.~", c) < 0 {
			return "it has a character other than letters, digits and - _ + . ~"
		}
	}
	return ""
}

func orderOpam(a, b string) int {
	ai, bi := strings.LastIndexByte(a, '-'), strings.LastIndexByte(b, '-')
	if ai < 0 {
		ai = len(a)
	}
	if bi < 0 {
		bi = len(b)
	}
	if c := compareDebPart(a[:ai], b[:bi]); c != 0 {
		return c
	}
	return compareDebPart(a[min(ai+1, len(a)):], b[min(bi+1, len(b)):])
}
