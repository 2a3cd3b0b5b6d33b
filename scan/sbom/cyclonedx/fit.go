package cyclonedx

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// fitURI reports whether s can stand where the schemas want a URI reference.
func fitURI(s string) bool {
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7F || strings.IndexByte("<>[]\"{}|\\^`", s[i]) >= 0 {
			return false
		}
		if s[i] == '%' && (i+2 >= len(s) || !hexDigits(strings.ToLower(s[i+1:i+3]), 2)) {
			return false
		}
	}
	u, err := url.Parse(s)
	return err == nil && !strings.Contains(u.Fragment, "#")
}

// maxVersionLength is that of versions in the JSON schemas, in characters.
const maxVersionLength = 1024

func fitVersion(s string) bool {
	return len(s) <= maxVersionLength || utf8.RuneCountInString(s) <= maxVersionLength
}
