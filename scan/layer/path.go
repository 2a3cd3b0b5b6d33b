package layer

import (
	"path"
	"strings"
	"unicode/utf8"
)

// cleanPath makes a tar or link name relative to the root: no leading slash, no
// empty, "." or ".." parts. A name that climbs out stays at the root, as in a
// chroot. Bytes that are not UTF-8 become %XX. The root itself is "".
// odd is not empty when the name was irregular in a way worth a note.
func cleanPath(name string) (clean, odd string) {
	if !utf8.ValidString(name) {
		odd = "name is not UTF-8"
	}
	name = escape(name)
	if isClean(name) {
		return name, odd
	}
	trimmed := strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	if isClean(trimmed) {
		return trimmed, odd
	}
	if climbs(name) {
		odd = "name leads out of the root"
	}
	return path.Clean("/" + name)[1:], odd
}

// isClean reports whether name is a relative path without irregular parts.
func isClean(name string) bool {
	start := 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			continue
		}
		switch part := name[start:i]; part {
		case "", ".", "..":
			return false
		}
		start = i + 1
	}
	return true
}

func climbs(name string) bool {
	depth := 0
	for part := range strings.SplitSeq(name, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return true
			}
		default:
			depth++
		}
	}
	return false
}

// escape makes a name UTF-8: a byte that is not becomes %XX. Two names must not
// become one, or a file could hide another: a % that would read as such an
// escape becomes %25.
func escape(s string) string {
	percent := strings.IndexByte(s, '%') >= 0
	if !percent && utf8.ValidString(s) {
		return s
	}
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteByte('%')
			b.WriteByte(digits[s[0]>>4])
			b.WriteByte(digits[s[0]&15])
		case r == '%' && isEscape(s[1:]):
			b.WriteString("%25")
		default:
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// isEscape reports whether what follows a % is what escape would write.
func isEscape(s string) bool {
	if len(s) < 2 {
		return false
	}
	return s[:2] == "25" || strings.IndexByte("89ABCDEF", s[0]) >= 0 && strings.IndexByte("0123456789ABCDEF", s[1]) >= 0
}
