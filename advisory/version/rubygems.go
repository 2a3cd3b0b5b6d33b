package version

import (
	"bytes"
	"slices"
	"strings"
)

// gem orders RubyGems versions: segments of digits or letters, where letters
// make a pre-release, which precedes the same version without them, and a
// hyphen stands for ".pre.".
//
// Source: RubyGems, Gem::Version (correct?, canonical_segments, <=>).
var gem = rules{
	name:    "gem",
	parse:   func(s string) ([]byte, string) { return gemKey(nil, s) },
	order:   func(v, w Version) int { return bytes.Compare(v.key, w.key) },
	compare: compareGem,
}

func compareGem(a, b string) (int, bool) {
	var abuf, bbuf [keySize]byte
	x, why := gemKey(abuf[:0], a)
	if why != "" {
		return 0, false
	}
	y, why := gemKey(bbuf[:0], b)
	return bytes.Compare(x, y), why == ""
}

// Marks in a gem key, in the order in which they sort. Where one version ends,
// the other precedes it by letters and follows it by a number; zeros do what
// comes after them does.
const (
	gemLetters  = 0x10
	gemZeroLow  = 0x20 // a zero, and next after its zeros come letters
	gemEnd      = 0x30
	gemZeroHigh = 0x40 // a zero, and next after its zeros comes a number
	gemNumber   = 0x50
)

// gemSegment is a run of digits or of letters, or nothing between two dots.
type gemSegment struct {
	text  string
	glued bool // it follows the segment before it without a dot
}

func (s gemSegment) isLetters() bool { return s.text != "" && isAlpha(s.text[0]) }
func (s gemSegment) isZero() bool    { return trimZeros(s.text) == "" }
func (s gemSegment) isEmpty() bool   { return s.text == "" }

func gemKey(key []byte, s string) ([]byte, string) {
	s = trimSpace(s)
	if why := checkGem(s); why != "" {
		return nil, why
	}
	var buf [16]gemSegment // room on the stack for a usual version
	segments := dropGemZeros(gemSegments(buf[:0], s))
	return appendGemKey(key, slices.DeleteFunc(segments, gemSegment.isEmpty)), ""
}

func appendGemKey(key []byte, segments []gemSegment) []byte {
	for i := 0; i < len(segments); i++ {
		switch segment := segments[i]; {
		case segment.isLetters():
			key = append(append(append(key, gemLetters), segment.text...), 0)
		case !segment.isZero():
			key = appendNumber(append(key, gemNumber), segment.text)
		default:
			n := zeroRun(segments[i:])
			if i += n; i == len(segments) {
				return append(key, gemEnd)
			}
			mark := byte(gemZeroHigh)
			if segments[i].isLetters() {
				mark = gemZeroLow
			}
			for range n {
				key = append(key, mark)
			}
			i--
		}
	}
	return append(key, gemEnd)
}

// zeroRun returns how many zeros segments starts with.
func zeroRun(segments []gemSegment) int {
	for i, s := range segments {
		if s.isLetters() || !s.isZero() {
			return i
		}
	}
	return len(segments)
}

// checkGem says why s is not
// [0-9]+(\.[0-9a-zA-Z]+)*(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?
func checkGem(s string) string {
	numbers, pre, isPre := strings.Cut(s, "-")
	switch {
	case s == "":
		return whyEmpty
	case !isDotted(numbers, alnumChars), !allDigits(numbers[:dotEnd(numbers)]):
		return "it is not a number followed by dotted alphanumeric segments"
	case isPre && !isDotted(pre, identChars):
		return "what follows its hyphen is not dotted identifiers"
	}
	return ""
}

func dotEnd(s string) int {
	if i := strings.IndexByte(s, '.'); i >= 0 {
		return i
	}
	return len(s)
}

func gemSegments(segments []gemSegment, s string) []gemSegment {
	afterDot := false
	for i := 0; i < len(s); {
		c := s[i]
		if c == '.' || c == '-' {
			if afterDot {
				segments = append(segments, gemSegment{})
			}
			if c == '-' {
				segments = append(segments, gemSegment{text: "pre"})
			}
			afterDot = true
			i++
			continue
		}
		end := lettersEnd(s, i)
		if isDigit(c) {
			end = digitsEnd(s, i)
		}
		segments = append(segments, gemSegment{s[i:end], len(segments) > 0 && !afterDot})
		afterDot = false
		i = end
	}
	return segments
}

// dropGemZeros removes the first run of zeros that starts after a dot and has
// letters after it, as canonical_segments does: 1.0.a is 1.a.
func dropGemZeros(segments []gemSegment) []gemSegment {
	start := -1
	for i, s := range segments {
		switch {
		case s.isLetters():
			if start >= 0 {
				return append(segments[:start], segments[i:]...)
			}
		case !s.isZero():
			start = -1
		case start < 0 && !s.glued:
			start = i
		}
	}
	return segments
}
