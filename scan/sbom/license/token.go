package license

import "strings"

// kind is what a token is.
type kind int

const (
	end     kind = iota
	word         // an identifier or an operator
	open         // "("
	closing      // ")"
)

// token is one word or parenthesis of an expression.
type token struct {
	kind kind
	text string
	at   int // byte offset
}

const blanks = " \t\r\n"

// next returns the first token of s, which starts at byte at of the whole, and
// what follows it.
func next(s string, at int) (token, string) {
	trimmed := strings.TrimLeft(s, blanks)
	at += len(s) - len(trimmed)
	s = trimmed
	switch {
	case s == "":
		return token{end, "", at}, ""
	case s[0] == '(':
		return token{open, "(", at}, s[1:]
	case s[0] == ')':
		return token{closing, ")", at}, s[1:]
	}
	n := strings.IndexAny(s, blanks+"()")
	if n < 0 {
		n = len(s)
	}
	return token{word, s[:n], at}, s[n:]
}
