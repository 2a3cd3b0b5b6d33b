package gateway

import (
	"strings"
	"unicode/utf8"
)

// checkTarget says what is wrong with a path and query as they were sent, "" where nothing
// is. A path has one spelling that all who read it read alike: no empty or dotted segment,
// no slash, backslash, semicolon, dot or control character behind an escape, no escape of
// an escape, and text is UTF-8.
func checkTarget(s string) string {
	p, query, _ := strings.Cut(s, "?")
	if p == "" || p[0] != '/' {
		return "a path that does not begin with a slash"
	}
	if why := checkBytes(p, "a path"); why != "" {
		return why
	}
	if why := checkBytes(query, "a query"); why != "" {
		return why
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(p[1:], "/"), "/") {
		if segment == "" && p != "/" || segment == "." || segment == ".." {
			return "a path with an empty or dotted segment"
		}
	}
	if strings.IndexByte(p, '%') >= 0 {
		return checkEscapes(p)
	}
	return ""
}

// checkBytes checks that there are no bytes that belong into an escape, and that escapes
// are whole.
func checkBytes(s, what string) string {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}#", c) >= 0:
			return what + " with a byte that must be escaped"
		case c == ';':
			return what + " with a semicolon"
		case c == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])):
			return what + " with half an escape"
		}
	}
	return ""
}

// checkEscapes looks at what escapes of a path stand for.
func checkEscapes(p string) string {
	plain := make([]byte, 0, len(p))
	for i := 0; i < len(p); i++ {
		if p[i] != '%' {
			plain = append(plain, p[i])
			continue
		}
		c := unhex(p[i+1])<<4 | unhex(p[i+2])
		switch {
		case c < ' ' || c == 0x7f || strings.IndexByte("/\\;.", c) >= 0:
			return "a path with an escape of a control character, slash, backslash, semicolon or dot"
		}
		plain = append(plain, c)
		i += 2
	}
	for i, c := range plain {
		if c == '%' && i+2 < len(plain) && isHex(plain[i+1]) && isHex(plain[i+2]) {
			return "a path with an escape of an escape"
		}
	}
	if !utf8.Valid(plain) {
		return "a path that is not UTF-8"
	}
	return ""
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}
