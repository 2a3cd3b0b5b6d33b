package notify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones are known everywhere

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/fault"
)

// The bounds of durations in settings.
const (
	minThrottle = time.Second
	maxThrottle = 24 * time.Hour
	maxStep     = 7 * 24 * time.Hour
	maxInhibit  = 7 * 24 * time.Hour
	maxPace     = time.Hour
)

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// duration reads a time span such as "15m" or "1h30m".
func duration(what, text string, least, most time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s %.40q: want a time span such as \"15m\": %w", what, text, fault.Invalid)
	}
	if d < least || d > most {
		return 0, fmt.Errorf("%s %.40q: want %v to %v: %w", what, text, least, most, fault.Invalid)
	}
	return d, nil
}

// minute reads a time of day as minutes after midnight.
func minute(what, text string) (int, error) {
	h, m, ok := strings.Cut(text, ":")
	hour, err1 := strconv.Atoi(h)
	minutes, err2 := strconv.Atoi(m)
	if !ok || len(h) != 2 || len(m) != 2 || err1 != nil || err2 != nil || hour < 0 || hour > 23 || minutes < 0 || minutes > 59 {
		return 0, fmt.Errorf("%s %.20q: want a time of day such as \"08:00\": %w", what, text, fault.Invalid)
	}
	return hour*60 + minutes, nil
}

func zone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	l, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("zone %.60q: want the name of a time zone such as \"Europe/Berlin\": %w", name, fault.Invalid)
	}
	return l, nil
}

// digest is when what is collected goes out.
type digest struct {
	every time.Duration // 0: at once
	at    int           // minute of the day, for a day
	zone  *time.Location
}

func parseDigest(name, at string, l *time.Location) (digest, error) {
	d := digest{zone: l}
	switch name {
	case "", "instant":
	case "5m", "15m", "1h":
		d.every, _ = time.ParseDuration(name)
	case "1d":
		d.every = 24 * time.Hour
	default:
		return d, fmt.Errorf("digest %.20q: want instant, 5m, 15m, 1h or 1d: %w", name, fault.Invalid)
	}
	if at == "" {
		at = DefaultDigestAt
	}
	var err error
	d.at, err = minute("digest_at", at)
	return d, err
}

// next is the first end of an interval after a time, by the clock of the zone. A day has
// the hours that it has there.
func (d digest) next(now time.Time) time.Time {
	switch {
	case d.every == 0:
		return now
	case d.every == 24*time.Hour:
		for add := 0; ; add++ {
			if at := onDay(now.In(d.zone), add, d.at); at.After(now) {
				return at.UTC()
			}
		}
	}
	local := now.In(d.zone)
	_, offset := local.Zone()
	shift := time.Duration(offset) * time.Second
	// Of the clock on the wall, without its zone, the rest is computed.
	wall := local.Add(shift).UTC()
	return now.Add(wall.Truncate(d.every).Add(d.every).Sub(wall)).UTC()
}

// onDay is a time of the day that is that many days after the local day of t. A time that
// the clock there skips is later, never earlier: it would be of the day before.
func onDay(t time.Time, days, minute int) time.Time {
	on := func(l *time.Location) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day()+days, minute/60, minute%60, 0, 0, l)
	}
	at := on(t.Location())
	if _, offset := at.Zone(); at.Add(time.Duration(offset) * time.Second).Before(on(time.UTC)) {
		_, at = at.ZoneBounds()
	}
	return at
}

// quiet is the compiled Quiet.
type quiet struct {
	from, to int
	days     [7]bool
	except   finding.Severity
	zone     *time.Location
}

func parseQuiet(q *Quiet, l *time.Location) (*quiet, error) {
	if q == nil {
		return nil, nil
	}
	out := &quiet{zone: l}
	var err error
	if out.from, err = minute("quiet.from", q.From); err != nil {
		return nil, err
	}
	if out.to, err = minute("quiet.to", q.To); err != nil {
		return nil, err
	}
	if out.from == out.to {
		return nil, fmt.Errorf("quiet from %s to %s: that is no time: %w", q.From, q.To, fault.Invalid)
	}
	for _, d := range q.Days {
		i := slices.Index(weekdays, d)
		if i < 0 {
			return nil, fmt.Errorf("quiet.days %.20q: want mon to sun: %w", d, fault.Invalid)
		}
		out.days[i] = true
	}
	if len(q.Days) == 0 {
		out.days = [7]bool{true, true, true, true, true, true, true}
	}
	if q.Except != "" {
		sev, ok := finding.ParseSeverity(string(q.Except))
		if !ok {
			return nil, fmt.Errorf("quiet.except %.20q: no severity: %w", q.Except, fault.Invalid)
		}
		out.except = sev
	}
	return out, nil
}

// after is the first time from t on that is not quiet. Hours that follow each other are
// one.
func (q *quiet) after(t time.Time) time.Time {
	if q == nil {
		return t
	}
	for range 32 { // more than a week of hours that follow each other is no break at all
		end, in := q.end(t)
		if !in {
			return t
		}
		t = end
	}
	return t
}

// end is when the quiet hours end that a time is in.
func (q *quiet) end(t time.Time) (time.Time, bool) {
	local := t.In(q.zone)
	for _, add := range []int{-1, 0} { // those that began yesterday, and today
		from := onDay(local, add, q.from)
		until := onDay(local, add, q.to)
		if q.to < q.from {
			until = onDay(local, add+1, q.to)
		}
		if q.days[from.Weekday()] && !t.Before(from) && t.Before(until) {
			return until.UTC(), true
		}
	}
	return t, false
}

// excepts reports whether what is of a severity is sent in quiet hours.
func (q *quiet) excepts(s finding.Severity) bool {
	return q == nil || q.except != "" && s.Rank() >= q.except.Rank()
}
