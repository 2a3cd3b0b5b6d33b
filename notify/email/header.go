package email

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/plain"
)

// The lengths of lines (RFC 5322, 2.1.1, and RFC 2047, 2).
const (
	softLine = 76
	maxLine  = 998
)

// header is fields of a message, as they go out. Its methods let nothing through that
// could end a field: names are constants, values are printable ASCII.
type header struct{ b strings.Builder }

// text adds a field of free text, such as the subject.
func (h *header) text(name, value string) {
	value = oneLine(value)
	if needsWords(value) {
		value = encodeWords(value, len(name)+2)
	}
	h.field(name, value)
}

// token adds a field of text that is no sentence, such as an id: printable ASCII, with
// "?" for the rest, and cut at 200 bytes. It adds none for "".
func (h *header) token(name, value string) {
	value = oneLine(value[:min(len(value), 4<<10)]) // far more than is shown
	b := make([]byte, 0, min(len(value), 200))
	for _, r := range value {
		if len(b) == cap(b) {
			break
		}
		if r < ' ' || r > '~' {
			r = '?'
		}
		b = append(b, byte(r))
	}
	if len(b) > 0 {
		h.field(name, string(b))
	}
}

// addresses adds a field of addresses, one a line.
func (h *header) addresses(name string, list []address) {
	parts := make([]string, len(list))
	for i, a := range list {
		parts[i] = a.spec()
		if a.name == "" {
			continue
		}
		words := phrase(a.name, len(name)+2)
		space := " "
		if strings.HasPrefix(words, "=?") || len(name)+2+len(words)+len(parts[i]) > softLine {
			space = "\r\n "
		}
		parts[i] = words + space + "<" + parts[i] + ">"
	}
	h.raw(name, strings.Join(parts, ",\r\n "))
}

// field adds a field of printable ASCII, folded at spaces.
func (h *header) field(name, value string) {
	var b strings.Builder
	column := len(name) + 2
	for i, word := range strings.Split(value, " ") {
		switch {
		case i == 0:
		case column+1+len(word) > softLine && column > 1:
			b.WriteString("\r\n ")
			column = 1
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	h.raw(name, b.String())
}

func (h *header) raw(name, value string) {
	h.b.WriteString(name + ": " + value + "\r\n")
}

// oneLine returns text without breaks of lines, without what reorders or hides text, and
// with single spaces.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.Join(strings.Fields(plain.Text(s)), " ")
}

// needsWords reports whether text cannot stand in a header as it is: it is not ASCII,
// could be taken for encoded words, or has words that no line holds.
func needsWords(s string) bool {
	if strings.Contains(s, "=?") {
		return true
	}
	for word := range strings.SplitSeq(s, " ") {
		if len(word) > 10*softLine {
			return true
		}
	}
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// encodeWords encodes text as encoded words of RFC 2047, separated by spaces, which
// readers take away. Each fits on a line of its own; the first has used bytes before it.
func encodeWords(s string, used int) string {
	const open, end = "=?utf-8?B?", "?="
	var words []string
	for s != "" {
		room := (softLine - len(open) - len(end) - max(used, 1)) / 4 * 3
		n := 0
		for n < len(s) {
			_, size := utf8.DecodeRuneInString(s[n:])
			if n+size > room {
				break
			}
			n += size
		}
		words = append(words, open+base64.StdEncoding.EncodeToString([]byte(s[:n]))+end)
		s, used = s[n:], 1
	}
	return strings.Join(words, " ")
}

// phrase returns a display name: words, a quoted string, or encoded words, folded.
func phrase(s string, used int) string {
	if needsWords(s) {
		return strings.ReplaceAll(encodeWords(s, used), " ", "\r\n ")
	}
	if !strings.ContainsFunc(s, func(r rune) bool { return !isAtext(r) && r != ' ' }) {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
