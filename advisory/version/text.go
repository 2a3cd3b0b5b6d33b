package version

import (
	"encoding/binary"
	"strings"
)

// Reasons that several schemes share.
const (
	whyEmpty   = "it is empty"
	whyControl = "it has a space or a control character"
)

func isDigit(c byte) bool { return c-'0' < 10 }
func isLower(c byte) bool { return c-'a' < 26 }
func isAlpha(c byte) bool { return c|0x20-'a' < 26 }
func isAlnum(c byte) bool { return isDigit(c) || isAlpha(c) }

// charset is a set of ASCII characters, a bit for each.
type charset [2]uint64

const (
	digitBits = 0x03ff000000000000 // of the first half: 0 to 9
	alphaBits = 0x07fffffe07fffffe // of the second half: A to Z, a to z
)

// The sets that schemes share.
var (
	digitChars = charset{digitBits, 0}
	alnumChars = charset{digitBits, alphaBits}
	identChars = chars("-") // of an identifier of a semantic version
)

// chars returns letters, digits and the characters of s, which are ASCII.
func chars(s string) charset {
	set := charset{digitBits, alphaBits}
	for i := range len(s) {
		set[s[i]>>6&1] |= 1 << (s[i] & 63)
	}
	return set
}

// has reports whether c is in the set.
func (set charset) has(c byte) bool { return c < 0x80 && set[c>>6]>>(c&63)&1 != 0 }

// hasAll reports whether all of s is in the set.
func (set charset) hasAll(s string) bool {
	for i := range len(s) {
		if !set.has(s[i]) {
			return false
		}
	}
	return true
}

// digitsEnd returns the end of the run of ASCII digits that starts at s[i].
func digitsEnd(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

// allDigits reports whether s is one or more ASCII digits.
func allDigits(s string) bool { return s != "" && digitsEnd(s, 0) == len(s) }

// compareNumbers orders two runs of digits by value, whatever their length. An
// empty run is zero.
func compareNumbers(a, b string) int {
	if a == b {
		return 0
	}
	a, b = trimZeros(a), trimZeros(b)
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func trimZeros(s string) string {
	for s != "" && s[0] == '0' {
		s = s[1:]
	}
	return s
}

// appendNumber encodes digits so that the byte order of encodings is the order
// of the values. No encoding starts with a zero byte, none is another's prefix.
func appendNumber(key []byte, digits string) []byte {
	digits = trimZeros(digits)
	if len(digits) < 0xfe {
		key = append(key, byte(len(digits)+1))
	} else {
		key = append(key, 0xff)
		key = binary.BigEndian.AppendUint64(key, uint64(len(digits)))
	}
	return append(key, digits...)
}

// appendFold appends s with ASCII letters in lower case.
func appendFold(key []byte, s string) []byte {
	for i := range len(s) {
		key = append(key, lower(s[i]))
	}
	return key
}

func lower(c byte) byte {
	if c-'A' < 26 {
		return c + 'a' - 'A'
	}
	return c
}

// hasFoldPrefix reports whether s starts with prefix, which is in lower case,
// in any case.
func hasFoldPrefix(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower(s[i]) != prefix[i] {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// hasControl reports whether s has an ASCII space or control character, which
// no scheme has inside a version.
func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}

// cutByte cuts s around the first c, as [strings.Cut] does around a text.
func cutByte(s string, c byte) (before, after string, found bool) {
	for i := range len(s) {
		if s[i] == c {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// partRules builds the rules of a scheme that splits a text into parts, which
// are slices of it, each time it reads or compares it.
func partRules[P any](name string, split func(string) P, check func(P) string, order func(p, q P) int) rules {
	return rules{
		name: name,
		parse: func(s string) ([]byte, string) {
			if s == "" {
				return nil, whyEmpty
			}
			return nil, check(split(s))
		},
		order: func(v, w Version) int { return order(split(v.raw), split(w.raw)) },
		compare: func(a, b string) (int, bool) {
			p, q := split(a), split(b)
			if a == "" || b == "" || check(p) != "" || check(q) != "" {
				return 0, false
			}
			return order(p, q), true
		},
	}
}

// textRules builds the rules of a scheme that walks raw texts.
func textRules(name string, check func(string) string, order func(a, b string) int) rules {
	return rules{
		name:  name,
		parse: func(s string) ([]byte, string) { return nil, check(s) },
		order: func(v, w Version) int { return order(v.raw, w.raw) },
		compare: func(a, b string) (int, bool) {
			if check(a) != "" || check(b) != "" {
				return 0, false
			}
			return order(a, b), true
		},
	}
}

// cutNumber cuts the encoding of a number off the start of key.
func cutNumber(key []byte) (number, rest []byte) {
	n := int(key[0])
	if n == 0xff {
		n = 8 + int(binary.BigEndian.Uint64(key[1:])) + 1
	}
	return key[:n], key[n:]
}
