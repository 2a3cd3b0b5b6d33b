package version

import "strings"

// semver orders Semantic Versions as OSV reads them: Semantic Versioning 2.0.0,
// and leniently a leading v, one, two or more than three numbers, where a
// missing one is zero, and leading zeros. Build metadata is ignored.
//
// Source: semver.org 2.0.0, §10 and §11; OSV schema, range type SEMVER; the
// leniencies are those of osv.dev's semver_index. Used for crates.io, Hex,
// SwiftURL, GitHub Actions, GHC and VSCode.
var semver = partRules("semver", splitSemver, checkSemver, semverParts.compare)

// pub orders Dart versions: Semantic Versions where build metadata counts.
//
// Source: pub_semver, Version.compareTo (SemVer 2.0.0-rc.1 §12).
var pub = partRules("pub", splitSemver, checkSemver, semverParts.compareBuild)

// bitnami orders the versions of Bitnami's components: Semantic Versions, where a number
// behind a last hyphen is the revision of the package. 7.4.1-0 is a build of 7.4.1 and not
// before it; records name the upstream version alone.
//
// Source: Bitnami's vulnerability database and bitnami/go-version, "revision".
var bitnami = partRules("bitnami", splitBitnami, checkSemver, semverParts.compareBuild)

// splitBitnami cuts s and takes the revision for build metadata.
func splitBitnami(s string) semverParts {
	p := splitSemver(s)
	i := strings.LastIndexByte(p.pre, '-')
	if p.isPre && !p.isBuild && p.pre != "" && allDigits(p.pre[i+1:]) && p.pre[i+1:] != "" {
		p.build, p.isBuild = p.pre[i+1:], true
		p.pre, p.isPre = p.pre[:max(i, 0)], i >= 0
	}
	return p
}

// semverParts are the parts of a semantic version, as slices of its text.
type semverParts struct {
	core  string // the numbers, dotted
	pre   string // the pre-release, without its hyphen
	build string // the build metadata, without its plus

	isPre, isBuild bool // tell an empty part from a missing one
	// isTag is true where pre is a Go release tag such as rc1, which stands for
	// the identifiers rc and 1.
	isTag bool
}

// splitSemver cuts s. The parts are not checked.
func splitSemver(s string) (p semverParts) {
	if s != "" && lower(s[0]) == 'v' {
		s = s[1:]
	}
	if i := strings.IndexByte(s, '+'); i >= 0 {
		s, p.build, p.isBuild = s[:i], s[i+1:], true
	}
	if i := strings.IndexByte(s, '-'); i >= 0 {
		s, p.pre, p.isPre = s[:i], s[i+1:], true
	}
	p.core = s
	return p
}

// checkSemver says why the parts are no version.
func checkSemver(p semverParts) string {
	switch {
	case !isDotted(p.core, digitChars):
		return "it does not start with dotted numbers"
	case p.isPre && !isDotted(p.pre, identChars):
		return "its pre-release is not dotted identifiers"
	case p.isBuild && !isDotted(p.build, identChars):
		return "its build metadata is not dotted identifiers"
	}
	return ""
}

// isDotted reports whether s is one or more non-empty parts of characters of a
// set with dots between them.
func isDotted(s string, set charset) bool {
	empty := true
	for i := range len(s) {
		switch c := s[i]; {
		case set.has(c):
			empty = false
		case c == '.' && !empty:
			empty = true
		default:
			return false
		}
	}
	return !empty
}

// compareBuild orders by numbers, pre-release and then build metadata.
func (p semverParts) compareBuild(q semverParts) int {
	if c := p.compare(q); c != 0 {
		return c
	}
	switch {
	case p.isBuild && !q.isBuild:
		return 1
	case !p.isBuild && q.isBuild:
		return -1
	}
	return compareIdents(p.build, q.build)
}

// compare orders by numbers and pre-release.
func (p semverParts) compare(q semverParts) int {
	if c := compareDotted(p.core, q.core); c != 0 {
		return c
	}
	switch {
	case p.isPre && !q.isPre:
		return -1
	case !p.isPre && q.isPre:
		return 1
	case p.isTag || q.isTag:
		return compareTags(p, q)
	}
	return compareIdents(p.pre, q.pre)
}

// compareDotted compares dotted numbers; a missing number is zero.
func compareDotted(a, b string) int {
	if a == b {
		return 0
	}
	for a != "" || b != "" {
		var x, y string
		x, a, _ = cutByte(a, '.')
		y, b, _ = cutByte(b, '.')
		if c := compareNumbers(x, y); c != 0 {
			return c
		}
	}
	return 0
}

// compareIdents compares dotted identifiers: numbers by value and before text,
// text by bytes, and of two lists where one is the other's start, the longer is
// the greater.
func compareIdents(a, b string) int {
	if a == b {
		return 0
	}
	for a != "" && b != "" {
		var x, y string
		x, a, _ = cutByte(a, '.')
		y, b, _ = cutByte(b, '.')
		if c := compareIdent(x, y); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}

func compareIdent(x, y string) int {
	xNum, yNum := allDigits(x), allDigits(y)
	switch {
	case xNum && yNum:
		return compareNumbers(x, y)
	case xNum:
		return -1
	case yNum:
		return 1
	}
	return strings.Compare(x, y)
}
