package advisory

import (
	"strings"
	"unicode"
)

// Summarize returns the first line of a text that says something: without the
// marks of a Markdown heading and control characters, its spaces joined, cut to
// MaxSummary bytes and an ellipsis. A line that is but "Impact" or "Summary"
// says nothing.
func Summarize(text string) string {
	for line := range strings.Lines(text) {
		s := strings.ToValidUTF8(line[:min(len(line), 4*MaxSummary)], "")
		s = strings.Join(strings.FieldsFunc(s, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }), " ")
		s = strings.TrimSpace(strings.TrimLeft(s, "#"))
		if s == "" || s == "Impact" || s == "Summary" {
			continue
		}
		if len(s) > MaxSummary {
			s = strings.ToValidUTF8(s[:MaxSummary], "") + "…"
		}
		return s
	}
	return ""
}
