package pypi

import "strings"

// token is a word, a text or a sign of Python code. The zero value is the end.
type token struct {
	kind byte // 'a' for a word or number, '"' for a text; a sign is itself
	text string
	odd  bool // a text that code would have to be run for, or with escapes
	line int
}

// tokens takes apart as much of Python's syntax as tells words, texts and signs from
// comments ("Lexical analysis" of the language reference). What is anything else comes out as
// signs.
type tokens struct {
	text string
	pos  int
	line int
	peek *token
}

// look returns the next token and leaves it there.
func (s *tokens) look() token {
	if s.peek == nil {
		t := s.scan()
		s.peek = &t
	}
	return *s.peek
}

// next takes the next token.
func (s *tokens) next() token {
	t := s.look()
	s.peek = nil
	return t
}

func (s *tokens) scan() token {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == '\n':
			s.line++
			s.pos++
		case c == ' ', c == '\t', c == '\r', c == '\f', c == '\\':
			s.pos++
		case c == '#':
			n := strings.IndexByte(s.text[s.pos:], '\n')
			if n < 0 {
				n = len(s.text) - s.pos
			}
			s.pos += n
		case c == '"' || c == '\'':
			return s.quoted("")
		case isWord(c):
			return s.word()
		default:
			s.pos++
			return token{kind: c, line: s.line}
		}
	}
	return token{line: s.line}
}

func isWord(c byte) bool { return isAlnum(c) || c == '_' || c >= 0x80 }

// word reads a word, or a text with a prefix.
func (s *tokens) word() token {
	from := s.pos
	for s.pos < len(s.text) && isWord(s.text[s.pos]) {
		s.pos++
	}
	w := s.text[from:s.pos]
	if s.pos < len(s.text) && (s.text[s.pos] == '"' || s.text[s.pos] == '\'') && len(w) <= 2 && strings.Trim(strings.ToLower(w), "rbuft") == "" {
		return s.quoted(strings.ToLower(w))
	}
	return token{kind: 'a', text: w, line: s.line}
}

// quoted reads a text of one line, or of several in three quotes. One that does not end goes to
// the end of its line, or of the file.
func (s *tokens) quoted(prefix string) token {
	t := token{kind: '"', line: s.line, odd: strings.ContainsAny(prefix, "bft")}
	quote := s.text[s.pos : s.pos+1]
	if three := strings.Repeat(quote, 3); strings.HasPrefix(s.text[s.pos:], three) {
		quote = three
	}
	s.pos += len(quote)
	from := s.pos
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == '\\':
			if !strings.Contains(prefix, "r") {
				t.odd = true
			}
			if s.pos++; s.pos < len(s.text) && s.text[s.pos] == '\n' {
				s.line++
			}
			s.pos++
		case strings.HasPrefix(s.text[s.pos:], quote):
			t.text = s.text[from:s.pos]
			s.pos += len(quote)
			return t
		case c == '\n' && len(quote) == 1:
			t.odd = true
			return t
		default:
			if c == '\n' {
				s.line++
			}
			s.pos++
		}
	}
	t.odd, s.pos = true, len(s.text)
	return t
}
