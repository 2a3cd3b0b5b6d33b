package version

import "strings"

// npm orders versions as node-semver does in the loose mode in which npm reads
// the registry: Semantic Versions of three numbers, where a leading v or =,
// leading zeros and a pre-release without its hyphen (1.2.3beta) are accepted.
// A fourth number is refused, although node-semver's regular expression finds
// a pre-release in some (1.2.34.5 as 1.2.3-4.5).
//
// Source: node-semver 7, classes/semver.js and internal/re.js (LOOSE).
var npm = rawRules("npm", checkNPM, orderNPM)

// The limits of node-semver, internal/constants.js.
const (
	maxNPMLength = 256                // of a version's text, in bytes
	maxNPMNumber = "9007199254740991" // of major, minor and patch
)

// splitNPM cuts a version; why says why it is none.
func splitNPM(s string, loose bool) (p semverParts, why string) {
	if len(s) > maxNPMLength {
		return p, "it is longer than 256 bytes"
	}
	s = trimSpace(s)
	if loose {
		s = strings.TrimLeft(s, "v= \t\n\v\f\r")
	} else {
		s = strings.TrimPrefix(s, "v")
	}
	if s == "" {
		return p, whyEmpty
	}
	core, rest, ok := cutCore(s, loose)
	if !ok {
		return p, "it does not start with three dotted numbers"
	}
	p.core = core
	if i := strings.IndexByte(rest, '+'); i >= 0 {
		rest, p.build, p.isBuild = rest[:i], rest[i+1:], true
	}
	if p.isBuild && !isDotted(p.build, isIdent) {
		return p, "its build metadata is not dotted identifiers"
	}
	if rest == "" {
		return p, ""
	}
	if p.pre, ok = cutNPMPre(rest, loose); !ok {
		return p, "its pre-release is not dotted identifiers"
	}
	p.isPre = true
	return p, ""
}

// cutCore cuts three dotted numbers off the start of s. Strictly, they have no
// leading zeros; none is over the limit.
func cutCore(s string, loose bool) (core, rest string, ok bool) {
	end := 0
	for n := range 3 {
		if n > 0 {
			if end == len(s) || s[end] != '.' {
				return "", "", false
			}
			end++
		}
		start := end
		end = digitsEnd(s, start)
		if !isNPMNumber(s[start:end], loose) {
			return "", "", false
		}
	}
	return s[:end], s[end:], true
}

func isNPMNumber(s string, loose bool) bool {
	if s == "" || !loose && len(s) > 1 && s[0] == '0' {
		return false
	}
	return compareNumbers(s, maxNPMNumber) <= 0
}

// cutNPMPre reads what follows the numbers as a pre-release, whose hyphen may
// be missing in loose mode.
func cutNPMPre(s string, loose bool) (pre string, ok bool) {
	if s[0] == '-' && isNPMPre(s[1:], loose) {
		return s[1:], true
	}
	return s, loose && isNPMPre(s, loose)
}

// isNPMPre reports whether s is dotted identifiers; strictly, numeric ones have
// no leading zeros.
func isNPMPre(s string, loose bool) bool {
	if !isDotted(s, isIdent) {
		return false
	}
	for !loose && s != "" {
		var id string
		id, s, _ = strings.Cut(s, ".")
		if len(id) > 1 && id[0] == '0' && allDigits(id) {
			return false
		}
	}
	return true
}

func checkNPM(s string) string {
	_, why := splitNPM(s, true)
	return why
}

func orderNPM(a, b string) int {
	p, _ := splitNPM(a, true)
	q, _ := splitNPM(b, true)
	return p.compare(q)
}

// trimSpace drops ASCII white space around s.
func trimSpace(s string) string { return strings.Trim(s, " \t\n\v\f\r") }
