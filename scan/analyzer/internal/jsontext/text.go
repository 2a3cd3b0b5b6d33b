package jsontext

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Plain returns how many leading bytes are neither a quote nor a backslash nor
// a control character. It looks at eight bytes at a time: in each term the
// lowest mark is exact, those above it may be false.
func Plain(b []byte) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		marks := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w) & high
		if marks != 0 {
			return i + bits.TrailingZeros64(marks)/8
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c == '"' || c == '\\' || c < 0x20 {
			break
		}
	}
	return i
}

// Escape returns the length of the escape that b begins with, or 0.
func Escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b[2:]); ok {
			return 6
		}
	}
	return 0
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var v rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			v = v<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			v = v<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// Unescape decodes a string whose escapes have been checked.
func Unescape(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for len(raw) > 0 {
		n := bytes.IndexByte(raw, '\\')
		if n < 0 {
			return append(out, raw...)
		}
		out, raw = append(out, raw[:n]...), raw[n:]
		if c := raw[1]; c != 'u' {
			if i := strings.IndexByte("bfnrt", c); i >= 0 {
				c = "\b\f\n\r\t"[i]
			}
			out, raw = append(out, c), raw[2:]
			continue
		}
		v, _ := hex4(raw[2:])
		raw = raw[6:]
		if utf16.IsSurrogate(v) {
			low := rune(utf8.RuneError)
			if bytes.HasPrefix(raw, []byte(`\u`)) {
				low, _ = hex4(raw[2:])
			}
			if v = utf16.DecodeRune(v, low); v != utf8.RuneError {
				raw = raw[6:]
			}
		}
		out = utf8.AppendRune(out, v)
	}
	return out
}

// Clean copies b into a string that is well-formed UTF-8.
func Clean(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return string(bytes.ToValidUTF8(b, []byte("\uFFFD")))
}
