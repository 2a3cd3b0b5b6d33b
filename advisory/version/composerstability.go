package version

import "strings"

// maxMajorDigits is how many digits the first of four numbers may have; with
// more, a version is a date, which is not padded.
const maxMajorDigits = 5

// cutComposerNumbers cuts the numbers off the start of s, with the separators
// of dates between them.
func cutComposerNumbers(s string) (numbers, rest string) {
	end := 0
	for i := 0; i < len(s); {
		if i > 0 {
			if strings.IndexByte(".:-", s[i]) < 0 || i+1 == len(s) || !isDigit(s[i+1]) {
				break
			}
			i++
		}
		i = digitsEnd(s, i)
		end = i
	}
	return s[:end], s[end:]
}

// appendComposerNumbers encodes numbers, filled up to four unless they are a
// date.
func appendComposerNumbers(key []byte, s string) []byte {
	n, isDate := 0, digitsEnd(s, 0) > maxMajorDigits
	for s != "" {
		end := digitsEnd(s, 0)
		key = appendNumber(append(key, phpNumber), s[:end])
		n++
		if s = s[end:]; s != "" {
			isDate = isDate || s[0] != '.'
			s = s[1:]
		}
	}
	for ; n < 4 && !isDate; n++ {
		key = appendNumber(append(key, phpNumber), "")
	}
	return key
}

// appendStability encodes what follows the numbers, if it is of the form
// [._-]?((stable|beta|b|RC|alpha|a|patch|pl|p)([.-]?number)*)?([.-]?dev)?
func appendStability(key []byte, s string) ([]byte, bool) {
	if s != "" && strings.IndexByte("._-", s[0]) >= 0 && !isDevSuffix(s) {
		s = s[1:]
	}
	for _, word := range [...]struct {
		name string
		mark byte
	}{
		{"stable", 0}, {"beta", phpBeta}, {"b", phpBeta}, {"rc", phpRC}, {"alpha", phpAlpha},
		{"a", phpAlpha}, {"patch", phpPatch}, {"pl", phpPatch}, {"p", phpPatch},
	} {
		if !hasFoldPrefix(s, word.name) {
			continue
		}
		s = s[len(word.name):]
		numbers, rest := cutStabilityNumbers(s)
		if word.mark == 0 { // stable is no part, nor is what follows it
			return append(key, phpEnd), rest == "" || isDevSuffix(rest)
		}
		key, s = appendComposerParts(append(key, word.mark), numbers), rest
		break
	}
	if isDevSuffix(s) {
		key, s = append(key, phpDev), ""
	}
	return append(key, phpEnd), s == ""
}

// isDevSuffix reports whether s is [.-]?dev in any case.
func isDevSuffix(s string) bool {
	if s != "" && (s[0] == '.' || s[0] == '-') {
		s = s[1:]
	}
	return len(s) == len("dev") && hasFoldPrefix(s, "dev")
}

// cutStabilityNumbers cuts ([.-]?number)* off the start of s.
func cutStabilityNumbers(s string) (numbers, rest string) {
	end := 0
	for end < len(s) {
		i := end
		if s[i] == '.' || s[i] == '-' {
			i++
		}
		next := digitsEnd(s, i)
		if next == i {
			break
		}
		end = next
	}
	return s[:end], s[end:]
}

// appendComposerParts encodes the numbers of s, whatever is between them.
func appendComposerParts(key []byte, s string) []byte {
	for i := 0; i < len(s); {
		if !isDigit(s[i]) {
			i++
			continue
		}
		end := digitsEnd(s, i)
		key = appendNumber(append(key, phpNumber), s[i:end])
		i = end
	}
	return key
}

// appendPHPParts encodes s as version_compare reads it: parts between
// separators and between digits and letters.
func appendPHPParts(key []byte, s string) []byte {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case isDigit(c):
			end := digitsEnd(s, i)
			key = appendNumber(append(key, phpNumber), s[i:end])
			i = end
		case isAlpha(c):
			end := lettersEnd(s, i)
			key = append(key, phpMark(s[i:end]))
			i = end
		default:
			i++
		}
	}
	return append(key, phpEnd)
}

// phpMark ranks a word by the one of PHP's words that it starts with.
func phpMark(word string) byte {
	for _, form := range [...]struct {
		prefix string
		mark   byte
	}{
		{"dev", phpDev}, {"a", phpAlpha}, {"b", phpBeta}, {"RC", phpRC}, {"rc", phpRC}, {"p", phpPatch},
	} {
		if strings.HasPrefix(word, form.prefix) {
			return form.mark
		}
	}
	return phpUnknown
}
