// Package bound cuts texts to what a receiver takes.
package bound

import (
	"strings"
	"unicode/utf8"
)

// Mark is at the end of what was cut.
const Mark = "…"

// Bytes returns a text of valid UTF-8 of at most that many bytes, and whether it was cut.
// What is no UTF-8 is U+FFFD. max is at least len(Mark).
func Bytes(s string, max int) (string, bool) {
	// What lies far behind the end is not looked at: a text may be a megabyte.
	long := len(s) > 3*max+utf8.UTFMax
	if long {
		s = s[:3*max+utf8.UTFMax]
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= max && !long {
		return s, false
	}
	if len(s) <= max-len(Mark) {
		return s + Mark, true
	}
	end := max - len(Mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + Mark, true
}
