package cyclonedx

import (
	"encoding/xml"
	"strconv"
	"strings"
	"unicode/utf8"
)

const xmlURL = "http://www.w3.org/XML/1998/namespace" // of the prefix "xml"

// declaration reports whether a declares a namespace.
func declaration(a xml.Attr) bool {
	return a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns"
}

func (r *xmlReader) noteText(e *xml.StartElement) {
	r.note(r.line(), "text between the members of "+quote(e.Name.Local)+" is left out")
}

func (r *xmlReader) line() string {
	line, _ := r.d.InputPos()
	return "line " + strconv.Itoa(line)
}

// quote is strconv.Quote for names of any length.
func quote(s string) string {
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "…"
	}
	return strconv.Quote(s)
}

// scalarNode is the JSON value of an XML text. A text that is not of its type
// stays a string.
func scalarNode(k *kind, text string) node {
	trimmed := strings.TrimSpace(text)
	switch {
	case k.scalar == 'b' && (trimmed == "true" || trimmed == "1"):
		return node{kind: 't'}
	case k.scalar == 'b' && (trimmed == "false" || trimmed == "0"):
		return node{kind: 'f'}
	case k.scalar == 'i' || k.scalar == 'n':
		if s, ok := jsonNumber(trimmed); ok {
			return node{kind: '0', text: s}
		}
	}
	return stringNode(text)
}

// jsonNumber writes an xs:decimal as JSON wants it: digits before the point, no
// plus sign, no needless zeros in front.
func jsonNumber(s string) (string, bool) {
	sign := ""
	switch {
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	case strings.HasPrefix(s, "-"):
		sign, s = "-", s[1:]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return "", false
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if fraction == "" {
		return sign + whole, true
	}
	return sign + whole + "." + fraction, true
}

// appendXML escapes s as text or as an attribute's value. Characters that XML
// cannot hold become U+FFFD.
func appendXML(b []byte, s string, attribute bool) []byte {
	start := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if esc := xmlEscape(r, size, attribute); esc != "" {
			b = append(append(b, s[start:i]...), esc...)
			start = i + size
		}
		i += size
	}
	return append(b, s[start:]...)
}

func xmlEscape(r rune, size int, attribute bool) string {
	switch {
	case r == '&':
		return "&amp;"
	case r == '<':
		return "&lt;"
	case r == '>':
		return "&gt;"
	case r == '\r':
		return "&#xD;"
	case attribute && r == '"':
		return "&quot;"
	case attribute && r == '\n':
		return "&#xA;"
	case attribute && r == '\t':
		return "&#x9;"
	case !xmlChar(r) || r == utf8.RuneError && size == 1:
		return "\uFFFD"
	}
	return ""
}

// xmlChar reports whether r is a Char of XML 1.0 §2.2.
func xmlChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000
}

// xmlSafe reports whether XML can hold all characters of s.
func xmlSafe(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 && c != '\t' && c != '\n' && c != '\r' || c >= utf8.RuneSelf {
			return !strings.ContainsFunc(s, func(r rune) bool { return !xmlChar(r) })
		}
	}
	return true
}
