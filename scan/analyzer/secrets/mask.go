package secrets

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

const (
	aroundBytes = 44 // on either side of a secret
	gramBytes   = MinSecret
	keptSecret  = 512 // bytes of a secret whose pieces are looked for elsewhere
	stars       = "********"
)

// finding is a secret that was found, as long as the file is read.
type finding struct {
	rule       int
	line       int
	start, end int64
	secret     []byte // its first bytes
	before     []byte // text of its line, up to aroundBytes
	after      []byte
	hidden     []bool // which bytes of before and after are not shown
}

func (f *finding) wipe() {
	clear(f.secret)
	clear(f.before)
	clear(f.after)
}

// capture keeps a finding and the text around it.
func (s *search) capture(i int, x span) {
	a, b := int(x.start-s.base), int(x.end-s.base)
	f := finding{rule: i, line: s.line + bytes.Count(s.buf[:a], newline) + 1, start: x.start, end: x.end}
	f.secret = bytes.Clone(s.buf[a:min(b, a+keptSecret)])
	before := s.buf[max(a-aroundBytes, 0):a]
	f.before = bytes.Clone(before[bytes.LastIndexByte(before, '\n')+1:])
	if bytes.IndexByte(s.buf[a:b], '\n') < 0 { // else what follows is of another line
		after := s.buf[b:min(b+aroundBytes, len(s.buf))]
		if n := bytes.IndexByte(after, '\n'); n >= 0 {
			after = after[:n]
		}
		f.after = bytes.Clone(after)
	}
	f.hidden = make([]bool, len(f.before)+len(f.after))
	// The expression may have ended within the secret.
	for j := 0; j < len(f.after) && inToken(f.after[j]); j++ {
		f.hidden[len(f.before)+j] = true
	}
	for _, x := range s.near {
		f.hide(x)
	}
	s.found = append(s.found, f)
}

// hide has a secret, or what looks like one, not shown beside any other.
func (s *search) hide(x span) {
	s.near = append(s.near, x)
	for i := s.from0; i < len(s.found); i++ {
		s.found[i].hide(x)
	}
}

func (f *finding) hide(x span) {
	from := f.start - int64(len(f.before))
	for p := max(x.start, from); p < min(x.end, f.start); p++ {
		f.hidden[p-from] = true
	}
	for p := max(x.start, f.end); p < min(x.end, f.end+int64(len(f.after))); p++ {
		f.hidden[int64(len(f.before))+p-f.end] = true
	}
}

func inToken(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/' || c == '=' || c == '_' || c == '-' || c == '%' || c == '\\'
}

// grams are all pieces of some secrets.
type grams map[[gramBytes]byte]struct{}

func gramsOf(found []finding) grams {
	g := grams{}
	for i := range found {
		for t := found[i].secret; len(t) >= gramBytes; t = t[1:] {
			g[[gramBytes]byte(t)] = struct{}{}
		}
	}
	return g
}

// hide hides what text has of the secrets.
func (g grams) hide(text []byte, hidden []bool) {
	for i := 0; i+gramBytes <= len(text); i++ {
		if _, ok := g[[gramBytes]byte(text[i:])]; ok {
			for j := range gramBytes {
				hidden[i+j] = true
			}
		}
	}
}

// in reports whether a piece of a secret is in text.
func (g grams) in(text string) bool {
	for i := 0; i+gramBytes <= len(text); i++ {
		piece := [gramBytes]byte([]byte(text[i : i+gramBytes]))
		if _, ok := g[piece]; ok && strings.Trim(string(piece[:]), "*") != "" {
			return true
		}
	}
	return false
}

// masked returns the text around a secret without it.
func (g grams) masked(f *finding) string {
	n := len(f.before)
	g.hide(f.before, f.hidden[:n])
	g.hide(f.after, f.hidden[n:])
	text := strings.TrimLeft(show(f.before, f.hidden[:n]), " ") + stars + strings.TrimRight(show(f.after, f.hidden[n:]), " ")
	if g.in(text) || len(text) > MaxMasked {
		return stars
	}
	return text
}

// show writes text with at most five asterisks for each part that is hidden, "?" for what
// is no UTF-8, and spaces for control characters. It is never longer than text.
func show(text []byte, hidden []bool) string {
	var out strings.Builder
	run := 0
	for i := 0; i < len(text); {
		if hidden[i] {
			if run++; run <= 5 {
				out.WriteByte('*')
			}
			i++
			continue
		}
		run = 0
		c, size := utf8.DecodeRune(text[i:])
		for j := 1; j < size; j++ {
			if hidden[i+j] {
				c, size = utf8.RuneError, 1 // a character that is hidden in part
			}
		}
		switch {
		case c == utf8.RuneError && size <= 1:
			out.WriteByte('?')
		case c < ' ' || c == 0x7f || 0x80 <= c && c < 0xa0 || c == '\u2028' || c == '\u2029' || 0x202a <= c && c <= 0x202e || 0x2066 <= c && c <= 0x2069:
			out.WriteByte(' ')
		default:
			out.Write(text[i : i+size])
		}
		i += size
	}
	return out.String()
}
