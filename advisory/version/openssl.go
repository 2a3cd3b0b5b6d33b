package version

import "strings"

// openssl orders OpenSSL versions: three numbers, and up to 1.1.1 optionally
// letters (1.0.2zb), which follow the version without them, or a pre-release
// (1.1.1-pre3), which precedes it. From 3.0.0 on they are Semantic Versions.
//
// Source: OpenSSL release strategy and doc/man3/OPENSSL_VERSION_NUMBER.
var openssl = partRules("openssl", splitOpenSSL, checkOpenSSL, orderOpenSSL)

// opensslParts are the parts of a version.
type opensslParts struct {
	semverParts
	letters string // after the numbers
}

func splitOpenSSL(s string) opensslParts {
	p := opensslParts{semverParts: splitSemver(s)}
	i := 0
	for i < len(p.core) && (isDigit(p.core[i]) || p.core[i] == '.') {
		i++
	}
	p.core, p.letters = p.core[:i], p.core[i:]
	return p
}

func checkOpenSSL(p opensslParts) string {
	if why := checkSemver(p.semverParts); why != "" {
		return why
	}
	switch {
	case strings.Count(p.core, ".") != 2:
		return "it does not start with three dotted numbers"
	case lettersEnd(p.letters, 0) != len(p.letters):
		return "what follows its numbers is not letters"
	case p.letters != "" && compareNumbers(p.core[:dotEnd(p.core)], "3") >= 0:
		return "letters follow the numbers, which ended with 1.1.1"
	}
	return ""
}

func orderOpenSSL(p, q opensslParts) int {
	if c := compareDotted(p.core, q.core); c != 0 {
		return c
	}
	if c := strings.Compare(p.letters, q.letters); c != 0 {
		return c
	}
	return p.compare(q.semverParts)
}
