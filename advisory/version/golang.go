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
var golang = rawRules("golang", checkGo, orderGo)

// splitGo cuts s; ok is false where it is neither a module version nor a
// release.
func splitGo(s string) (p semverParts, ok bool) {
	release, hasPrefix := strings.CutPrefix(s, "go")
	if hasPrefix {
		if i := strings.IndexAny(release, " \t-"); i >= 0 {
			release = release[:i]
		}
		return splitGoRelease(release)
	}
	p = splitSemver(s)
	if p.check(s) == "" {
		return p, true
	}
	return splitGoRelease(s)
}

// splitGoRelease cuts a release without its prefix: dotted numbers and
// optionally alpha, beta or rc with a number.
func splitGoRelease(s string) (semverParts, bool) {
	i := 0
	for i < len(s) && (isDigit(s[i]) || s[i] == '.') {
		i++
	}
	p := semverParts{core: s[:i], pre: s[i:]}
	if !isDotted(p.core, isDigit) {
		return semverParts{}, false
	}
	if p.pre == "" {
		return p, true
	}
	p.isPre, p.isTag = true, true
	kind, number := cutTag(p.pre)
	switch kind {
	case "alpha", "beta", "rc":
		return p, allDigits(number)
	}
	return semverParts{}, false
}

// cutTag cuts a release tag into its letters and its number.
func cutTag(s string) (kind, number string) {
	i := lettersEnd(s, 0)
	return s[:i], s[i:]
}

func checkGo(s string) string {
	if s == "" {
		return whyEmpty
	}
	if _, ok := splitGo(s); !ok {
		return "it is neither a semantic version nor a Go release"
	}
	return ""
}

func orderGo(a, b string) int {
	p, _ := splitGo(a)
	q, _ := splitGo(b)
	return p.compare(q)
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
