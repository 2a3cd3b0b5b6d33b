package version

import "strings"

// appendLegacyKey encodes the parts that packaging's LegacyVersion compares as
// text: runs of digits padded to eight, words with a star before them, so that
// they precede numbers, and at the end "*final", which pre-release words
// precede and others follow.
func appendLegacyKey(key []byte, s string) []byte {
	l := legacyKey{key: key}
	for s = strings.ToLower(s); s != ""; {
		i := legacyPartEnd(s)
		l = l.add(s[:i])
		s = s[i:]
	}
	return l.addWord("final").key
}

// legacyPartEnd returns the end of the part that s starts with: digits,
// letters, one dot, one hyphen, or whatever is up to the next of those.
func legacyPartEnd(s string) int {
	switch c := s[0]; {
	case isDigit(c):
		return digitsEnd(s, 0)
	case isLower(c):
		return lettersEnd(s, 0)
	case c == '.' || c == '-':
		return 1
	}
	i := 0
	for i < len(s) && !isDigit(s[i]) && !isLower(s[i]) && s[i] != '.' && s[i] != '-' {
		i++
	}
	return i
}

// legacyKey builds a legacy version's key. Each part ends with a zero byte, so
// that a list precedes any longer one that it starts.
type legacyKey struct {
	key []byte
	// zeros and finals are how many parts at the key's end are 00000000, and how
	// many before those are *final-.
	zeros, finals int
}

const (
	legacyZero  = "00000000"
	legacyFinal = "*final-"
)

func (l legacyKey) add(part string) legacyKey {
	switch part {
	case ".":
		return l
	case "pre", "preview", "rc":
		part = "c"
	case "-":
		part = "final-"
	case "dev":
		part = "@"
	}
	if isDigit(part[0]) {
		return l.addNumber(part)
	}
	return l.addWord(part)
}

func (l legacyKey) addNumber(digits string) legacyKey {
	for n := len(digits); n < len(legacyZero); n++ {
		l.key = append(l.key, '0')
	}
	l.key = append(append(l.key, digits...), 0)
	if len(digits) <= len(legacyZero) && trimZeros(digits) == "" {
		l.zeros++
	} else {
		l.zeros, l.finals = 0, 0
	}
	return l
}

// addWord appends a word. It drops the zeros before it, and a pre-release word
// drops hyphens before those.
func (l legacyKey) addWord(word string) legacyKey {
	if word < "final" && l.zeros == 0 {
		l.key = l.key[:len(l.key)-l.finals*(len(legacyFinal)+1)]
		l.finals = 0
	}
	l.key = l.key[:len(l.key)-l.zeros*(len(legacyZero)+1)]
	l.zeros = 0
	l.key = append(append(append(l.key, '*'), word...), 0)
	if word == "final-" {
		l.finals++
	} else {
		l.finals = 0
	}
	return l
}
