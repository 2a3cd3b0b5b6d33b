package schedule_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/scan/schedule"
)

func good() schedule.Plan { return schedule.Plan{ID: "a", Cron: "@daily", Kind: schedule.Rescan} }

func TestPlanCheck(t *testing.T) {
	p := good()
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	ten, minus := 10, -1
	for says, change := range map[string]func(*schedule.Plan){
		"id":          func(p *schedule.Plan) { p.ID = ".x" },
		"1 to 64":     func(p *schedule.Plan) { p.ID = strings.Repeat("a", 65) },
		"'-', '_'":    func(p *schedule.Plan) { p.ID = "a/b" },
		"hour":        func(p *schedule.Plan) { p.Cron = "0 24 * * *" },
		"zone":        func(p *schedule.Plan) { p.Zone = "Nowhere" },
		"kind":        func(p *schedule.Plan) { p.Kind = "paint" },
		"jitter":      func(p *schedule.Plan) { p.Jitter = 86401 },
		"want 0 to 9": func(p *schedule.Plan) { p.Priority = &ten },
		"priority -1": func(p *schedule.Plan) { p.Priority = &minus },
		"patterns":    func(p *schedule.Plan) { p.Selection.Images = make([]string, 101) },
		"image \"\"":  func(p *schedule.Plan) { p.Selection.Images = []string{""} },
		"image \"a b": func(p *schedule.Plan) { p.Selection.Images = []string{"a b"} },
		"label":       func(p *schedule.Plan) { p.Selection.Labels = map[string]string{"": "x"} },
		"control":     func(p *schedule.Plan) { p.Selection.Labels = map[string]string{"a": "x\x00"} },
	} {
		p := good()
		change(&p)
		if err := p.Check(); !errors.Is(err, schedule.ErrInvalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// TestSelectionMatch compares patterns with regular expressions.
func TestSelectionMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab*]{1,8}`).Draw(t, "pattern")
		image := rapid.StringMatching(`[ab]{0,10}`).Draw(t, "image")
		s := schedule.Selection{Images: []string{pattern}}
		want := regexp.MustCompile("^" + strings.ReplaceAll(pattern, "*", ".*") + "$").MatchString(image)
		if got := s.Match(image, nil); got != want {
			t.Fatalf("%q matches %q: %v", pattern, image, got)
		}
	})
}

// TestDue: windows and their runs keep their order, and the latest one due is the one whose
// next is not.
func TestDue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := good()
		p.Cron = rapid.SampledFrom([]string{"* * * * *", "*/7 3-5 * * *", "0 0 1 * *", "@weekly"}).Draw(t, "cron")
		p.Zone = rapid.SampledFrom([]string{"", "America/New_York"}).Draw(t, "zone")
		p.Jitter = rapid.IntRange(0, 86400).Draw(t, "jitter")
		tenant := rapid.StringMatching(`[a-z]{1,5}`).Draw(t, "tenant")
		now := time.Unix(rapid.Int64Range(1_700_000_000, 1_900_000_000).Draw(t, "now"), 0)
		latest, err := p.LatestDue(tenant, now)
		if err != nil || latest.IsZero() {
			t.Fatal(latest, err)
		}
		before, dueBefore, err := p.NextDue(tenant, latest.Add(-time.Second))
		if err != nil || !before.Equal(latest) || dueBefore.After(now) {
			t.Fatalf("the latest by %v is %v, due at %v, %v", now, latest, dueBefore, err)
		}
		next, due, err := p.NextDue(tenant, latest)
		if err != nil || !next.After(latest) || !due.After(now) || due.Sub(next) != dueBefore.Sub(before) || due.Sub(next) < 0 || due.Sub(next) > time.Duration(p.Jitter)*time.Second {
			t.Fatalf("after %v: %v, due at %v, %v", latest, next, due, err)
		}
		p.Disabled = true
		if w, d, err := p.NextDue(tenant, now); err != nil || !w.IsZero() || !d.IsZero() {
			t.Fatal("disabled and due", w, d, err)
		}
	})
	a, b := good(), good()
	a.Jitter, b.Jitter, b.ID = 3600, 3600, "b"
	_, dueA, _ := a.NextDue("acme", time.Unix(0, 0))
	_, dueB, _ := b.NextDue("acme", time.Unix(0, 0))
	if dueA.Equal(dueB) {
		t.Error("two plans are not spread")
	}
}
