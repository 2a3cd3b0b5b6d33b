package template

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// mrkdwn escapes values for Slack. The three characters that Slack names become entities;
// others that could begin or end formatting become ones that look alike, since Slack has
// no escape for them. See "Formatting message text" of Slack's documentation.
func mrkdwn(o *output, segs []segment) {
	s := slack{o: o, ends: ahead{segs: segs, c: '>'}}
	for i, seg := range segs {
		if seg.value {
			s.value(seg.text)
			continue
		}
		for j := range len(seg.text) {
			s.literal(seg.text[j], i, j)
		}
	}
}

// slack follows the text of a template: whether it is inside of <…>, and whether an emoji
// may be open.
type slack struct {
	o     *output
	ends  ahead
	place place
	addr  addr
	emoji emoji
}

// place is where in a text one is.
type place int

const (
	inText place = iota
	inAddress
	inLabel
)

// addr is what is known of an address that a template writes.
type addr struct {
	first  byte // 0 while nothing of it is written
	value  bool // a value is the beginning of it
	scheme bool // there was a colon
}

func (a *addr) read(c byte) {
	if a.first == 0 {
		a.first = c
	}
	a.scheme = a.scheme || c == ':'
}

// write returns what a value becomes in it.
func (a *addr) write(v string) string {
	switch {
	case a.first == 0 && !a.value:
		a.value, a.scheme = true, true
		v = address(v)
	default:
		v = piece(v, a.scheme)
	}
	return strings.ReplaceAll(v, "&", "&amp;")
}

func (s *slack) literal(c byte, seg, at int) {
	switch {
	case c == '\n':
		s.place = inText
	case c == '<' && s.place == inText && s.ends.comes(seg, at):
		s.place, s.addr = inAddress, addr{}
	case s.place == inAddress && c == '|':
		s.place = inLabel
	case s.place != inText && c == '>':
		s.o.byte(c, true)
		s.place, s.emoji = inText, emoji{}
		return
	case s.place == inAddress:
		s.addr.read(c)
	}
	if s.place != inAddress && s.emoji.next(rune(c), false) {
		// The colon would end an emoji that a value named.
		s.o.put(colon, s.place == inText)
		return
	}
	s.o.byte(c, s.place == inText)
}

func (s *slack) value(v string) {
	if s.place == inAddress {
		if c := s.addr.first; c == '@' || c == '#' || c == '!' {
			s.o.put("-", false) // whom a message mentions is no matter of what it tells
		} else {
			s.o.put(s.addr.write(v), false)
		}
		return
	}
	free := s.place == inText
	if last := s.o.last(); (last == '@' || last == '#') && (alnum(v[0]) || v[0] >= utf8.RuneSelf) {
		s.o.put(" ", free)
	}
	done := 0 // what stands for itself is written at once
	for i, r := range v {
		out := s.one(v, i, r)
		switch {
		case out != "":
			s.emoji = emoji{}
		case !s.emoji.next(r, true):
			continue
		case clock(v, i):
			s.emoji = emoji{open: true, tainted: true}
			continue
		default:
			out = colon
		}
		s.o.run(v[done:i], free)
		s.o.put(out, free)
		done = i + utf8.RuneLen(r)
	}
	s.o.run(v[done:], free)
}

// one returns what stands for a character of a value, "" where it stands for itself.
func (s *slack) one(v string, i int, r rune) string {
	before, after := around(v, i)
	inside := alnum(before) && alnum(after)
	switch r {
	case '*', '_', '~':
		if !inside {
			return alike(r)
		}
	case '#':
		if !alnum(before) && after != ' ' {
			return alike(r)
		}
	case '@':
		if !alnum(before) && after != ' ' {
			return alike(r)
		}
	}
	return common(v, i, r)
}

// common is what mrkdwn and Markdown have in common.
func common(v string, i int, r rune) string {
	switch r {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		if strings.Trim(v[:i], " ") == "" {
			return alike(r) // a quotation begins with it, even where it is an entity
		}
		return "&gt;"
	case '`':
		return alike(r)
	case ':':
		if strings.HasPrefix(v[i:], "://") || scheme(v[:i]) {
			return colon
		}
	case '@':
		if mail(v, i) {
			return alike(r)
		}
	case '.':
		if i >= 3 && strings.EqualFold(v[i-3:i], "www") && (i == 3 || !alnum(v[i-4])) {
			return alike(r)
		}
	}
	return ""
}

// scheme reports whether a text ends in a scheme of addresses that have no "//".
func scheme(s string) bool {
	for _, name := range []string{"mailto", "tel", "sms", "xmpp", "javascript", "data", "vbscript"} {
		if at := len(s) - len(name); at >= 0 && strings.EqualFold(s[at:], name) && (at == 0 || !alnum(s[at-1])) {
			return true
		}
	}
	return false
}

// mail reports whether the at sign at i may be one of a mail address: a label of what
// follows it, after the first, begins with a letter. None of a digest or a version does.
func mail(v string, i int) bool {
	end := i + 1
	for end < len(v) && (alnum(v[end]) || v[end] >= utf8.RuneSelf || v[end] == '-' || v[end] == '.' || v[end] == '_') {
		end++
	}
	_, labels, _ := strings.Cut(v[i+1:end], ".")
	return i > 0 && slices.ContainsFunc(strings.Split(labels, "."), func(s string) bool { return s != "" && !digit(s[0]) && s[0] != '-' })
}

// colon looks like one.
const colon = "\ua789"

// alike returns a character that looks like another, and means nothing.
func alike(r rune) string {
	switch r {
	case '*':
		return "\u2217"
	case '_':
		return "\uff3f"
	case '~':
		return "\u223c"
	case '`':
		return "\u2035"
	case '>':
		return "\u203a"
	case '-':
		return "\u2010"
	case '.':
		return "\u2024"
	}
	return string(r - '!' + '\uff01') // the full-width form
}

// emoji follows names between colons.
type emoji struct {
	open, tainted bool // a colon is open; a value wrote some of it
	length        int
}

// next reads a character and reports whether it is a colon that would end an emoji of
// which a value wrote something.
func (e *emoji) next(r rune, value bool) bool {
	if r == ':' {
		ends := e.open && e.length > 0 && (e.tainted || value)
		*e = emoji{open: !ends, tainted: value}
		return ends
	}
	if r >= utf8.RuneSelf || alnum(byte(r)) || strings.ContainsRune("_+-'", r) {
		e.length++
		e.tainted = e.tainted || value
	} else {
		*e = emoji{}
	}
	return false
}

// clock reports whether the colon at i ends the minutes of a time, such as 10:30:00,
// which is no emoji.
func clock(v string, i int) bool {
	return i >= 4 && i+1 < len(v) && digit(v[i+1]) && digit(v[i-1]) && digit(v[i-2]) && v[i-3] == ':' && digit(v[i-4])
}
