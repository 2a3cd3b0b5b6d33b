package chat

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/plain"
)

// Mark ends a text that was cut.
const Mark = "…"

// Line returns a text as one line of at most max characters that commands and reorders
// nothing, and whether it was cut. Characters are counted as chats do, in UTF-16.
func Line(s string, max int) (string, bool) {
	var b strings.Builder
	n, space := 0, false
	for _, r := range s { // never more of it than can be shown
		if unicode.IsSpace(r) {
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			n++
			space = false
		}
		b.WriteRune(r)
		if n += width(r); n > max {
			break
		}
	}
	return Cut(plain.Text(b.String()), max)
}

// Cut returns at most max characters of a text, the last of which is Mark where there was
// more, and whether there was.
func Cut(s string, max int) (string, bool) {
	n, end := 0, 0
	for i, r := range s {
		n += width(r)
		if n > max {
			return s[:end] + Mark, true
		}
		if n < max {
			end = i + utf8.RuneLen(r)
		}
	}
	return s, false
}

// Len counts the characters of a text, in UTF-16.
func Len(s string) int {
	n := 0
	for _, r := range s {
		n += width(r)
	}
	return n
}

func width(r rune) int {
	if r > 0xFFFF {
		return 2
	}
	return 1
}

// MaxLink bounds a link, in bytes.
const MaxLink = 2048

// Link returns a link as it may be followed, "" for what is no address of the web or too
// long. It is for places that take an address, not for texts.
func Link(s string) string {
	if s == "" || len(s) > MaxLink {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return ""
	}
	if s = u.String(); len(s) > MaxLink {
		return ""
	}
	return s
}
