package rubygems

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
)

// token is a word, a text or a sign of Ruby code. The zero value is the end.
type token struct {
	kind byte // 'a' for a word, '"' for a text, 'w' for a list of words; a sign is itself
	text string
	odd  bool // a text that the code would have to be run for
}

// scanner takes apart as much of Ruby's syntax as gemspecs use that a program has written:
// words, texts in every form of quotes, comments and signs. What is anything else comes out
// as signs.
type scanner struct {
	data []byte
	pos  int
	peek *token
	err  error
}

// look returns the next token and leaves it there.
func (s *scanner) look() token {
	if s.peek == nil {
		t := s.scan()
		s.peek = &t
	}
	return *s.peek
}

// next takes the next token.
func (s *scanner) next() token {
	t := s.look()
	s.peek = nil
	return t
}

// skip takes the next token if it is of a kind.
func (s *scanner) skip(kind byte) bool {
	is := s.look().kind == kind
	if is {
		s.next()
	}
	return is
}

func (s *scanner) scan() token {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '#':
			n := bytes.IndexByte(s.data[s.pos:], '\n')
			if n < 0 {
				n = len(s.data) - s.pos
			}
			s.pos += n
		case c <= ' ':
			s.pos++
		case isWord(c):
			return s.word()
		case c == '"' || c == '\'':
			s.pos++
			return s.text(c, c, c == '"')
		case c == '%':
			return s.percent()
		case c == '=' && s.pos+1 < len(s.data) && strings.IndexByte("=>~", s.data[s.pos+1]) >= 0:
			s.pos += 2
			return token{kind: '>'} // "==", "=>" and "=~" assign nothing
		default:
			s.pos++
			return token{kind: c}
		}
	}
	return token{}
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c >= utf8.RuneSelf
}

func (s *scanner) word() token {
	start := s.pos
	for s.pos < len(s.data) && isWord(s.data[s.pos]) {
		s.pos++
	}
	return token{kind: 'a', text: clean(s.data[start:s.pos])}
}

// percent reads a literal such as %q<text> or %w[a b]; other uses of the sign are a sign.
func (s *scanner) percent() token {
	at := s.pos + 1
	form := byte('Q')
	if at < len(s.data) && strings.IndexByte("qQwW", s.data[at]) >= 0 {
		form = s.data[at]
		at++
	}
	if at >= len(s.data) || strings.IndexByte("<{([|!/", s.data[at]) < 0 {
		s.pos++
		return token{kind: '%'}
	}
	open := s.data[at]
	shut := open
	if i := strings.IndexByte("<{([", open); i >= 0 {
		shut = ">})]"[i]
	}
	s.pos = at + 1
	t := s.text(open, shut, form == 'Q' || form == 'W')
	if form == 'w' || form == 'W' {
		t.kind = 'w'
	}
	return t
}

// text reads to the sign that ends a literal. Signs in pairs may stand inside. With escapes,
// as in double quotes, "#{" is code whose value is not known.
func (s *scanner) text(open, shut byte, escapes bool) token {
	t := token{kind: '"'}
	start, depth := s.pos, 0
	var out []byte // set where the text is not a part of the code as it is
	for ; s.pos < len(s.data); s.pos++ {
		c := s.data[s.pos]
		switch {
		case c == '\\' && s.pos+1 < len(s.data):
			if out == nil {
				out = append(make([]byte, 0, 2*(s.pos-start)+16), s.data[start:s.pos]...)
			}
			s.pos++
			out = s.escape(out, open, shut, escapes)
			continue
		case c == shut && depth == 0:
			if t.text = clean(s.data[start:s.pos]); out != nil {
				t.text = clean(out)
			}
			s.pos++
			return t
		case c == shut:
			depth--
		case c == open:
			depth++
		case escapes && c == '#' && s.pos+1 < len(s.data) && strings.IndexByte("{$@", s.data[s.pos+1]) >= 0:
			t.odd = true
		}
		if out != nil {
			out = append(out, c)
		}
	}
	if s.err == nil {
		line := 1 + bytes.Count(s.data[:start], []byte{'\n'})
		s.err = fmt.Errorf("line %d: text without end: %w", line, fault.Invalid)
	}
	return token{}
}

// escape appends what the escape at pos stands for, whose backslash was read, and leaves pos
// at its last byte. Without escapes a backslash is one itself, except before a sign of the
// literal.
func (s *scanner) escape(out []byte, open, shut byte, escapes bool) []byte {
	c := s.data[s.pos]
	if !escapes {
		if c != '\\' && c != open && c != shut {
			out = append(out, '\\')
		}
		return append(out, c)
	}
	if i := strings.IndexByte("abefnrstv", c); i >= 0 {
		return append(out, "\a\b\x1b\f\n\r \t\v"[i])
	}
	switch {
	case '0' <= c && c <= '7':
		return append(out, byte(s.digits(0, 3, 8)))
	case c == 'x':
		return append(out, byte(s.digits(1, 2, 16)))
	case c == 'u' && s.pos+1 < len(s.data) && s.data[s.pos+1] == '{':
		v := s.digits(2, 6, 16)
		if s.pos+1 < len(s.data) && s.data[s.pos+1] == '}' {
			s.pos++
		}
		return utf8.AppendRune(out, v)
	case c == 'u':
		return utf8.AppendRune(out, s.digits(1, 4, 16))
	case c == '\n':
		return out
	}
	return append(out, c)
}

// digits reads a number of at most most digits that begins at pos and skip, and leaves pos at
// its last byte.
func (s *scanner) digits(skip, most int, base rune) (v rune) {
	s.pos += skip
	n := 0
	for ; n < most && s.pos+n < len(s.data); n++ {
		d := rune(strings.IndexByte("0123456789abcdef", s.data[s.pos+n]|0x20))
		if s.data[s.pos+n] < '0' || d < 0 || d >= base {
			break
		}
		v = v*base + d
	}
	s.pos += n - 1
	return v
}

// clean copies b into a string that is well-formed UTF-8.
func clean(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }
