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

// rawRules builds the rules of a scheme that compares raw texts.
func rawRules(name string, check func(string) string, order func(a, b string) int) rules {
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
