package version

import (
	"bytes"
	"strings"
)

// pypi orders Python versions: PEP 440, and before all of those the legacy
// versions that setuptools ordered before it.
//
// Source: PyPA version specifiers (PEP 440); packaging.version, Version._key
// and, up to packaging 21, LegacyVersion, which osv.dev uses too.
var pypi = rules{
	name:    "pypi",
	parse:   func(s string) ([]byte, string) { return pypiKey(nil, s) },
	order:   func(v, w Version) int { return bytes.Compare(v.key, w.key) },
	compare: comparePyPI,
}

func comparePyPI(a, b string) (int, bool) {
	var abuf, bbuf [keySize]byte
	x, why := pypiKey(abuf[:0], a)
	if why != "" {
		return 0, false
	}
	y, why := pypiKey(bbuf[:0], b)
	return bytes.Compare(x, y), why == ""
}

// keySize is the room for a version's comparable form on the stack.
const keySize = 128

// The first byte of a PyPI key.
const (
	keyLegacy = iota
	keyPEP440
)

// Marks in a PyPI key, in the order in which they sort. A number starts
// with a byte from 1 up.
const (
	keyLowest  = 0x00
	keyText    = 0x01
	keyNumber  = 0x02
	keyHighest = 0xff
)

// pypiKey appends a text whose byte order is the version order.
func pypiKey(key []byte, s string) ([]byte, string) {
	if t := strings.TrimSpace(s); t != "" {
		if p, ok := splitPEP440(t); ok {
			return p.appendKey(append(key, keyPEP440)), ""
		}
	}
	switch {
	case s == "":
		return nil, whyEmpty
	case hasControl(s):
		return nil, whyControl
	}
	return appendLegacyKey(append(key, keyLegacy), s), ""
}

// pep440 is the parts of a version, as slices of its text. A number that is
// left out after its word is empty, which is zero.
type pep440 struct {
	epoch   string
	release string // dotted numbers
	pre     byte   // a, b or r; 0 for none
	preN    string
	isPost  bool
	postN   string
	isDev   bool
	devN    string
	local   string // segments with . - or _ between them; empty for none
}

// splitPEP440 reads a version as the regular expression of PEP 440, appendix B.
func splitPEP440(s string) (p pep440, ok bool) {
	if lower(s[0]) == 'v' {
		s = s[1:]
	}
	if i := digitsEnd(s, 0); i > 0 && i < len(s) && s[i] == '!' {
		p.epoch, s = s[:i], s[i+1:]
	}
	i := digitsEnd(s, 0)
	if i == 0 {
		return p, false
	}
	for i+1 < len(s) && s[i] == '.' && isDigit(s[i+1]) {
		i = digitsEnd(s, i+1)
	}
	p.release, s = s[:i], s[i:]
	s = p.cutPre(s)
	s = p.cutPost(s)
	if n, rest, ok := cutWord(s, "dev"); ok {
		p.isDev, p.devN, s = true, n, rest
	}
	if s == "" {
		return p, true
	}
	p.local = s[1:]
	return p, s[0] == '+' && isLocal(p.local)
}

// cutPre reads a pre-release off the start of s and returns the rest.
func (p *pep440) cutPre(s string) string {
	for _, word := range [...]struct {
		name string
		kind byte
	}{
		{"alpha", 'a'}, {"a", 'a'}, {"beta", 'b'}, {"b", 'b'},
		{"preview", 'r'}, {"pre", 'r'}, {"rc", 'r'}, {"c", 'r'},
	} {
		if n, rest, ok := cutWord(s, word.name); ok {
			p.pre, p.preN = word.kind, n
			return rest
		}
	}
	return s
}

// cutPost reads a post-release off the start of s and returns the rest.
func (p *pep440) cutPost(s string) string {
	if len(s) > 1 && s[0] == '-' && isDigit(s[1]) {
		i := digitsEnd(s, 1)
		p.isPost, p.postN = true, s[1:i]
		return s[i:]
	}
	for _, word := range [...]string{"post", "rev", "r"} {
		if n, rest, ok := cutWord(s, word); ok {
			p.isPost, p.postN = true, n
			return rest
		}
	}
	return s
}

// cutWord reads a word, in any case, off the start of s, with a separator
// before and after it and a number at its end, each of which may be missing.
func cutWord(s, word string) (number, rest string, ok bool) {
	if s != "" && isSeparator(s[0]) {
		s = s[1:]
	}
	if !hasFoldPrefix(s, word) {
		return "", "", false
	}
	s = s[len(word):]
	if s != "" && isSeparator(s[0]) {
		s = s[1:]
	}
	i := digitsEnd(s, 0)
	return s[:i], s[i:], true
}

func isSeparator(c byte) bool { return c == '.' || c == '-' || c == '_' }

// isLocal reports whether s is alphanumeric segments with separators between.
func isLocal(s string) bool {
	empty := true
	for i := range len(s) {
		switch c := s[i]; {
		case isAlnum(c):
			empty = false
		case isSeparator(c) && !empty:
			empty = true
		default:
			return false
		}
	}
	return !empty
}

// appendKey encodes the tuple that packaging's _cmpkey builds.
func (p *pep440) appendKey(key []byte) []byte {
	key = appendNumber(key, p.epoch)
	key = appendRelease(key, p.release)
	switch {
	case p.pre != 0:
		key = appendNumber(append(key, p.pre), p.preN)
	case p.isDev && !p.isPost: // 1.0.dev0 precedes 1.0a0
		key = append(key, keyLowest)
	default:
		key = append(key, keyHighest)
	}
	if p.isPost {
		key = appendNumber(append(key, keyNumber), p.postN)
	} else {
		key = append(key, keyLowest)
	}
	if p.isDev {
		key = appendNumber(append(key, keyNumber), p.devN)
	} else {
		key = append(key, keyHighest)
	}
	return appendLocal(key, p.local)
}

// appendRelease encodes dotted numbers without the zeros at their end.
func appendRelease(key []byte, release string) []byte {
	end := len(key)
	for release != "" {
		var n string
		n, release, _ = strings.Cut(release, ".")
		key = appendNumber(key, n)
		if trimZeros(n) != "" {
			end = len(key)
		}
	}
	return append(key[:end], keyLowest)
}

func appendLocal(key []byte, local string) []byte {
	for local != "" {
		i := 0
		for i < len(local) && !isSeparator(local[i]) {
			i++
		}
		if segment := local[:i]; allDigits(segment) {
			key = appendNumber(append(key, keyNumber), segment)
		} else {
			key = append(appendFold(append(key, keyText), segment), keyLowest)
		}
		local = local[min(i+1, len(local)):]
	}
	return append(key, keyLowest)
}
