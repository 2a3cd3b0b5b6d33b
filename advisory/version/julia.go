package version

import "strings"

// julia orders Julia's version numbers: Semantic Versions where missing numbers
// are zero, a pre-release may follow the numbers without its hyphen (1.0rc1),
// an empty pre-release (1.0-) precedes all others, and build metadata counts:
// binary packages are rebuilt as 1.2.3+1.
//
// Source: Julia manual, "Version Number Literals"; julia base/version.jl.
var julia = partRules("julia", splitJulia, checkJulia, semverParts.compareBuild)

func splitJulia(s string) semverParts {
	p := splitSemver(s)
	i := 0
	for i < len(p.core) && (isDigit(p.core[i]) || p.core[i] == '.') {
		i++
	}
	if i < len(p.core) && isAlpha(p.core[i]) {
		// The pre-release starts at the letter, and what looked like one is part
		// of its last identifier.
		text := s[strings.Index(s, p.core):]
		if p.isBuild {
			text = text[:len(text)-len(p.build)-1]
		}
		p.core, p.pre, p.isPre = text[:i], text[i:], true
	}
	return p
}

func checkJulia(p semverParts) string {
	if p.isPre && p.pre == "" {
		p.isPre = false
	}
	return checkSemver(p)
}
