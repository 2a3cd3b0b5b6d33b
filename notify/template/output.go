package template

import "strings"

// open and shut stand around each value in what a template writes, until it is escaped.
// No value has them, since it was cleaned, and no template, which is refused.
const (
	open = "\x02"
	shut = "\x03"
)

// segment is a stretch of what a template wrote: a value, or text of the template.
type segment struct {
	text  string
	value bool
}

func segments(s string) []segment {
	var out []segment
	for s != "" {
		literal, rest, found := strings.Cut(s, open)
		if literal != "" {
			out = append(out, segment{literal, false})
		}
		if !found {
			break
		}
		value, rest, _ := strings.Cut(rest, shut)
		if n := len(out); value != "" && n > 0 && out[n-1].value {
			out[n-1].text += value // what only two values make together is one
		} else if value != "" {
			out = append(out, segment{value, true})
		}
		s = rest
	}
	return out
}

// output is a text that is being escaped. It knows where it may be cut.
type output struct {
	b    strings.Builder
	max  int
	safe int // the last place, within max less a mark, at which nothing is open
}

// put writes what belongs together, a character or an escape; free says that nothing is
// open after it.
func (o *output) put(s string, free bool) {
	o.b.WriteString(s)
	if n := o.b.Len(); free && n <= o.max-len(ellipsis) {
		o.safe = n
	}
}

// run writes text of which any character may be the last.
func (o *output) run(s string, free bool) {
	if room := o.max - len(ellipsis) - o.b.Len(); free && room > 0 {
		o.safe = o.b.Len() + len(cutAt(s, room))
	}
	o.b.WriteString(s)
}

// byte writes a byte of a template's text. A character of several is whole when the next
// one begins.
func (o *output) byte(c byte, free bool) {
	if n := o.b.Len(); free && c >= 0xc0 && n <= o.max-len(ellipsis) {
		o.safe = n
	}
	o.b.WriteByte(c)
	if n := o.b.Len(); free && c < 0x80 && n <= o.max-len(ellipsis) {
		o.safe = n
	}
}

// last is the last byte written, 0 for none.
func (o *output) last() byte {
	if s := o.b.String(); s != "" {
		return s[len(s)-1]
	}
	return 0
}

// text returns what was written, cut to max.
func (o *output) text() (s string, cut bool) {
	s = o.b.String()
	if len(s) <= o.max {
		return s, false
	}
	return cutAt(s[:o.safe]+ellipsis, o.max), true
}

// escaped escapes what a template wrote, and cuts it.
func escaped(e Escape, s string, max int) (text string, cut bool) {
	o := &output{max: max}
	switch segs := segments(s); e {
	case Mrkdwn:
		mrkdwn(o, segs)
	case Markdown:
		markdown(o, segs)
	case Line:
		var b strings.Builder
		for _, s := range segs {
			b.WriteString(s.text)
		}
		line := strings.Join(strings.FieldsFunc(b.String(), func(r rune) bool { return r == ' ' || breaks(r) }), " ")
		o.run(line, true)
	default:
		for _, s := range segs {
			o.run(s.text, true)
		}
	}
	return o.text()
}

// ahead finds whether the template itself writes a character later in a line: values
// never write those that end something.
type ahead struct {
	segs  []segment
	c     byte
	known map[int]bool // by segment: whether it comes from its beginning on
	seg   int          // the answer holds up to a place in a segment
	until int
	yes   bool
}

func (a *ahead) comes(seg, at int) bool {
	if a.until > 0 && a.seg == seg && at < a.until {
		return a.yes
	}
	text := a.segs[seg].text
	a.seg = seg
	if i := strings.IndexAny(text[at+1:], string([]byte{a.c, '\n'})); i >= 0 {
		a.until, a.yes = at+1+i, text[at+1+i] == a.c
	} else {
		a.until, a.yes = len(text), a.after(seg+1)
	}
	return a.yes
}

// after is comes from the beginning of a segment on.
func (a *ahead) after(seg int) bool {
	if a.known == nil {
		a.known = map[int]bool{}
		yes := false
		for i := len(a.segs) - 1; i >= 0; i-- {
			if s := a.segs[i]; !s.value {
				if at := strings.IndexAny(s.text, string([]byte{a.c, '\n'})); at >= 0 {
					yes = s.text[at] == a.c
				}
			}
			a.known[i] = yes
		}
	}
	return a.known[seg]
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// around returns the bytes before and after s[i], 0 at an edge.
func around(s string, i int) (before, after byte) {
	if i > 0 {
		before = s[i-1]
	}
	if i+1 < len(s) {
		after = s[i+1]
	}
	return before, after
}
