package advisory

import (
	"strings"
	"unicode"
)

// Summarize returns the first line of a text that says something: without the
// marks of a Markdown heading and control characters, its spaces joined, cut to
// MaxSummary bytes and an ellipsis. A line that is but "Impact" or "Summary"
// says nothing. A line that is good as it is shares the text's memory.
func Summarize(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if !isPlain(line) {
			line = tidy(line)
		}
		if line == "" || line == "Impact" || line == "Summary" {
			continue
		}
		return line
	}
	return ""
}

// isPlain reports whether a line is a summary as it is: short ASCII without
// marks, control characters and runs of spaces.
func isPlain(s string) bool {
	if len(s) > MaxSummary || s == "" || s[0] == '#' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == ' ' && s[i-1] == ' ' {
			return false
		}
	}
	return true
}

func tidy(line string) string {
	s := strings.ToValidUTF8(line[:min(len(line), 4*MaxSummary)], "")
	s = strings.Join(strings.FieldsFunc(s, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }), " ")
	s = strings.TrimSpace(strings.TrimLeft(s, "#"))
	if len(s) > MaxSummary {
		s = strings.ToValidUTF8(s[:MaxSummary], "") + "…"
	}
	return s
}
