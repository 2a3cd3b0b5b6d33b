// Package words cuts a text into the words that count when licence texts are
// compared: the SPDX licence list matching guidelines (annex B of the SPDX
// specification 2.3) as far as they can be applied to a text alone.
//
// Case, white space, punctuation, quotes, dashes and comment markers do not
// count (guidelines 4 to 6), nor do bullets at the start of a line (7), the
// spelling of equivalent words (8), copyright lines (9) and the difference of
// http and https (13). Punctuation is left out altogether, which the guidelines
// do not allow for an exact match: it is what differs between copies.
package words

import (
	"unicode"
	"unicode/utf8"
)

// A Word is one word of a text: a hash of its normal form, and its place.
type Word struct {
	Hash       uint32
	Start, End uint32 // bytes
}

// FNV-1a (draft-eastlake-fnv), over the lower-case letters and digits.
const (
	offset32 = 2166136261
	prime32  = 16777619
)

// Hash returns the hash of a word in lower case.
func Hash(s string) uint32 {
	h := uint32(offset32)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * prime32
	}
	return h
}

// classes gives, for an ASCII byte, its lower-case form where it is part of a
// word, else 0.
var classes = func() (t [128]byte) {
	for c := byte(0); c < 128; c++ {
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z':
			t[c] = c
		case 'A' <= c && c <= 'Z':
			t[c] = c | 0x20
		}
	}
	return t
}()

// Split appends the words of text to list. Its cost is linear. text must be
// shorter than 4 GiB.
func Split(list []Word, text []byte) []Word {
	for i := 0; i < len(text); {
		i = lineStart(text, i)
		i, list = line(list, text, i)
	}
	return list
}

// line reads words until the line ends, and returns where the next one starts.
func line(list []Word, text []byte, i int) (int, []Word) {
	for i < len(text) {
		c := text[i]
		switch {
		case c == '\n' || c == '\r':
			return i + 1, list
		case c == '&' && (i+1 == len(text) || text[i+1] == ' '):
			list = append(list, Word{andWord, uint32(i), uint32(i + 1)})
			i++
		case c < utf8.RuneSelf && classes[c] == 0:
			i++
		default:
			w, next := read(text, i)
			if next == i { // a rune that is no letter
				_, n := utf8.DecodeRune(text[i:])
				i += n
				continue
			}
			i = next
			list = add(list, w)
		}
	}
	return i, list
}

// read reads the word at i; without one the end is i.
func read(text []byte, i int) (Word, int) {
	start, h := i, uint32(offset32)
	for i < len(text) {
		c := text[i]
		if c < utf8.RuneSelf {
			low := classes[c]
			if low == 0 {
				break
			}
			h = (h ^ uint32(low)) * prime32
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError || !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) {
			break
		}
		h = (h ^ uint32(unicode.ToLower(r))) * prime32
		i += n
	}
	return Word{h, uint32(start), uint32(i)}, i
}

// add appends w in its normal form.
func add(list []Word, w Word) []Word {
	if same, ok := equivalents[w.Hash]; ok {
		w.Hash = same
	}
	if n := len(list); n > 0 {
		last := &list[n-1]
		if joined := pairs[[2]uint32{last.Hash, w.Hash}]; joined != 0 {
			last.Hash, last.End = joined, w.End
			return list
		}
		// "All rights reserved" comes and goes with copyright lines.
		if w.Hash == reservedWord && n > 1 && last.Hash == rightsWord && list[n-2].Hash == allWord {
			return list[:n-2]
		}
	}
	return append(list, w)
}
