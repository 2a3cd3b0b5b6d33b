package verify

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"unicode/utf8"
)

// MaxLine bounds a line of an export, in bytes.
const MaxLine = 512 << 10

// row is a line of an export. Its slices are parts of the line.
type row struct {
	body            []byte // nil where it lacks
	digest, hash    Hash
	id, topic, kind []byte
	time, indexed   int64 // microseconds since 1970
	seq             int64
}

// parseRow reads a line of a row. Members stand in canonical order, so that there is one
// spelling, and everything is read once, from the left.
func parseRow(line []byte, r *row) error {
	p := parser{rest: line}
	*r = row{}
	p.lit(`{`)
	if p.has(`"body":`) {
		r.body = p.object()
		p.lit(`,`)
	}
	p.lit(`"digest":"sha256:`)
	p.digest(&r.digest)
	p.lit(`","hash":"sha256:`)
	p.digest(&r.hash)
	p.lit(`","id":`)
	r.id = p.text()
	p.lit(`,"indexed":"`)
	r.indexed = p.time()
	p.lit(`","seq":`)
	r.seq = p.number()
	p.lit(`,"time":"`)
	r.time = p.time()
	p.lit(`","topic":`)
	r.topic = p.text()
	p.lit(`,"type":`)
	r.kind = p.text()
	p.lit(`}`)
	return p.end(line)
}

// parseFirst reads the first line of an export and returns the tenant.
func parseFirst(line []byte) (string, error) {
	p := parser{rest: line}
	p.lit(`{"first":1,"format":"stella.timeline.v1","tenant":`)
	tenant := p.text()
	p.lit(`}`)
	return string(tenant), p.end(line)
}

// parseEnd reads the last line.
func parseEnd(line []byte) (seq int64, hash Hash, err error) {
	p := parser{rest: line}
	p.lit(`{"end":`)
	seq = p.number()
	p.lit(`,"hash":"sha256:`)
	p.digest(&hash)
	p.lit(`"}`)
	return seq, hash, p.end(line)
}

// parser reads what must come next. After the first thing that is something else, all it
// reads is zero.
type parser struct {
	rest []byte
	err  error
}

func (p *parser) fail(want string) {
	if p.err == nil {
		p.err = errors.New("want " + want)
	}
	p.rest = nil
}

func (p *parser) end(line []byte) error {
	if p.err != nil {
		return fmt.Errorf("%w behind %.60q", p.err, line)
	}
	if len(p.rest) > 0 {
		return fmt.Errorf("%.60q after its end", p.rest)
	}
	return nil
}

func (p *parser) has(s string) bool {
	if len(p.rest) < len(s) || string(p.rest[:len(s)]) != s {
		return false
	}
	p.rest = p.rest[len(s):]
	return true
}

func (p *parser) lit(s string) {
	if !p.has(s) {
		p.fail(s)
	}
}

func (p *parser) digest(into *Hash) {
	if len(p.rest) < 64 || bytes.ContainsAny(p.rest[:64], "ABCDEF") {
		p.fail("64 digits")
		return
	}
	if _, err := hex.Decode(into[:], p.rest[:64]); err != nil {
		p.fail("64 digits")
		return
	}
	p.rest = p.rest[64:]
}

// number reads a number of 0 to 18 digits, as JSON spells it.
func (p *parser) number() (n int64) {
	i := 0
	for ; i < len(p.rest) && i < 18 && p.rest[i]-'0' <= 9; i++ {
		n = n*10 + int64(p.rest[i]-'0')
	}
	if i == 0 || i > 1 && p.rest[0] == '0' {
		p.fail("a number")
		return 0
	}
	p.rest = p.rest[i:]
	return n
}

// text reads a string as RFC 8785 writes it.
func (p *parser) text() []byte {
	if !p.has(`"`) {
		p.fail("text")
		return nil
	}
	for i, c := range p.rest {
		switch {
		case c == '"':
			s := p.rest[:i]
			if p.rest = p.rest[i+1:]; !utf8.Valid(s) {
				p.fail("text in UTF-8")
			}
			return s
		case c == '\\':
			return p.escaped(i)
		case c < ' ':
			p.fail("text without control characters")
			return nil
		}
	}
	p.fail("the end of a text")
	return nil
}

// shorts are the escapes of two characters, and what they stand for.
const shorts = `"` + `"` + `\` + `\` + "b\bf\fn\nr\rt\t"

// escaped reads the rest of a text whose first escape is at i.
func (p *parser) escaped(i int) []byte {
	out := append([]byte(nil), p.rest[:i]...)
	for i < len(p.rest) {
		c := p.rest[i]
		switch {
		case c == '"':
			if p.rest = p.rest[i+1:]; !utf8.Valid(out) {
				p.fail("text in UTF-8")
			}
			return out
		case c < ' ':
			p.fail("text without control characters")
			return nil
		case c != '\\':
			out = append(out, c)
			i++
			continue
		}
		b, n := unescape(p.rest[i+1:])
		if n == 0 {
			p.fail("an escape that is needed")
			return nil
		}
		out, i = append(out, b), i+1+n
	}
	p.fail("the end of a text")
	return nil
}

// unescape reads what follows a backslash: there is one way to write each character.
func unescape(s []byte) (b byte, size int) {
	if len(s) == 0 {
		return 0, 0
	}
	for i := 0; i < len(shorts); i += 2 {
		if s[0] == shorts[i] {
			return shorts[i+1], 1
		}
	}
	const digits = "0123456789abcdef"
	if len(s) < 5 || string(s[:3]) != "u00" || s[3] > '1' || s[3] < '0' {
		return 0, 0
	}
	low := bytes.IndexByte([]byte(digits), s[4])
	if low < 0 {
		return 0, 0
	}
	b = (s[3]-'0')<<4 | byte(low)
	if bytes.IndexByte([]byte("\b\f\n\r\t"), b) >= 0 {
		return 0, 0
	}
	return b, 5
}

// object reads over a JSON object. What is in it is held by its digest; here only its
// end is looked for.
func (p *parser) object() []byte {
	if len(p.rest) == 0 || p.rest[0] != '{' {
		p.fail("an object")
		return nil
	}
	b := p.rest
	for i, depth := 0, 0; i < len(b); i++ {
		switch b[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				p.rest = b[i+1:]
				return b[:i+1]
			}
		case '"':
			for i++; ; i++ {
				n := bytes.IndexByte(b[i:], '"')
				if n < 0 {
					p.fail("the end of a text")
					return nil
				}
				slashes := 0
				for n-slashes > 0 && b[i+n-slashes-1] == '\\' {
					slashes++
				}
				if i += n; slashes%2 == 0 {
					break
				}
			}
		}
	}
	p.fail("the end of an object")
	return nil
}

// time reads "2006-01-02T15:04:05.000000Z" without its quotes.
func (p *parser) time() int64 {
	const form = "0000-00-00T00:00:00.000000Z"
	if len(p.rest) < len(form) {
		p.fail("a time")
		return 0
	}
	b := p.rest[:len(form)]
	for i := range form {
		if form[i] == '0' && b[i]-'0' > 9 || form[i] != '0' && b[i] != form[i] {
			p.fail("a time")
			return 0
		}
	}
	two := func(i int) int64 { return int64(b[i]-'0')*10 + int64(b[i+1]-'0') }
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	if month < 1 || month > 12 || day < 1 || day > daysOf(year, month) || hour > 23 || minute > 59 || second > 59 {
		p.fail("a time that there is")
		return 0
	}
	p.rest = p.rest[len(form):]
	return ((daysSince1970(year, month, day)*24+hour)*60+minute)*60_000_000 + second*1_000_000 + two(20)*10_000 + two(22)*100 + two(24)
}

func leap(year int64) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func daysOf(year, month int64) int64 {
	switch month {
	case 2:
		if leap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSince1970 counts days of the proleptic Gregorian calendar. Years begin in March,
// so that the day of a leap year is their last.
func daysSince1970(year, month, day int64) int64 {
	if month < 3 {
		year, month = year-1, month+12
	}
	era := year / 400
	if year < 0 {
		era = -1
	}
	inEra := year - era*400
	inYear := (153*(month-3)+2)/5 + day - 1
	return era*146_097 + inEra*365 + inEra/4 - inEra/100 + inYear - 719_468
}
