package template

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes one line of a value: white space is a space, runs of line breaks and tabs
// are one; controls, what reorders a line, and what cannot be seen are replaced by
// U+FFFD, as is broken UTF-8. What only chooses the shape of a letter is left out. The
// result has at most max bytes, and ends in "…" where something was cut.
func clean(s string, max int) (out string, cut bool) {
	if simple(s) && len(s) <= max {
		return s, false
	}
	// What is removed is bounded as well: a megabyte of joiners is not read to its end.
	if len(s) > 4*max {
		s, cut = cutAt(s, 4*max), true
	}
	var b strings.Builder
	broke := false
	for _, r := range s {
		switch {
		case breaks(r):
			if !broke {
				b.WriteByte(' ')
			}
			broke = true
			continue
		case r == ' ' || unicode.Is(unicode.Zs, r):
			r = ' '
		case shapes(r):
			continue
		case hidden(r):
			r = utf8.RuneError
		}
		broke = false
		b.WriteRune(r)
		if b.Len() > max {
			break
		}
	}
	out = b.String()
	if len(out) > max {
		out, cut = out[:max], true
	}
	if cut {
		out = cutAt(out, max-len(ellipsis)) + ellipsis
	}
	return out, cut
}

const ellipsis = "…"

// cutAt cuts a text to at most max bytes, before a character.
func cutAt(s string, max int) string {
	if len(s) <= max {
		return s
	}
	if max = max0(max); max == 0 {
		return ""
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max]
}

func max0(n int) int { return max(n, 0) }

func simple(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

func breaks(r rune) bool {
	return r >= '\t' && r <= '\r' || r == 0x85 || r == 0x2028 || r == 0x2029
}

// shapes reports whether a character only chooses how its neighbours look: joiners and
// variation selectors, which names of many languages and emoji have.
func shapes(r rune) bool {
	return r == 0x200c || r == 0x200d || r >= 0xfe00 && r <= 0xfe0f || r >= 0xe0100 && r <= 0xe01ef || r >= 0x180b && r <= 0x180d || r == 0x180f
}

// hidden reports whether a character is a control, reorders a line, is not to be seen,
// or is none at all.
func hidden(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r < 0xa0, r&0xfffe == 0xfffe, r >= 0xfdd0 && r <= 0xfdef:
		return true
	case unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Other_Default_Ignorable_Code_Point):
		return true
	}
	return r == 0x2800 || r >= 0xfff0 && r <= 0xfff8 || r >= 0xe0000 && r <= 0xe0fff
}
