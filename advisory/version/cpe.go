package version

import (
	"bytes"
	"slices"
	"strings"
)

// cpe orders versions of products that no ecosystem owns, which the CPE
// dictionary and CVE records name. There is no specification of that order, so
// it is lenient and takes what is common to most products:
//
//   - A version is a list of numbers and words; all other characters only part
//     them, and case does not matter. A leading "v", "r", "release" or
//     "version" says nothing.
//   - Numbers compare by value, missing ones are zero: 1.0 is 1.0.0.
//   - Words for what comes before a release (dev, alpha, beta, milestone, pre,
//     rc, their short forms and the like; "a" and "b" only before a number)
//     precede the version without them, in that order.
//   - Words for the release itself (final, ga, release, stable) say nothing.
//   - All other words follow the version without them (1.0.2 < 1.0.2a <
//     1.0.2za, 7.4 < 7.4p1), by the alphabet, and precede a further number.
//   - A plus at the end stands for just above the version: 1.2+ follows 1.2
//     and precedes everything else that does. Ranges without their first
//     version are written so.
//
// A text without a number or word is no version, such as "*" and "-", which stand
// for any and no version in CPE names; nor is one with a sign that conditions and
// lists are written with.
var cpe = rules{
	name:    "cpe",
	parse:   func(s string) ([]byte, string) { return cpeKey(nil, s) },
	order:   func(v, w Version) int { return bytes.Compare(v.key, w.key) },
	compare: compareCPE,
}

func compareCPE(a, b string) (int, bool) {
	var abuf, bbuf [keySize]byte
	x, why := cpeKey(abuf[:0], a)
	if why != "" {
		return 0, false
	}
	y, why := cpeKey(bbuf[:0], b)
	return bytes.Compare(x, y), why == ""
}

// Marks of the parts of a key, in the order in which they sort.
const (
	cpePre    = 0x10 // plus the word's rank
	cpeEnd    = 0x30
	cpeAbove  = 0x31
	cpeWord   = 0x40
	cpeNumber = 0x50
)

// cpePreWords are words for what precedes a release, by rank.
var cpePreWords = [...][]string{
	{"dev", "nightly", "snapshot", "canary", "experimental", "unstable"},
	{"alpha"},
	{"beta"},
	{"milestone", "next"},
	{"pre", "preview", "prerelease"},
	{"rc", "cr", "candidate"},
}

func cpeKey(key []byte, s string) ([]byte, string) {
	if strings.ContainsFunc(s, isNoCPE) {
		return nil, "it has a control character or one of < > = ! * ? , ; | ^"
	}
	s = trimSpace(s)
	body := strings.TrimSuffix(s, "+")
	zeros, parts := 0, 0
	for i := 0; i < len(body); {
		switch c := body[i]; {
		case isDigit(c):
			end := digitsEnd(body, i)
			if trimZeros(body[i:end]) == "" {
				zeros++ // they count only if another number follows them
			} else {
				for ; zeros > 0; zeros-- {
					key = appendNumber(append(key, cpeNumber), "")
				}
				key = appendNumber(append(key, cpeNumber), body[i:end])
			}
			parts++
			i = end
		case isAlpha(c) || c >= 0x80:
			end := wordEnd(body, i)
			key = appendCPEWord(key, body[i:end], parts == 0, end < len(body) && isDigit(body[end]), &zeros)
			parts++
			i = end
		default:
			i++
		}
	}
	if parts == 0 {
		return nil, "it has neither a number nor a word"
	}
	if len(body) < len(s) {
		return append(key, cpeAbove), ""
	}
	return append(key, cpeEnd), ""
}

// isNoCPE reports whether no version has r: conditions and lists are not to be
// taken for versions.
func isNoCPE(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune("<>=!*?,;|^", r) }

// wordEnd returns the end of the run of letters, and of bytes beyond ASCII,
// that starts at s[i].
func wordEnd(s string, i int) int {
	for i < len(s) && (isAlpha(s[i]) || s[i] >= 0x80) {
		i++
	}
	return i
}

// appendCPEWord encodes one word. Zeros before a word that says something are
// of no value and are dropped.
func appendCPEWord(key []byte, word string, isFirst, beforeNumber bool, zeros *int) []byte {
	var buf [16]byte
	w := appendFold(buf[:0], word)
	if isFirst && beforeNumber || !isFirst && isCPENoise(w, beforeNumber) {
		switch string(w) {
		case "v", "r", "ver", "version", "release", "final", "ga", "stable":
			return key
		}
	}
	*zeros = 0
	if rank := cpeRank(w, beforeNumber); rank >= 0 {
		return append(key, cpePre+byte(rank))
	}
	switch string(w) {
	case "patch", "patchlevel", "pl":
		w = append(w[:0], 'p')
	case "update", "upd":
		w = append(w[:0], 'u')
	case "hotfix":
		w = append(w[:0], "hf"...)
	case "servicepack":
		w = append(w[:0], "sp"...)
	}
	return append(append(append(key, cpeWord), w...), 0)
}

// isCPENoise reports whether a word after the first part stands for the release
// itself.
func isCPENoise(w []byte, beforeNumber bool) bool {
	switch string(w) {
	case "final", "ga", "stable", "release":
		return !beforeNumber
	}
	return false
}

// cpeRank returns the rank of a word that precedes a release, or −1.
func cpeRank(w []byte, beforeNumber bool) int {
	if len(w) == 1 && beforeNumber {
		switch w[0] {
		case 'a':
			return 1
		case 'b':
			return 2
		case 'm':
			return 3
		}
	}
	return slices.IndexFunc(cpePreWords[:], func(list []string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return s == string(w) })
	})
}
