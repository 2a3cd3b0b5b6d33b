package homebrew

import (
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/license"
)

const (
	maxLicence = 16 << 10 // bytes of a licence statement
	maxNesting = 16       // lists in it
)

// readRuby reads the fields of a formula or cask that are written as literals on a level of
// their own: Homebrew's style has them with two blanks before, those of the stable version
// with four. What is computed is left out. No text is an error: the receipt counts.
func readRuby(p *sbom.Package, text string) {
	stable, licensed := false, false
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		field := strings.TrimLeft(line, " ")
		indent := len(line) - len(field)
		word, value, _ := strings.Cut(strings.TrimRight(field, " \r"), " ")
		switch {
		case indent == 2 && word == "stable" && value == "do":
			stable = true
		case indent == 2 && word == "license" && !licensed:
			licensed = true
			if l, ok := readLicence(text[indent+len(word):]); ok {
				p.Licenses = []sbom.License{l}
			}
		case indent == 2 && word == "desc":
			p.Description = literal(value)
		case indent == 2 && word == "homepage":
			p.Homepage = literal(value)
		case word == "url" && p.Download == "" && (indent == 2 || indent == 4 && stable):
			p.Download = literal(value)
		case indent == 2:
			stable = false
		}
		text = rest
	}
}

// literal is the string that a text begins with, or "" where it is computed.
func literal(text string) string {
	s := scanner{text: text}
	value, ok := s.str()
	if !ok || strings.Contains(value, "#{") {
		return ""
	}
	return value
}

// readLicence reads the argument of a license (docs.brew.sh, "License Guidelines"): a string,
// one with an exception, lists of which any or all hold, or a word such as :public_domain.
func readLicence(text string) (sbom.License, bool) {
	s := scanner{text: text[:min(len(text), maxLicence)]}
	expr := s.licence(0)
	if expr == "" {
		return sbom.License{}, false
	}
	if canonical, ok := license.Normalize(expr); ok {
		return sbom.License{Expression: canonical}, true
	}
	return sbom.License{Name: strings.ToValidUTF8(expr, "\uFFFD")}, true
}

// scanner reads literals of Ruby.
type scanner struct{ text string }

// skip moves over white space.
func (s *scanner) skip() { s.text = strings.TrimLeft(s.text, " \t\r\n") }

// take moves over a token that comes next, and reports whether it does.
func (s *scanner) take(token string) bool {
	s.skip()
	rest, ok := strings.CutPrefix(s.text, token)
	if ok {
		s.text = rest
	}
	return ok
}

// str reads a string in double or single quotes.
func (s *scanner) str() (string, bool) {
	s.skip()
	if s.text == "" || s.text[0] != '"' && s.text[0] != '\'' {
		return "", false
	}
	var b strings.Builder
	for i := 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == s.text[0]:
			s.text = s.text[i+1:]
			return b.String(), true
		case c == '\n':
			return "", false
		case c == '\\' && i+1 < len(s.text):
			i++
			b.WriteByte(s.text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

// licence reads one statement; "" means that it is none.
func (s *scanner) licence(depth int) string {
	if depth > maxNesting {
		return ""
	}
	switch {
	case s.take("any_of:"), s.take("one_of:"):
		return s.list(" OR ", depth)
	case s.take("all_of:"):
		return s.list(" AND ", depth)
	case s.take("{"):
		inner := s.licence(depth + 1)
		s.take("}")
		return inner
	case s.take(":"):
		end := strings.IndexFunc(s.text, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
		if end < 0 {
			end = len(s.text)
		}
		word := s.text[:end]
		s.text = s.text[end:]
		return strings.ReplaceAll(word, "_", " ")
	}
	id, ok := s.str()
	if !ok {
		return ""
	}
	if s.take("=>") && s.take("{") && s.take("with:") {
		if exception, ok := s.str(); ok && s.take("}") {
			id += " WITH " + exception
		}
	}
	return id
}

// list reads "[a, b]".
func (s *scanner) list(operator string, depth int) string {
	if !s.take("[") {
		return ""
	}
	var parts []string
	for !s.take("]") {
		part := s.licence(depth + 1)
		if part == "" {
			return ""
		}
		parts = append(parts, part)
		if !s.take(",") && !strings.HasPrefix(strings.TrimLeft(s.text, " \t\r\n"), "]") {
			return ""
		}
	}
	text := strings.Join(parts, operator)
	if depth > 0 && len(parts) > 1 {
		text = "(" + text + ")"
	}
	return text
}
