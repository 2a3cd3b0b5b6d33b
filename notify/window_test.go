package notify

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// zones are the names of all zones that this machine knows.
func zones(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, root := range []string{"/usr/share/zoneinfo", "/usr/lib/zoneinfo"} {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			name, _ := filepath.Rel(root, path)
			if strings.HasPrefix(name, "posix") || strings.HasPrefix(name, "right") || name[0] < 'A' || name[0] > 'Z' {
				return nil
			}
			if _, err := time.LoadLocation(name); err == nil {
				out = append(out, name)
			}
			return nil
		})
		if len(out) > 0 {
			break
		}
	}
	if len(out) == 0 { // those with the oddest clocks
		out = []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "America/Havana", "Asia/Beirut", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham", "Africa/Monrovia", "Antarctica/Troll", "America/St_Johns", "Asia/Tehran", "Africa/Casablanca", "Europe/Dublin", "Pacific/Kiritimati", "America/Scoresbysund"}
	}
	return out
}

// plain reports whether the clock of a zone runs without a change from two days before a
// time to two days after it.
func plain(t time.Time) bool {
	_, a := t.Add(-49 * time.Hour).Zone()
	for h := -48; h <= 48; h++ {
		if _, b := t.Add(time.Duration(h) * time.Hour).Zone(); a != b {
			return false
		}
	}
	return true
}

// quietModel reads the clock on the wall, minute by minute.
func quietModel(q *quiet, t time.Time) bool {
	l := t.In(q.zone)
	m := l.Hour()*60 + l.Minute()
	today, yesterday := q.days[l.Weekday()], q.days[(l.Weekday()+6)%7]
	if q.from < q.to {
		return today && q.from <= m && m < q.to
	}
	return today && m >= q.from || yesterday && m < q.to
}

func clock(m int) string { return fmt.Sprintf("%02d:%02d", m/60, m%60) }

func drawQuiet(t *rapid.T, l *time.Location) *quiet {
	minute := rapid.OneOf(rapid.IntRange(0, 1439), rapid.SampledFrom([]int{0, 1, 60, 90, 119, 120, 150, 180, 1380, 1439}))
	from := minute.Draw(t, "from")
	to := minute.Filter(func(m int) bool { return m != from }).Draw(t, "to")
	if rapid.IntRange(0, 3).Draw(t, "long") == 0 {
		to = (from + 1439) % 1440 // a minute is left
	}
	var days []string
	for _, d := range weekdays {
		if rapid.Bool().Draw(t, d) {
			days = append(days, d)
		}
	}
	q, err := parseQuiet(&Quiet{From: clock(from), To: clock(to), Days: days}, l)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// drawTime is near a change of the clock, a year's end, or anywhere.
func drawTime(t *rapid.T, l *time.Location) time.Time {
	at := time.Unix(rapid.Int64Range(-5_000_000_000, 8_000_000_000).Draw(t, "at"), 0)
	switch rapid.IntRange(0, 2).Draw(t, "where") {
	case 0:
		start, end := at.In(l).ZoneBounds()
		if start.IsZero() || !end.IsZero() {
			start = end
		}
		if !start.IsZero() {
			at = start.Add(time.Duration(rapid.Int64Range(-30*3600, 30*3600).Draw(t, "off")) * time.Second)
		}
	case 1:
		at = time.Date(at.Year(), 12, 31, 23, rapid.IntRange(0, 120).Draw(t, "minute"), rapid.IntRange(0, 59).Draw(t, "second"), 0, l)
	}
	return at
}

func TestQuietProperty(t *testing.T) {
	names := zones(t)
	rapid.Check(t, func(t *rapid.T) {
		l, err := time.LoadLocation(rapid.SampledFrom(names).Draw(t, "zone"))
		if err != nil {
			t.Skip(err)
		}
		q, at := drawQuiet(t, l), drawTime(t, l)
		got := q.after(at)
		if got.Before(at) {
			t.Fatalf("%v is before %v", got, at)
		}
		if _, in := q.end(got); in {
			t.Fatalf("%v is quiet", got.In(l))
		}
		if !plain(at.In(l)) {
			return
		}
		want := at
		for limit := at.Add(40 * time.Hour); quietModel(q, want) && want.Before(limit); {
			off := zoneSeconds(want, l)
			want = want.Add(off).Truncate(time.Minute).Add(time.Minute - off)
		}
		if !got.Equal(want) {
			t.Fatalf("quiet from %d to %d on %v: %v is told at %v, want %v", q.from, q.to, q.days, at.In(l), got.In(l), want.In(l))
		}
	})
}

// zoneSeconds is what a zone is off whole minutes.
func zoneSeconds(t time.Time, l *time.Location) time.Duration {
	_, o := t.In(l).Zone()
	return time.Duration(((o%60)+60)%60) * time.Second
}

// Hours of a day are of that day, also where its clock begins later.
func TestQuietWhereMidnightIsMissing(t *testing.T) {
	l, err := time.LoadLocation("America/Sao_Paulo")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2018, 11, 4, 3, 0, 0, 0, l) // a Sunday without an hour from 00:00 on
	for days, want := range map[string]bool{"sun": true, "sat": false} {
		q, err := parseQuiet(&Quiet{From: "00:00", To: "07:00", Days: []string{days}}, l)
		if err != nil {
			t.Fatal(err)
		}
		if _, in := q.end(at); in != want {
			t.Errorf("hours of %s: quiet on Sunday: %v, want %v", days, in, want)
		}
	}
}

func TestDigestProperty(t *testing.T) {
	names := zones(t)
	rapid.Check(t, func(t *rapid.T) {
		l, err := time.LoadLocation(rapid.SampledFrom(names).Draw(t, "zone"))
		if err != nil {
			t.Skip(err)
		}
		name := rapid.SampledFrom([]string{"5m", "15m", "1h", "1d"}).Draw(t, "digest")
		d, err := parseDigest(name, clock(rapid.IntRange(0, 1439).Draw(t, "digest_at")), l)
		if err != nil {
			t.Fatal(err)
		}
		at := drawTime(t, l).Add(time.Duration(rapid.Int64Range(0, 999_999_999).Draw(t, "ns")))
		next := d.next(at)
		most := d.every
		if name == "1d" {
			most = 2*d.every + time.Hour // where a clock, or a whole day, is changed
			if plain(at.In(l)) {
				most = d.every
			}
		}
		if !next.After(at) || next.Sub(at) > most {
			t.Fatalf("%s: %v after %v", name, next.In(l), at.In(l))
		}
		if _, a := at.In(l).Zone(); plain(at.In(l)) {
			local := next.Add(time.Duration(a) * time.Second).UTC()
			step := d.every
			if name == "1d" {
				local = local.Add(-time.Duration(d.at) * time.Minute)
			}
			if !local.Equal(local.Truncate(step)) {
				t.Fatalf("%s: %v is not aligned", name, next.In(l))
			}
		}
		// Whoever asks again before it is due gets the same.
		if at2 := at.Add(next.Sub(at) / 2); plain(at.In(l)) && !d.next(at2).Equal(next) {
			t.Fatalf("%s: %v, and %v from %v on", name, next, d.next(at2), at2)
		}
	})
}

// Every change of a clock in twenty years, and the hours around it: what is quiet ends.
func TestQuietAtChanges(t *testing.T) {
	if testing.Short() || os.Getenv("STELLA_LONG") == "" {
		t.Skip("long: STELLA_LONG")
	}
	for _, name := range zones(t) {
		l, err := time.LoadLocation(name)
		if err != nil {
			continue
		}
		for at := time.Date(2008, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2028; {
			_, end := at.In(l).ZoneBounds()
			if end.IsZero() {
				break
			}
			for _, h := range [][2]int{{0, 420}, {1320, 90}, {150, 149}} {
				q := &quiet{from: h[0], to: h[1], days: [7]bool{true, true, true, true, true, true, true}, zone: l}
				for m := -180; m <= 180; m += 15 {
					x := end.Add(time.Duration(m) * time.Minute)
					got := q.after(x)
					_, in := q.end(got)
					if got.Before(x) || in || got.Sub(x) > 51*time.Hour {
						t.Fatalf("%s %v: %v after %v", name, h, got, x)
					}
				}
			}
			at = end.Add(time.Hour)
		}
	}
}
