package cyclonedx

import (
	"strings"
)

// fitCPE reports whether s is a CPE 2.3 formatted string by the pattern of the
// CycloneDX schemas (NISTIR 7695 §6.2).
func fitCPE(s string) bool {
	rest, ok := strings.CutPrefix(s, "cpe:2.3:")
	if !ok {
		return false
	}
	field := 0
	for ; ; field++ {
		var value string
		value, rest, ok = cutCPE(rest)
		fit := false
		switch field {
		case 0:
			fit = len(value) == 1 && strings.Contains("aho*-", value)
		case 6:
			fit = cpeLanguage(value)
		default:
			fit = cpeValue(value)
		}
		if !fit {
			return false
		}
		if !ok {
			return field == 10
		}
	}
}

// cutCPE cuts s at the first colon that is not escaped.
func cutCPE(s string) (value, rest string, more bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ':':
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// cpeValue reports whether s is "*", "-" or text with wildcards at its ends.
func cpeValue(s string) bool {
	if s == "*" || s == "-" {
		return true
	}
	text := trimWild(s)
	if text == "" {
		return false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\':
			if i++; i == len(text) || strings.IndexByte("\\*?!\"#$%&'()+,/:;<=>@[]^`{|}~", text[i]) < 0 {
				return false
			}
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}

// trimWild takes off "*" or a run of "?" at both ends.
func trimWild(s string) string {
	if t, ok := strings.CutPrefix(s, "*"); ok {
		s = t
	} else {
		s = strings.TrimLeft(s, "?")
	}
	if strings.HasSuffix(s, "\\*") || strings.HasSuffix(s, "\\?") {
		return s
	}
	if t, ok := strings.CutSuffix(s, "*"); ok {
		return t
	}
	trimmed := strings.TrimRight(s, "?")
	if strings.HasSuffix(trimmed, "\\") && trimmed != s {
		return trimmed + "?"
	}
	return trimmed
}

// cpeLanguage reports whether s is a language tag as the pattern allows it.
func cpeLanguage(s string) bool {
	if s == "*" || s == "-" {
		return true
	}
	language, region, has := strings.Cut(s, "-")
	if len(language) < 2 || len(language) > 3 || !letters(language) {
		return false
	}
	return !has || len(region) == 2 && letters(region) || len(region) == 3 && strings.Trim(region, "0123456789") == ""
}

func letters(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
