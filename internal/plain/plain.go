// Package plain makes text that is safe to show: in a terminal, a log, a page.
package plain

import (
	"strings"
	"unicode"
)

// Text replaces what could command a terminal, break a line or reorder one, and what no
// text has: control and format characters, line separators, noncharacters and broken
// UTF-8, each by U+FFFD.
func Text(s string) string {
	return strings.Map(func(r rune) rune {
		if unsafe(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func unsafe(r rune) bool {
	return r < 0x20 || r >= 0x7f && (r < 0xa0 || r&0xfffe == 0xfffe || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp))
}
