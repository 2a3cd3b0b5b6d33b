package binaries

import "strings"

// updates are the words that CPE names write as the update of a version, and how: the
// dictionary has "9.2:p1" of OpenSSH and "3.13.0:beta2" of Python.
var updates = [...]struct{ word, update string }{
	{"alpha", "alpha"}, {"beta", "beta"}, {"rc", "rc"}, {"pre", "pre"}, {"p", "p"}, {"a", "alpha"}, {"b", "beta"},
}

// cpeName makes a CPE 2.3 name of "vendor:product" and a version.
func cpeName(product, version string) string {
	number, update := version, "*"
	if i := strings.IndexFunc(version, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); i > 0 {
		tail := strings.ToLower(strings.TrimLeft(version[i:], "-."))
		for _, u := range updates {
			if n, ok := strings.CutPrefix(tail, u.word); ok && n != "" && strings.Trim(n, "0123456789") == "" {
				number, update = version[:i], u.update+n
				break
			}
		}
		if n, ok := strings.CutPrefix(version, "1.8.0_"); ok { // of Java
			number, update = "8", "update"+n
		}
	}
	return "cpe:2.3:a:" + product + ":" + quote(number) + ":" + update + ":*:*:*:*:*:*"
}

// quote escapes what is not plain in a component (NISTIR 7695 §6.2.2).
func quote(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if plain := c == '.' || c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'; !plain {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return strings.ToLower(b.String())
}
