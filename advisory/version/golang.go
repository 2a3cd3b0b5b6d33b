package version

import "strings"

// golang orders Go module versions and Go releases. Module versions are
// Semantic Versions (see [semver]): pseudo-versions order by their timestamp as
// pre-releases, +incompatible is build metadata, a leading v is optional. Go
// releases are read with or without the go prefix: go1.21.3, 1.21rc1 (which is
// 1.21.0-rc.1), go1.20 (1.20.0). After a release with the prefix, what follows
// a space or hyphen is a vendor's note and ignored: "go1.21.3 X:boringcrypto".
//
// 1.21 alone, since Go 1.21 the language version that precedes 1.21rc1, is read
// as 1.21.0, as govulncheck and OSV do: an advisory's 1.21.0-0 must cover it.
//
// Source: Go Modules Reference, "Versions"; golang.org/x/mod/semver; Go's
// internal/gover; golang.org/x/vuln, GoTagToSemver.
var golang = partRules("golang", splitGo, checkGo, semverParts.compare)

// splitGo cuts s as a release, if it has the prefix or letters right after its
// numbers, and else as a module version.
func splitGo(s string) semverParts {
	release, isRelease := strings.CutPrefix(s, "go")
	if isRelease {
		if i := strings.IndexAny(release, " \t-"); i >= 0 {
			release = release[:i]
		}
	}
	i := 0
	for i < len(release) && (isDigit(release[i]) || release[i] == '.') {
		i++
	}
	switch {
	case isRelease && i == len(release):
		return semverParts{core: release}
	case isRelease || i > 0 && i < len(release) && isAlpha(release[i]):
		return semverParts{core: release[:i], pre: release[i:], isPre: true, isTag: true}
	}
	return splitSemver(s)
}

func checkGo(p semverParts) string {
	if !p.isTag {
		return checkSemver(p)
	}
	kind, number := cutTag(p.pre)
	switch kind {
	case "alpha", "beta", "rc":
		if isDotted(p.core, digitChars) && allDigits(number) {
			return ""
		}
	}
	return "it is neither a semantic version nor a Go release"
}

// cutTag cuts a release tag into its letters and its number.
func cutTag(s string) (kind, number string) {
	i := lettersEnd(s, 0)
	return s[:i], s[i:]
}

// compareTags compares pre-releases of which at least one is a release tag.
func compareTags(p, q semverParts) int {
	x, xRest := p.firstIdent()
	y, yRest := q.firstIdent()
	if c := compareIdent(x, y); c != 0 {
		return c
	}
	return compareIdents(xRest, yRest)
}

// firstIdent returns the first identifier of a pre-release and the rest.
func (p semverParts) firstIdent() (first, rest string) {
	if p.isTag {
		return cutTag(p.pre)
	}
	first, rest, _ = strings.Cut(p.pre, ".")
	return first, rest
}
