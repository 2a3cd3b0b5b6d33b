package schedule

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones are known everywhere

	"github.com/stella-ops/stella/internal/fault"
)

// maxCron bounds an expression, in bytes; maxZone the name of a zone.
const (
	maxCron = 256
	maxZone = 64
)

// searchYears is how many years Next looks ahead. The longest wait of a day that exists is
// that for 29 February on a given day of the week, across a year such as 2100: 40 years.
const searchYears = 41

// Cron says at which minutes something is due, by the clocks of one time zone. It is
// immutable and safe for concurrent use; make one with [ParseCron].
//
// A minute that the clocks leave out counts as the moment at which they go on, so what is
// due then is due once, right after the gap. A minute that they show twice counts the first
// time.
type Cron struct {
	minutes, hours, days, months, weekdays uint64
	either                                 bool // a day counts by its date or by its weekday
	zone                                   *time.Location
}

// field is one of the five.
type field struct {
	name     string
	min, max int
	names    []string // of min and what follows
}

var fields = [5]field{
	{"minute", 0, 59, nil},
	{"hour", 0, 23, nil},
	{"day of the month", 1, 31, nil},
	{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{"day of the week", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

var macros = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// ParseCron reads five fields — minute, hour, day of the month, month, day of the week — or
// one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly. A field is a
// list, with commas, of "*", numbers, names of three letters, and ranges such as "mon-fri";
// "*" and ranges may have a step, "/5". Sunday is 0 and 7. Where neither the day of the
// month nor that of the week begins with "*", a day counts that fits one of them, as in
// every cron. zone is the IANA name of a time zone, "" for UTC. An error wraps ErrInvalid.
func ParseCron(text, zone string) (*Cron, error) {
	c, err := parseCron(text)
	if err == nil {
		c.zone, err = parseZone(zone)
	}
	if err != nil {
		return nil, fmt.Errorf("cron %.80q: %w: %w", text, err, fault.Invalid)
	}
	return c, nil
}

func parseZone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	if name != "Local" && len(name) <= maxZone {
		if l, err := time.LoadLocation(name); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("zone %.80q: want the name of a time zone such as \"Europe/Berlin\"", name)
}

func parseCron(text string) (*Cron, error) {
	if len(text) > maxCron {
		return nil, fmt.Errorf("%d bytes, at most %d", len(text), maxCron)
	}
	if strings.HasPrefix(text, "@") {
		whole, ok := macros[strings.ToLower(text)]
		if !ok {
			return nil, fmt.Errorf("want @yearly, @monthly, @weekly, @daily or @hourly")
		}
		text = whole
	}
	words := strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == '\t' })
	if len(words) != len(fields) {
		return nil, fmt.Errorf("%d fields: want minute, hour, day of the month, month and day of the week", len(words))
	}
	c := &Cron{either: words[2][0] != '*' && words[4][0] != '*'}
	for i, into := range []*uint64{&c.minutes, &c.hours, &c.days, &c.months, &c.weekdays} {
		for part := range strings.SplitSeq(words[i], ",") {
			set, err := fields[i].parse(part)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", fields[i].name, err)
			}
			*into |= set
		}
	}
	if c.weekdays&(1<<7) != 0 {
		c.weekdays |= 1
	}
	return c, nil
}

// parse reads one element of a list, as the set of its numbers.
func (f *field) parse(part string) (uint64, error) {
	span, stepText, stepped := strings.Cut(part, "/")
	from, to, ranged := strings.Cut(span, "-")
	low, high, step := f.min, f.max, 1
	var err error
	if span != "*" {
		if low, err = f.number(from); err != nil {
			return 0, err
		}
		high = low
		if ranged {
			if high, err = f.number(to); err != nil {
				return 0, err
			}
		}
	}
	if stepped {
		if span != "*" && !ranged {
			return 0, fmt.Errorf("%.20q: a step follows \"*\" or a range", part)
		}
		if step, err = digits(stepText); err != nil || step < 1 || step > f.max {
			return 0, fmt.Errorf("%.20q: want a step of 1 to %d", part, f.max)
		}
	}
	if high < low {
		return 0, fmt.Errorf("%.20q: the range ends before it begins", part)
	}
	if span == "*" && f.max == 7 {
		high = 6 // the same day as 0: a step must not count it twice
	}
	var set uint64
	for n := low; n <= high; n += step {
		set |= 1 << n
	}
	return set, nil
}

func (f *field) number(text string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(text, name) {
			return f.min + i, nil
		}
	}
	n, err := digits(text)
	if err != nil || n < f.min || n > f.max {
		return 0, fmt.Errorf("%.20q: want %d to %d", text, f.min, f.max)
	}
	return n, nil
}

// digits reads what has at most two digits and nothing else.
func digits(text string) (int, error) {
	if text == "" || len(text) > 2 || strings.Trim(text, "0123456789") != "" {
		return 0, fault.Invalid
	}
	return strconv.Atoi(text)
}

// Next returns the first moment after a time at which something is due, in UTC. It reports
// false where there is none within 41 years, such as for 30 February, and for years before 1
// and after 9999.
func (c *Cron) Next(after time.Time) (time.Time, bool) {
	wall := after.In(c.zone)
	year, month, day := wall.Date()
	if year < 1 || year > 9999 {
		return time.Time{}, false
	}
	// No minute before the one that clocks show now is due later: the order of minutes is
	// that of the moments they stand for.
	minute := wall.Hour()*60 + wall.Minute()
	for last := min(year+searchYears, 9999); year <= last; {
		if c.months&(1<<month) == 0 {
			year, month, day = year+int(month)/12, month%12+1, 1
			minute = 0
			continue
		}
		if day > daysIn(year, month) {
			year, month, day = year+int(month)/12, month%12+1, 1
			continue
		}
		if c.onDay(year, month, day) {
			for m := c.nextMinute(minute); m >= 0; m = c.nextMinute(m + 1) {
				if at := moment(year, month, day, m, c.zone); at.After(after) {
					return at.UTC(), true
				}
			}
		}
		day++
		minute = 0
	}
	return time.Time{}, false
}

// Latest returns the last moment, not after a time, at which something was due, in UTC. It
// reports false where there was none within 41 years.
func (c *Cron) Latest(at time.Time) (time.Time, bool) {
	due := func(back time.Duration) (time.Time, bool) {
		next, ok := c.Next(at.Add(-back))
		return next, ok && !next.After(at)
	}
	// By halves: whether one is due after a time and by at is true up to the last one.
	misses, hits := time.Duration(0), time.Minute
	for {
		if _, ok := due(hits); ok {
			break
		}
		if hits > searchYears*366*24*time.Hour {
			return time.Time{}, false
		}
		misses, hits = hits, 2*hits
	}
	for hits-misses > time.Nanosecond {
		if middle := misses + (hits-misses)/2; func() bool { _, ok := due(middle); return ok }() {
			hits = middle
		} else {
			misses = middle
		}
	}
	return due(hits)
}

// onDay reports whether something is due on a day.
func (c *Cron) onDay(year int, month time.Month, day int) bool {
	date := c.days&(1<<day) != 0
	weekday := c.weekdays&(1<<time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Weekday()) != 0
	if c.either {
		return date || weekday
	}
	return date && weekday
}

// nextMinute returns the first minute of a day, not before one, that counts; -1 for none.
func (c *Cron) nextMinute(from int) int {
	for hour := from / 60; hour < 24; hour++ {
		if c.hours&(1<<hour) == 0 {
			continue
		}
		first := 0
		if hour == from/60 {
			first = from % 60
		}
		if left := c.minutes >> first; left != 0 {
			return hour*60 + first + bits.TrailingZeros64(left)
		}
	}
	return -1
}

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// moment is when clocks first show a minute of a day; the end of the gap where they leave
// it out.
func moment(year int, month time.Month, day, minute int, zone *time.Location) time.Time {
	// Clocks as numbers: the moment at which those of UTC show the same.
	wall := time.Date(year, month, day, minute/60, minute%60, 0, 0, time.UTC).Unix()
	shown := func(t time.Time) int64 { _, offset := t.Zone(); return t.Unix() + int64(offset) }
	t := time.Date(year, month, day, minute/60, minute%60, 0, 0, zone)
	start, end := t.ZoneBounds()
	switch s := shown(t); {
	case s > wall && !start.IsZero(): // the gap is before t
		return start
	case s < wall && !end.IsZero():
		return end
	}
	if !start.IsZero() {
		_, before := start.Add(-time.Second).Zone()
		if earlier := time.Unix(wall-int64(before), 0).In(zone); earlier.Before(start) && shown(earlier) == wall {
			return earlier
		}
	}
	return t
}
