package notify

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/store/event"
)

// Patterns match what regular expressions match in which "*" is ".*".
func TestGlobProperty(t *testing.T) {
	text := rapid.StringOfN(rapid.SampledFrom([]rune("aab.*\x00é")), 0, 12, -1)
	rapid.Check(t, func(t *rapid.T) {
		p := text.Filter(func(s string) bool { return s != "" }).Draw(t, "pattern")
		s := text.Draw(t, "text") + rapid.SampledFrom([]string{"", "\xff", "\n"}).Draw(t, "tail")
		parts := strings.Split(p, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		want := regexp.MustCompile(`(?s)\A` + strings.Join(parts, `.*`) + `\z`).MatchString(s)
		g, err := parseGlob(p)
		if err != nil || g.match(s) != want {
			t.Fatalf("%q matches %q: %v, want %v (%v)", p, s, g.match(s), want, err)
		}
	})
}

// BenchmarkHostile measures what settings as large as may be cost for one event of 500
// images, and for the settings themselves.
func BenchmarkHostile(b *testing.B) {
	notices := make([]Notice, event.MaxScans)
	for i := range notices {
		notices[i] = Notice{Event: "e", Type: event.AdvisoryDrift, ScanID: fmt.Sprint("scan-", i), Image: fmt.Sprint("ghcr.io/acme/app-", i, ":1"), Owner: "ann", Vulnerability: "CVE-1", Severity: finding.High}
	}
	decide := func(b *testing.B, s *Settings) {
		c, errs := compile(s)
		if len(errs) > 0 {
			b.Fatal(errs)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b.ResetTimer()
		for range b.N {
			in := newIntake(c, "acme")
			in.add("e", notices)
			w := in.work()
			state := &State{Now: time.Unix(1, 0), Groups: map[string]*Group{}}
			p := newPlanner(state, c, "acme")
			p.render = func(d *Delivery, m *Message) { d.Payload = &Payload{Body: make([]byte, 40<<10)} }
			for _, k := range in.sort(state) {
				p.take(k)
			}
			plan := p.finish()
			b.ReportMetric(float64(len(w.Groups)), "groups")
			b.ReportMetric(float64(len(plan.Items)), "items")
			b.ReportMetric(float64(len(plan.Deliveries)), "deliveries")
		}
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N)/(1<<20), "MiB")
	}
	for _, by := range []Field{"", FieldImage} {
		for _, rules := range []int{100, 1000} {
			b.Run(fmt.Sprintf("%d rules of 20 targets by %s", rules, by), func(b *testing.B) {
				s := &Settings{}
				for i := range rules {
					r := Rule{ID: fmt.Sprint("r", i), GroupBy: by}
					for j := range MaxTargets {
						r.To = append(r.To, Target{"chat", fmt.Sprint(i, "/", j)})
					}
					s.Rules = append(s.Rules, r)
				}
				decide(b, s)
			})
		}
	}
	b.Run("1000 rules of an expression", func(b *testing.B) {
		s := &Settings{}
		for i := range 1000 {
			s.Rules = append(s.Rules, Rule{ID: fmt.Sprint("r", i), To: []Target{{"chat", ""}}, Match: Match{When: fmt.Sprintf(`image.matches("(a+)+%d$") && severity == "high"`, i)}})
		}
		decide(b, s)
	})
	b.Run("100000 preferences", func(b *testing.B) {
		s := &Settings{}
		for i := range MaxPreferences {
			s.Rules = append(s.Rules, Rule{ID: PreferenceID(fmt.Sprint("u", i), "chat"), Owner: fmt.Sprint("u", i), To: []Target{{"chat", fmt.Sprint("@u", i)}}, Match: Match{Severity: finding.High, Images: []string{"ghcr.io/*"}}, Zone: "Europe/Berlin", Quiet: &Quiet{From: "22:00", To: "07:00"}})
		}
		for range b.N {
			if _, errs := compile(s); len(errs) > 0 {
				b.Fatal(errs)
			}
		}
	})
}
