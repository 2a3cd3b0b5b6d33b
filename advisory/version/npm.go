package version

import "strings"

// npm orders versions as node-semver does in the loose mode in which npm reads
// the registry: Semantic Versions of three numbers, where a leading v or =,
// leading zeros and a pre-release without its hyphen (1.2.3beta) are accepted.
// A fourth number is refused, although node-semver's regular expression finds
// a pre-release in some (1.2.34.5 as 1.2.3-4.5).
//
// Source: node-semver 7, classes/semver.js and internal/re.js (LOOSE).
var npm = partRules("npm", splitNPM, checkNPM, orderNPM)

// The limits of node-semver, internal/constants.js.
const (
	maxNPMLength = 256                // of a version's text, in bytes
	maxNPMNumber = "9007199254740991" // of major, minor and patch
)

// npmParts are the parts of a version.
type npmParts struct {
	semverParts
	why string // it is no version
}

func splitNPM(s string) npmParts { return readNPM(s, true) }

func checkNPM(p npmParts) string { return p.why }

func orderNPM(p, q npmParts) int { return p.compare(q.semverParts) }

// readNPM cuts and checks a version, in loose mode or strictly.
func readNPM(s string, loose bool) (p npmParts) {
	if len(s) > maxNPMLength {
		return npmParts{why: "it is longer than 256 bytes"}
	}
	s = trimSpace(s)
	if loose {
		for s != "" && (s[0] == 'v' || s[0] == '=' || isSpace(rune(s[0]))) {
			s = s[1:]
		}
	} else {
		s = strings.TrimPrefix(s, "v")
	}
	core, rest, ok := cutCore(s, loose)
	if !ok {
		return npmParts{why: "it does not start with three dotted numbers"}
	}
	p.core = core
	if i := strings.IndexByte(rest, '+'); i >= 0 {
		rest, p.build, p.isBuild = rest[:i], rest[i+1:], true
	}
	if p.isBuild && !isDotted(p.build, identChars) {
		return npmParts{why: "its build metadata is not dotted identifiers"}
	}
	if rest == "" {
		return p
	}
	if p.pre, ok = cutNPMPre(rest, loose); !ok {
		return npmParts{why: "its pre-release is not dotted identifiers"}
	}
	p.isPre = true
	return p
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
	return len(s) < len(maxNPMNumber) || compareNumbers(s, maxNPMNumber) <= 0
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
	if !isDotted(s, identChars) {
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

// trimSpace drops ASCII white space around s.
func trimSpace(s string) string {
	for s != "" && isSpace(rune(s[0])) {
		s = s[1:]
	}
	for s != "" && isSpace(rune(s[len(s)-1])) {
		s = s[:len(s)-1]
	}
	return s
}
