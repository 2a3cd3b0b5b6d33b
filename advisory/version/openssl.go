package version

import "strings"

// openssl orders OpenSSL versions: three numbers, and up to 1.1.1 optionally
// letters (1.0.2zb), which follow the version without them, or a pre-release
// (1.1.1-pre3), which precedes it. From 3.0.0 on they are Semantic Versions.
//
// Source: OpenSSL release strategy and doc/man3/OPENSSL_VERSION_NUMBER.
var openssl = rawRules("openssl", checkOpenSSL, orderOpenSSL)

func splitOpenSSL(s string) (p semverParts, letters string) {
	p = splitSemver(s)
	i := 0
	for i < len(p.core) && (isDigit(p.core[i]) || p.core[i] == '.') {
		i++
	}
	p.core, letters = p.core[:i], p.core[i:]
	return p, letters
}

func checkOpenSSL(s string) string {
	p, letters := splitOpenSSL(s)
	if why := p.check(s); why != "" {
		return why
	}
	switch {
	case strings.Count(p.core, ".") != 2:
		return "it does not start with three dotted numbers"
	case lettersEnd(letters, 0) != len(letters):
		return "what follows its numbers is not letters"
	case letters != "" && compareNumbers(p.core[:dotEnd(p.core)], "3") >= 0:
		return "letters follow the numbers, which ended with 1.1.1"
	}
	return ""
}

func orderOpenSSL(a, b string) int {
	p, x := splitOpenSSL(a)
	q, y := splitOpenSSL(b)
	if c := compareDotted(p.core, q.core); c != 0 {
		return c
	}
	if c := strings.Compare(x, y); c != 0 {
		return c
	}
	return p.compare(q)
}
