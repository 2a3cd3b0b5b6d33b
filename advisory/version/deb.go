package version

import "strings"

// deb orders Debian versions, [epoch:]upstream[-revision].
//
// Source: deb-version(7); Debian Policy §5.6.12; dpkg lib/dpkg/version.c and
// parsehelp.c. What `dpkg --validate-version` refuses is no version.
var deb = partRules("deb", splitDeb, checkDeb, orderDeb)

// What an upstream version and a revision are of.
var (
	debUpstream = chars(".+-~:")
	debRevision = chars(".+~")
)

// maxDebEpoch is the largest epoch that dpkg reads.
const maxDebEpoch = "2147483647"

// debParts are the parts of a version. A missing one is empty, which orders as
// "0" does.
type debParts struct {
	epoch, upstream, revision string
	hasEpoch, hasRevision     bool
}

// splitDeb cuts a version at its first colon and last hyphen.
func splitDeb(s string) (p debParts) {
	s = trimBlanks(s)
	if i := strings.IndexByte(s, ':'); i >= 0 {
		p.epoch, s, p.hasEpoch = cutSign(s[:i]), s[i+1:], true
	}
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		s, p.revision, p.hasRevision = s[:i], s[i+1:], true
	}
	p.upstream = s
	return p
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

func checkDeb(p debParts) string {
	switch {
	case p.hasEpoch && !allDigits(p.epoch):
		return "its epoch is not a number"
	case len(p.epoch) >= len(maxDebEpoch) && compareNumbers(p.epoch, maxDebEpoch) > 0:
		return "its epoch is over " + maxDebEpoch
	case p.upstream == "" || !isDigit(p.upstream[0]):
		return "its upstream version does not start with a digit"
	case !debUpstream.hasAll(p.upstream):
		return "its upstream version has a character other than letters, digits and . + - ~ :"
	case p.hasRevision && p.revision == "":
		return "its revision is empty"
	case !debRevision.hasAll(p.revision):
		return "its revision has a character other than letters, digits and . + ~"
	}
	return ""
}

func orderDeb(p, q debParts) int {
	if c := compareNumbers(p.epoch, q.epoch); c != 0 {
		return c
	}
	if c := compareDebPart(p.upstream, q.upstream); c != 0 {
		return c
	}
	return compareDebPart(p.revision, q.revision)
}

// compareDebPart compares two upstream versions or revisions: by turns a run of
// other characters in dpkg's character order, and a number. A character weighs
// other than the end of the text or a digit, so neither index passes its end.
func compareDebPart(a, b string) int {
	if a == b {
		return 0
	}
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
var opam = textRules("opam", checkOpam, orderOpam)

// opamChars are what a version is of.
var opamChars = chars("-_+.~")

func checkOpam(s string) string {
	switch {
	case s == "":
		return whyEmpty
	case !opamChars.hasAll(s):
		return "it has a character other than letters, digits and - _ + . ~"
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
