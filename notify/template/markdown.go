package template

import (
	"strings"
	"unicode/utf8"
)

// markdown escapes values for CommonMark with the extensions of GitHub, and for Adaptive
// Cards, whose clients know other parts of it and of its escapes. So what could begin
// something becomes a character that looks alike.
func markdown(o *output, segs []segment) {
	m := card{o: o, ends: ahead{segs: segs, c: '>'}}
	for i, seg := range segs {
		if seg.value {
			m.value(seg.text)
			continue
		}
		for j := range len(seg.text) {
			m.literal(seg.text[j], i, j)
		}
	}
}

// card follows the text of a template: whether it is in the address of a link, of the
// form [text](address), [name]: address or <address>.
type card struct {
	o     *output
	ends  ahead
	place place
	addr  addr
	until byte // what ends the address; a line ends one of any form
	prev  byte // of the text; 0 after a value
	depth int  // of brackets that are open
}

func (m *card) literal(c byte, seg, at int) {
	prev := m.prev
	m.prev = c
	switch {
	case m.place == inAddress:
		m.inside(c)
	case (c == '(' || c == ':') && prev == ']':
		m.place, m.addr, m.until = inAddress, addr{}, ')'
		if c == ':' {
			m.until = '\n'
		}
	case c == '<' && prev != '\\' && m.ends.comes(seg, at):
		m.place, m.addr, m.until = inAddress, addr{}, '>'
	case c == '[' && prev != '\\':
		m.depth++
	case c == ']' && m.depth > 0:
		m.depth--
	case c == '\n':
		m.depth = 0
	}
	m.o.byte(c, m.place == inText && m.depth == 0 && c != ']')
}

// inside reads a character in an address.
func (m *card) inside(c byte) {
	space := c == ' ' || c == '\t'
	switch {
	case c == m.until || c == '\n':
		m.place = inText
	case (space || c == '<') && m.addr == addr{}:
	case space && m.until != '>':
		m.place = inText // a title, or it was no address
	default:
		m.addr.read(c)
	}
}

func (m *card) value(v string) {
	if m.place == inAddress {
		// After "]:" there may be an address, but most of the time there is text.
		if m.until != '\n' || m.addr != (addr{}) || address(v) != nowhere {
			m.o.put(m.addr.write(v), false)
			return
		}
		m.place = inText
		if v = strings.Trim(v, " "); !strings.Contains(v, " ") {
			v = strings.ReplaceAll(v, ":", colon) // one word is an address there, of no scheme
		}
	}
	m.prev = 0
	v = strings.Trim(v, " ")
	free := m.depth == 0
	done := 0 // what stands for itself is written at once
	for i, r := range v {
		out := inert(v, i, r)
		if out == "" {
			continue
		}
		m.o.run(v[done:i], free)
		m.o.put(out, free)
		done = i + utf8.RuneLen(r)
	}
	m.o.run(v[done:], free)
}

// inert returns what stands for a character of a value, "" where it stands for itself.
func inert(v string, i int, r rune) string {
	before, after := around(v, i)
	inside := alnum(before) && alnum(after)
	ends := after == 0 || after == ' '
	switch r {
	case '\\':
		return `\\`
	case '"':
		return "&quot;"
	case '*', '[', ']', '|', '{', '}', '$', '^':
		return alike(r)
	case '_':
		if !inside {
			return alike(r)
		}
	case '~':
		if inside {
			return `\~`
		}
		return alike(r)
	case '(', '#', '=':
		if i == 0 {
			return alike(r)
		}
	case '!':
		if after == 0 {
			return alike(r)
		}
	case '-', '+':
		if i == 0 && (ends || after == byte(r)) {
			return alike(r)
		}
	case '.', ')':
		if ends && i > 0 && i < 10 && strings.Trim(v[:i], "0123456789") == "" {
			return alike(r)
		}
	}
	return common(v, i, r)
}
