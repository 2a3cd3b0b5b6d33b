package words

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// maxCopyright is the longest line, in bytes, that is left out as a copyright
// notice.
const maxCopyright = 240

// lineStart returns where the text of the line that starts at i begins, behind
// comment markers and bullets, or the end of the line if it is a copyright line.
func lineStart(text []byte, i int) int {
	begin := i
	for range 3 { // " * 1. (a) text"
		i = skipMarks(text, i)
		next := skipBullet(text, i)
		if next == i {
			break
		}
		i = next
	}
	if isCopyright(text[i:]) && !broken(text[:begin]) {
		// A longer line has more than the notice on it.
		if n := bytes.IndexByte(text[i:min(len(text), i+maxCopyright)], '\n'); n >= 0 {
			return i + n
		} else if len(text)-i < maxCopyright {
			return len(text)
		}
	}
	return i
}

// skipMarks skips what is neither a word nor the end of the line. An opening
// parenthesis may belong to a bullet.
func skipMarks(text []byte, i int) int {
	for i < len(text) && text[i] < utf8.RuneSelf && classes[text[i]] == 0 && text[i] != '\n' && text[i] != '(' && text[i] != '&' {
		i++
	}
	return i
}

// skipBullet skips "1.", "1.2)", "(a)", "iv." and the like before a blank.
func skipBullet(text []byte, i int) int {
	at := i
	if at < len(text) && text[at] == '(' {
		at++
	}
	start := at
	for at < len(text) && '0' <= text[at] && text[at] <= '9' || at > start && at < len(text) && text[at] == '.' && digitAfter(text, at) {
		at++
	}
	if at == start {
		for at < len(text) && isRoman(text[at]) {
			at++
		}
		if at == start && at < len(text) && text[at] < utf8.RuneSelf && classes[text[at]] != 0 {
			at++
		}
	}
	if at == start || at-start > 5 || at+1 >= len(text) || text[at] != '.' && text[at] != ')' {
		return i
	}
	if c := text[at+1]; c != ' ' && c != '\t' && c != '\n' {
		return i
	}
	// "v. 2.0" and "2.0." are versions, where a sentence was broken.
	if isRoman(text[start]) && digitAfter(text, at+1) || bytes.HasSuffix(text[start:at], []byte(".0")) {
		return i
	}
	return at + 1
}

// broken reports whether a sentence goes on behind the line that ends text: "the
// software is\nCopyright (c) 2014 …".
func broken(text []byte) bool {
	text = bytes.TrimRight(text, "\r\n")
	for _, word := range [...]string{" is", " the", " of"} {
		if bytes.HasSuffix(text, []byte(word)) {
			return true
		}
	}
	return false
}

func digitAfter(text []byte, i int) bool {
	return i+1 < len(text) && '0' <= text[i+1] && text[i+1] <= '9'
}

func isRoman(c byte) bool {
	c |= 0x20
	return c == 'i' || c == 'v' || c == 'x'
}

var copyrightWord = []byte("copyright")

// isCopyright reports whether a line is a copyright notice: it names a year or
// somebody. "Copyright notice" and the like, where a sentence was broken, are
// none.
func isCopyright(s []byte) bool {
	if bytes.HasPrefix(s, []byte("©")) {
		return true
	}
	if mark := len("(c)"); len(s) > mark && s[0] == '(' && s[1]|0x20 == 'c' && s[2] == ')' {
		s = bytes.TrimLeft(s[mark:], " \t")
		return bytes.HasPrefix(bytes.ToLower(s[:min(len(s), len(copyrightWord))]), copyrightWord) || len(s) > 0 && '0' <= s[0] && s[0] <= '9'
	}
	if len(s) < len(copyrightWord) || !bytes.EqualFold(s[:len(copyrightWord)], copyrightWord) {
		return false
	}
	capital := s[0] == 'C'
	rest := s[len(copyrightWord):]
	if len(rest) == 0 {
		return false
	}
	if c := rest[0]; c < utf8.RuneSelf && classes[c] != 0 {
		return false // "copyrighted"
	}
	rest = bytes.TrimLeft(rest, " \t:,-")
	if len(rest) == 0 {
		return false
	}
	switch c := rest[0]; {
	case c == '<' || c == '[' || c == '{' || '0' <= c && c <= '9':
		return true
	case c == '(':
		return len(rest) > 2 && rest[1]|0x20 == 'c' && rest[2] == ')'
	case bytes.HasPrefix(rest, []byte("©")):
		return true
	}
	r, _ := utf8.DecodeRune(rest)
	// "Copyright Jane Doe", and not a heading in capitals.
	return capital && s[1] == 'o' && unicode.IsUpper(r) && !startsWithAny(rest, "Notice", "Holder", "Owner", "License", "Licence", "Law", "Act", "Statement", "Information")
}

func startsWithAny(s []byte, words ...string) bool {
	for _, w := range words {
		if len(s) >= len(w) && bytes.EqualFold(s[:len(w)], []byte(w)) {
			return true
		}
	}
	return false
}
