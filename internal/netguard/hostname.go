package netguard

import (
	"strings"
	"unicode"
)

// The bounds of RFC 1035, section 2.3.4.
const (
	maxName  = 253
	maxLabel = 63
)

// spelling returns why a host is no name in its one plain spelling, or "". Names are those
// of RFC 1123, section 2.1. What ends in a number is an address to whoever resolves it
// (WHATWG URL, section 3.5), so 127.1, 2130706433, 0x7f000001 and 0177.0.0.1 are none.
func spelling(host string) string {
	switch {
	case host == "":
		return "the URL has no host"
	case strings.HasSuffix(host, "."):
		return "a name is written without a final dot"
	case len(host) > maxName:
		return "a name has at most 253 bytes"
	}
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if rule := labelRule(l); rule != "" {
			return rule
		}
	}
	if numeric(labels[len(labels)-1]) {
		return "an IPv4 address is written as four decimal numbers"
	}
	return ""
}

func labelRule(l string) string {
	for i := range len(l) {
		switch c := l[i]; {
		case c >= 0x80:
			return "a name is written in its ASCII form (xn--…): others can look like one and be another"
		case c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		default:
			return "a name has letters, digits and hyphens"
		}
	}
	switch {
	case l == "":
		return "a part of the name is empty"
	case len(l) > maxLabel:
		return "a part of a name has at most 63 bytes"
	case l[0] == '-' || l[len(l)-1] == '-':
		return "a part of a name begins and ends with a letter or a digit"
	}
	if len(l) > 4 && strings.EqualFold(l[:4], "xn--") {
		return aceRule(strings.ToLower(l[4:]))
	}
	return ""
}

// numeric reports whether a label is a number to those who parse addresses leniently.
func numeric(l string) bool {
	if len(l) >= 2 && l[0] == '0' && (l[1] == 'x' || l[1] == 'X') {
		return strings.Trim(l[2:], "0123456789abcdefABCDEF") == ""
	}
	return strings.Trim(l, "0123456789") == ""
}

// aceRule judges the part of a label after "xn--".
func aceRule(s string) string {
	text, ok := punycode(s)
	if !ok {
		return "a part of the name is not valid Punycode"
	}
	latin, other, plain := false, false, true
	for _, r := range text {
		if !unicode.IsGraphic(r) && r != '\u200c' && r != '\u200d' { // joiners are in words of some scripts
			return "a part of the name is not valid Punycode"
		}
		plain = plain && r < 0x80
		latin = latin || unicode.Is(unicode.Latin, r)
		other = other || unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee)
	}
	switch {
	case plain:
		return "a part of the name is not valid Punycode"
	case latin && other:
		return "a part of the name mixes scripts whose letters look alike"
	}
	return ""
}

// punycode decodes RFC 3492, section 6.2.
func punycode(s string) ([]rune, bool) {
	var out []rune
	if b := strings.LastIndexByte(s, '-'); b >= 0 {
		out, s = []rune(s[:b]), s[b+1:]
	}
	n, i, bias := 128, 0, 72
	for len(s) > 0 {
		start, w := i, 1
		for k := 36; ; k += 36 {
			digit := 0
			switch {
			case s == "":
				return nil, false
			case s[0] >= 'a' && s[0] <= 'z':
				digit = int(s[0] - 'a')
			case s[0] >= '0' && s[0] <= '9':
				digit = int(s[0]-'0') + 26
			default:
				return nil, false
			}
			s = s[1:]
			i += digit * w
			t := min(max(k-bias, 1), 26)
			if i > unicode.MaxRune*(maxLabel+1) {
				return nil, false
			}
			if digit < t {
				break
			}
			w *= 36 - t
			if w > unicode.MaxRune*(maxLabel+1) {
				return nil, false
			}
		}
		bias = adapt(i-start, len(out)+1, start == 0)
		n += i / (len(out) + 1)
		i %= len(out) + 1
		if n > unicode.MaxRune {
			return nil, false
		}
		out = append(out[:i], append([]rune{rune(n)}, out[i:]...)...)
		i++
	}
	return out, true
}

// adapt is the bias of RFC 3492, section 6.1.
func adapt(delta, points int, first bool) int {
	if first {
		delta /= 700
	} else {
		delta /= 2
	}
	delta += delta / points
	k := 0
	for ; delta > 455; k += 36 {
		delta /= 35
	}
	return k + 36*delta/(delta+38)
}
