package schedule_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/scan/schedule"
)

func cron(t testing.TB, text, zone string) *schedule.Cron {
	t.Helper()
	c, err := schedule.ParseCron(text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCronNext(t *testing.T) {
	for _, c := range []struct{ cron, zone, after, want string }{
		{"* * * * *", "", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"},
		{"* * * * *", "", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"},
		{"0 0 * * *", "", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"},
		{"*/15 9-17 * * MON-Fri", "", "2026-01-02T17:45:00Z", "2026-01-05T09:00:00Z"}, // over a weekend
		{"5,1-3,2 * * * *", "", "2026-01-01T00:03:00Z", "2026-01-01T00:05:00Z"},
		{"10-30/10 * * * *", "", "2026-01-01T00:20:01Z", "2026-01-01T00:30:00Z"},
		{"0 0 29 feb *", "", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"0 0 29 2 *", "", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},   // 2100 is no leap year
		{"0 0 29 2 */7", "", "2088-03-01T00:00:00Z", "2128-02-29T00:00:00Z"}, // only Sundays: 40 years
		{"0 0 13 * 5", "", "2026-02-01T00:00:00Z", "2026-02-06T00:00:00Z"},   // the 13th or a Friday
		{"0 0 13 * */5", "", "2026-02-01T00:00:00Z", "2026-02-13T00:00:00Z"}, // the 13th that is Sunday or Friday
		{"0 0 * * 7", "", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"},
		{"0 0 * * 5-7", "", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"},
		{"0 0 30 2 *", "", "2026-01-01T00:00:00Z", ""},
		{"0 0 31 4,6 *", "", "2026-01-01T00:00:00Z", ""},
		{"@yearly", "", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"@Monthly", "", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"},
		{"@weekly", "", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"},
		{"@daily", "Asia/Tokyo", "2026-01-01T00:00:00Z", "2026-01-01T15:00:00Z"},
		{"@hourly", "Asia/Kathmandu", "2026-01-01T00:00:00Z", "2026-01-01T00:15:00Z"},
		// Clocks go from 2 to 3 on 29 March 2026: once, right after.
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T02:00:00Z", "2026-03-29T01:00:00Z"},
		{"30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"},
		{"*/10 2-3 * * *", "Europe/Berlin", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"},
		{"*/10 2-3 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T01:10:00Z"},
		// and from 3 to 2 on 25 October: the first time.
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T20:00:00Z", "2026-10-25T00:30:00Z"},
		{"30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{"30 2 * * *", "Europe/Berlin", "2026-10-25T01:15:00Z", "2026-10-26T01:30:00Z"},
		{"0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-04T03:00:00Z"}, // midnight is left out
		{"0 12 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00Z", "2011-12-30T10:00:00Z"},   // a day that was left out
		{"0 1 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T14:30:00Z"},
		{"* * * * *", "", "9999-12-31T23:59:00Z", ""},
	} {
		got, ok := cron(t, c.cron, c.zone).Next(at(t, c.after))
		if ok != (c.want != "") || ok && got.Format(time.RFC3339) != c.want {
			t.Errorf("%s in %q after %s: %v, %v; want %s", c.cron, c.zone, c.after, got, ok, c.want)
		}
	}
	if _, ok := cron(t, "* * * * *", "").Next(time.Date(40_000, 1, 1, 0, 0, 0, 0, time.UTC)); ok {
		t.Error("a year that has five digits")
	}
	if _, ok := cron(t, "0 0 30 2 *", "").Latest(at(t, "2026-01-01T00:00:00Z")); ok {
		t.Error("30 February was")
	}
}

func TestParseCronRefuses(t *testing.T) {
	for _, c := range [][2]string{
		{"", ""}, {"*", ""}, {"* * * *", ""}, {"* * * * * *", ""}, {"60 * * * *", ""}, {"* 24 * * *", ""}, {"* * 0 * *", ""}, {"* * 32 * *", ""}, {"* * * 0 *", ""}, {"* * * 13 *", ""}, {"* * * * 8", ""},
		{"-1 * * * *", ""}, {"+1 * * * *", ""}, {"1- * * * *", ""}, {"-5 * * * *", ""}, {"5-1 * * * *", ""}, {"1-2-3 * * * *", ""}, {"1, * * * *", ""}, {",1 * * * *", ""}, {"*/0 * * * *", ""}, {"*/ * * * *", ""},
		{"*/60 * * * *", ""}, {"5/5 * * * *", ""}, {"**/2 * * * *", ""}, {"*/2/2 * * * *", ""}, {"?  * * * *", ""}, {"* * L * *", ""}, {"* * 15W * *", ""}, {"* * * * 5#2", ""}, {"* * * january *", ""}, {"mon * * * *", ""},
		{"* * * * fri-mon", ""}, {"@reboot", ""}, {"@every 5m", ""}, {"@", ""}, {"TZ=0 * * * * *", ""}, {"CRON_TZ= * * * * *", ""}, {"TZ=0", ""}, {"001 * * * *", ""}, {"١ * * * *", ""}, {"*\n* * * *", ""},
		{"1" + strings.Repeat(",1", 200) + " * * * *", ""}, {"* * * * *", "Local"}, {"* * * * *", "Mars/Olympus"}, {"* * * * *", "../UTC"}, {"* * * * *", "/etc/localtime"}, {"* * * * *", strings.Repeat("a", 65)}, {"* * * * *", "Europe"},
	} {
		if _, err := schedule.ParseCron(c[0], c[1]); !errors.Is(err, schedule.ErrInvalid) {
			t.Errorf("%q in %q: %v", c[0], c[1], err)
		}
	}
}

// model is another reading of the same five fields: a function of what clocks show.
type model [5]func(int) bool

// cronAndModel draws an expression with its model.
func cronAndModel(t *rapid.T) (string, model) {
	bounds := [5][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}}
	var words [5]string
	var m model
	star := [5]bool{}
	for i, b := range bounds {
		switch rapid.IntRange(0, 3).Draw(t, "form") {
		case 0:
			words[i], m[i], star[i] = "*", func(int) bool { return true }, true
		case 1:
			n := rapid.IntRange(b[0], b[1]).Draw(t, "n")
			words[i], m[i] = fmt.Sprint(n), func(v int) bool { return v == n }
		case 2:
			step := rapid.IntRange(1, max(b[1]/2, 2)).Draw(t, "step")
			words[i], m[i], star[i] = fmt.Sprint("*/", step), func(v int) bool { return (v-b[0])%step == 0 }, true
		case 3:
			low := rapid.IntRange(b[0], b[1]).Draw(t, "low")
			high := rapid.IntRange(low, b[1]).Draw(t, "high")
			words[i], m[i] = fmt.Sprintf("%d-%d", low, high), func(v int) bool { return v >= low && v <= high }
		}
	}
	date, weekday := m[2], m[4]
	m[2] = func(packed int) bool { // the day and its weekday
		d, w := date(packed/8), weekday(packed%8)
		if !star[2] && !star[4] {
			return d || w
		}
		return d && w
	}
	return strings.Join(words[:], " "), m
}

// shows reports whether something is due when clocks show wall, which is in UTC.
func (m model) shows(wall time.Time) bool {
	return m[0](wall.Minute()) && m[1](wall.Hour()) && m[2](wall.Day()*8+int(wall.Weekday())) && m[3](int(wall.Month()))
}

// TestCronAgainstSteps steps through every minute of some days: what is due is the first
// time that clocks show a minute, and the end of a gap that has one.
func TestCronAgainstSteps(t *testing.T) {
	starts := []string{"2026-03-28T00:00:00Z", "2026-10-24T00:00:00Z", "2026-03-07T12:00:00Z", "2026-10-31T12:00:00Z", "2026-04-04T00:00:00Z", "2026-10-03T00:00:00Z", "2011-12-29T00:00:00Z", "2018-11-03T00:00:00Z", "2026-02-27T00:00:00Z", "2028-02-28T00:00:00Z"}
	zones := []string{"", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Kathmandu", "America/St_Johns"}
	rapid.Check(t, func(t *rapid.T) {
		text, m := cronAndModel(t)
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		start, err := time.Parse(time.RFC3339, rapid.SampledFrom(starts).Draw(t, "start"))
		if err != nil {
			t.Fatal(err)
		}
		c, err := schedule.ParseCron(text, zone)
		if err != nil {
			t.Fatal(err)
		}
		l, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		start = start.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "minutes"))*time.Minute + 17*time.Second)
		wall := func(u time.Time) time.Time { // what clocks show, as if that were UTC
			s := u.In(l)
			return time.Date(s.Year(), s.Month(), s.Day(), s.Hour(), s.Minute(), 0, 0, time.UTC)
		}
		var due []time.Time
		latest := wall(start.Truncate(time.Minute).Add(-30 * time.Hour)) // what was shown before
		for u := start.Truncate(time.Minute).Add(-30 * time.Hour); u.Before(start.Add(60 * time.Hour)); u = u.Add(time.Minute) {
			w, hit := wall(u), false
			for shown := latest.Add(time.Minute); !shown.After(w); shown = shown.Add(time.Minute) {
				hit = hit || m.shows(shown)
			}
			if w.After(latest) {
				latest = w
			}
			if hit && u.After(start) {
				due = append(due, u.UTC())
			}
		}
		now := start
		for n, want := range due {
			got, ok := c.Next(now)
			if !ok || !got.Equal(want) {
				t.Fatalf("%s in %q after %v: %v, %v; want %v", text, zone, now.UTC(), got, ok, want.UTC())
			}
			if n < 20 {
				if last, ok := c.Latest(got); !ok || !last.Equal(got) {
					t.Fatalf("%s in %q: the latest at %v is %v, %v", text, zone, got, last, ok)
				}
				if last, ok := c.Latest(got.Add(-time.Nanosecond)); n > 0 && (!ok || !last.Equal(due[n-1])) {
					t.Fatalf("%s in %q: the latest before %v is %v, %v, want %v", text, zone, got, last, ok, due[n-1])
				}
			}
			now = got
		}
	})
}

func FuzzParseCron(f *testing.F) {
	for _, s := range []string{"* * * * *", "*/5 1-3,7 * jan-mar sun", "@daily", "0 0 29 2 */7", "TZ=0 * * * *", "5/5 * * * *"} {
		f.Add(s, "Europe/Berlin", int64(1_774_000_000))
		f.Add(s, "", int64(-62_000_000_000))
	}
	f.Fuzz(func(t *testing.T, text, zone string, seconds int64) {
		c, err := schedule.ParseCron(text, zone)
		if err != nil {
			if !errors.Is(err, schedule.ErrInvalid) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		after := time.Unix(seconds, 0)
		next, ok := c.Next(after)
		if ok && !next.After(after) {
			t.Fatalf("%q in %q after %v: %v", text, zone, after, next)
		}
		if !ok {
			return
		}
		if last, ok := c.Latest(next); !ok || !last.Equal(next) {
			t.Fatalf("%q in %q: the latest at %v is %v, %v", text, zone, next, last, ok)
		}
	})
}

func BenchmarkCronNext(b *testing.B) {
	for _, c := range []string{"* * * * *", "30 2 * * *", "0 0 29 2 *", "0 0 30 2 *"} {
		b.Run(c, func(b *testing.B) {
			v := cron(b, c, "Europe/Berlin")
			now := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
			for b.Loop() {
				v.Next(now)
			}
		})
	}
}
