package csaf

import "strings"

// Filename returns the name of the file of the document with this id: in lower
// case, other characters than a-z, 0-9, "+" and "-" replaced, those in a row by
// one underscore.
//
// Source: CSAF 2.0, section 5.1.
func Filename(id string) string {
	var b strings.Builder
	replaced := false
	for _, c := range strings.ToLower(id) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '-' {
			b.WriteRune(c)
			replaced = false
			continue
		}
		if !replaced {
			b.WriteByte('_')
		}
		replaced = true
	}
	return b.String() + ".json"
}
