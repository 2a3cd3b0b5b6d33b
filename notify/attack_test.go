package notify_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/event"
)

// listed are the images that the lists of all messages have, by message.
func (w *world) listed() map[string][]string {
	w.Helper()
	out := map[string][]string{}
	for _, d := range w.deliveries() {
		items, err := w.store.Items(w.Context(), d.ID, "", 0)
		if err != nil {
			w.Fatal(err)
		}
		for _, i := range items {
			for _, n := range i.Notices {
				out[d.ID] = append(out[d.ID], n.Image)
			}
		}
		if d.Kind != notify.KindEscalation && len(out[d.ID]) != d.Total {
			w.Errorf("%q tells of %d, its list has %d", d.Title, d.Total, len(out[d.ID]))
		}
	}
	return out
}

func imagesOf(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint("img-", i))
	}
	return out
}

// One event that goes into many groups: what is beyond the burst is listed whole.
func TestBurstOfOneEvent(t *testing.T) {
	w := ruled(t, notify.Rule{GroupBy: notify.FieldImage})
	w.handle(drift("CVE-1", "high", imagesOf(100)...))
	w.pass(10 * time.Minute)
	seen := map[string]bool{}
	for _, images := range w.listed() {
		for _, i := range images {
			seen[i] = true
		}
	}
	if n := len(w.deliveries()); n != notify.DefaultBurst+1 || len(seen) != 100 {
		t.Errorf("%d messages list %d of 100 images", n, len(seen))
	}
}

// What may be sent in quiet hours is, also where it is beyond the burst.
func TestBurstInQuietHours(t *testing.T) {
	w := ruled(t, notify.Rule{Burst: 2, Quiet: &notify.Quiet{From: "22:00", To: "07:00", Except: finding.Critical}})
	w.now = time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC)
	for i := range 5 {
		w.handle(drift(fmt.Sprint("CVE-", i), "critical", "a"))
	}
	w.pass(10 * time.Minute)
	expect(t, w, "New critical CVE-0 affects a scan", "New critical CVE-1 affects a scan", "3 critical vulnerabilities affect a scan")
}

// A process that was away, and comes back in quiet hours, lets people sleep.
func TestLateInQuietHours(t *testing.T) {
	w := ruled(t, notify.Rule{GroupBy: notify.FieldVulnerability, Digest: "1h", Quiet: &notify.Quiet{From: "22:00", To: "07:00", Except: finding.Critical}})
	w.now = time.Date(2026, 11, 30, 20, 30, 0, 0, time.UTC) // due at 21:00
	w.handle(drift("CVE-1", "high", "a"))
	w.handle(drift("CVE-2", "critical", "a"))
	w.now = time.Date(2026, 11, 30, 23, 30, 0, 0, time.UTC)
	w.pass(time.Minute)
	expect(t, w, "New critical CVE-2 affects a scan")
	w.pass(10 * time.Hour)
	d := w.deliveries()
	if len(d) != 2 || !d[1].Created.Equal(time.Date(2026, 12, 1, 7, 0, 0, 0, time.UTC)) {
		t.Errorf("%q at %v", w.titles(), d[len(d)-1].Created)
	}
}

// A message is as severe as the worst that it tells of, listed or not.
func TestWorstIsNotListed(t *testing.T) {
	w := ruled(t, notify.Rule{GroupBy: notify.GroupRule, Digest: "1h"})
	w.handle(drift("CVE-1", "low", imagesOf(notify.MaxListed)...))
	w.handle(drift("CVE-2", "low", imagesOf(notify.MaxListed)...))
	w.handle(drift("CVE-3", "critical", "img-0"))
	w.pass(time.Hour)
	d := w.deliveries()[0]
	if m := w.message(d.ID); d.Severity != finding.Critical || m.Severity != finding.Critical {
		t.Errorf("%s, %s: %q", d.Severity, m.Severity, d.Title)
	}
	w.listed()
}

// Much that waits for the same moment is no burst.
func TestBurstAfterWaiting(t *testing.T) {
	for name, r := range map[string]notify.Rule{
		"quiet":       {Quiet: &notify.Quiet{From: "11:00", To: "13:00"}},
		"digest":      {Digest: "1h"},
		"maintenance": {},
	} {
		t.Run(name, func(t *testing.T) {
			w := ruled(t, r)
			if name == "maintenance" {
				w.set(notify.SettingMaintenance, "move", notify.Maintenance{ID: "move", From: noon.Add(-time.Hour), Until: noon.Add(time.Hour)})
			}
			for i := range 50 {
				w.handle(drift(fmt.Sprint("CVE-", i), "high", "a", "b"))
			}
			w.pass(59 * time.Minute)
			expect(t, w)
			w.pass(2 * time.Minute)
			total := 0
			for _, d := range w.deliveries() {
				total += d.Total
			}
			if n := len(w.deliveries()); n > notify.DefaultBurst+1 || total != 100 {
				t.Errorf("%d messages at once, of %d notices", n, total)
			}
			w.listed()
		})
	}
}

// What users want for themselves takes nothing from what the tenant wants.
func TestPreferenceHidesNothing(t *testing.T) {
	for name, p := range map[string]notify.Rule{
		"the same":      {Owner: "ann"},
		"slow":          {Owner: "ann", Throttle: "24h", GroupBy: notify.GroupRule},
		"not permitted": {Owner: "ann", To: []notify.Target{{Endpoint: "chat", To: "#board"}}},
		"of all":        {Owner: "a", Watch: true, To: []notify.Target{{Endpoint: "chat", To: "#board"}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.endpoint("chat")
			w.endpoint("pager")
			r := notify.Rule{ID: "zz", Escalation: []notify.Step{{After: "15m", To: []notify.Target{{Endpoint: "pager"}}}}}
			if p.To != nil {
				r.To = p.To
			}
			w.rule(r)
			w.rule(p)
			w.handle(drift("CVE-1", "high", "a"))
			w.handle(drift("CVE-2", "high", "a"))
			w.pass(20 * time.Minute)
			var got []string
			for _, d := range w.deliveries() {
				if d.Rule == "zz" {
					got = append(got, d.Title)
				}
			}
			want := []string{"New high CVE-1 affects a scan", "New high CVE-2 affects a scan", "Nobody took note: New high CVE-1 affects a scan", "Nobody took note: New high CVE-2 affects a scan"}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Of rules that tell one receiver, one that escalates does.
func TestEscalationIsNotHidden(t *testing.T) {
	w := newWorld(t)
	w.endpoint("chat")
	w.endpoint("pager")
	w.rule(notify.Rule{ID: "a"})
	w.rule(notify.Rule{ID: "b", Escalation: []notify.Step{{After: "15m", To: []notify.Target{{Endpoint: "pager"}}}}})
	w.handle(drift("CVE-1", "high", "a"))
	w.pass(20 * time.Minute)
	expect(t, w, "New high CVE-1 affects a scan", "Nobody took note: New high CVE-1 affects a scan")
}

// Each digest that nobody takes note of is escalated.
func TestEscalationOfDigests(t *testing.T) {
	w := newWorld(t)
	w.endpoint("chat")
	w.endpoint("pager")
	w.rule(notify.Rule{ID: "all", Digest: "1h", GroupBy: notify.GroupRule, Escalation: []notify.Step{{After: "15m", To: []notify.Target{{Endpoint: "pager"}}}}})
	for i := range 3 {
		w.handle(drift(fmt.Sprint("CVE-", i), "high", "a"))
		w.pass(2 * time.Hour)
	}
	n := 0
	for _, d := range w.deliveries() {
		if d.Kind == notify.KindEscalation {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d of 3 are escalated: %q", n, w.titles())
	}
}

// What is both the source and the target of an inhibition does not depend on who comes
// first, and a silenced source does not silence for ever.
func TestInhibitionOfSources(t *testing.T) {
	w := ruled(t, notify.Rule{})
	w.set(notify.SettingInhibition, "critical", notify.Inhibition{ID: "critical", For: "1h", Equal: []notify.Field{notify.FieldImage},
		Source: notify.Match{Types: []event.Type{event.AdvisoryDrift}, Severity: finding.Critical}, Target: notify.Match{Types: []event.Type{event.AdvisoryDrift}}})
	for i := range 5 {
		w.handle(drift(fmt.Sprint("CVE-", i), "critical", "a"))
		w.handle(drift(fmt.Sprint("CVE-1", i), "low", "a"))
		w.pass(50 * time.Minute)
	}
	told := 0
	for _, d := range w.deliveries() {
		if d.Status == notify.Pending {
			told++
		}
		if d.Status == notify.Suppressed && d.Severity == finding.Critical {
			t.Errorf("%q is silenced: %s", d.Title, d.Reason)
		}
	}
	if told != 5 {
		t.Errorf("%d are told: %q", told, w.titles())
	}
}

// A rule is what it is kept as.
func TestKindAndOwner(t *testing.T) {
	for kind, body := range map[notify.SettingKind]string{
		notify.SettingPreference: `{"id":"all","to":[{"endpoint":"chat"}]}`,
		notify.SettingRule:       `{"id":"user/ann/chat","owner":"ann","to":[{"endpoint":"chat"}]}`,
	} {
		if out, err := notify.Check(kind, []byte(body)); err == nil {
			t.Errorf("%s is taken as a %s", out, kind)
		}
	}
}

// Patterns cost little, whatever they are.
func TestPatternsAreCheap(t *testing.T) {
	var patterns []string
	for i := range notify.MaxPatterns {
		patterns = append(patterns, strings.Repeat("*a", 250)+fmt.Sprint("*b", i))
	}
	w := ruled(t, notify.Rule{Match: notify.Match{Images: patterns}})
	var images []string
	for i := range 100 {
		images = append(images, strings.Repeat("a", 400)+fmt.Sprint(i))
	}
	began := time.Now()
	w.handle(drift("CVE-1", "high", images...))
	t.Logf("100 patterns and 100 images: %v", time.Since(began))
	expect(t, w)
}

// Reasons are short, whatever rules and events say.
func TestReasonsAreShort(t *testing.T) {
	var patterns []string
	for i := range notify.MaxPatterns {
		patterns = append(patterns, strings.Repeat("x", 500)+fmt.Sprint(i))
	}
	w := ruled(t, notify.Rule{Match: notify.Match{Images: append(patterns[1:], "*")}})
	w.handle(drift("CVE-1", "high", strings.Repeat("é", 10_000)))
	for _, d := range w.deliveries() {
		for _, why := range w.message(d.ID).Why {
			if len(why) > 1000 {
				t.Errorf("a reason of %d bytes", len(why))
			}
		}
	}
}

func TestAckOfLongTenants(t *testing.T) {
	k, err := notify.NewAckKey([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 127, 128, 255, 256, 260} {
		tenant := strings.Repeat("t", n)
		got, incident, err := k.Open(k.Sign(tenant, "dlv-1", noon), noon)
		if err != nil || got != tenant || incident != "dlv-1" {
			t.Errorf("%d bytes: %d, %q, %v", n, len(got), incident, err)
		}
	}
	token := k.Sign("acme", "dlv-1", noon)
	for _, more := range []string{"\n", "\r\n", "=", " "} {
		if _, _, err := k.Open(token[:20]+more+token[20:], noon); err == nil {
			t.Errorf("opened with %q in it", more)
		}
	}
}

// An event of very many groups is told all the same, in decisions that a store can write.
func TestVeryManyGroups(t *testing.T) {
	w := newWorld(t)
	w.endpoint("chat")
	for i := range 30 {
		r := notify.Rule{ID: fmt.Sprint("r", i), GroupBy: notify.FieldImage, Burst: 1000}
		for j := range notify.MaxTargets {
			r.To = append(r.To, notify.Target{Endpoint: "chat", To: fmt.Sprintf("#%d-%d", i, j)})
		}
		w.rule(r)
	}
	limited := &limits{Memory: w.store}
	w.router.Stores = func(string) (notify.Routes, error) { return limited, nil }
	w.handle(drift("CVE-1", "high", imagesOf(100)...))
	w.pass(time.Minute)
	told := map[string]int{}
	for _, d := range w.deliveries() {
		told[d.To] += d.Total
	}
	for to, n := range told {
		if n != 100 {
			t.Errorf("%s is told of %d", to, n)
		}
	}
	if len(told) != 600 || limited.groups > 100_000 || limited.deliveries > 500 || limited.bytes > 32<<20 {
		t.Errorf("%d are told; at once %d groups, %d deliveries, %d bytes", len(told), limited.groups, limited.deliveries, limited.bytes)
	}
}

// limits notes the most that one piece of work has.
type limits struct {
	*notify.Memory
	groups, deliveries, bytes int
}

func (l *limits) Do(ctx context.Context, w *notify.Work) error {
	work := *w
	l.groups = max(l.groups, len(w.Groups))
	work.Decide = func(s *notify.State) (*notify.Plan, error) {
		p, err := w.Decide(s)
		if err != nil {
			return nil, err
		}
		n := 0
		for i := range p.Deliveries {
			if b := p.Deliveries[i].Payload; b != nil {
				n += len(b.Body)
			}
		}
		l.deliveries, l.bytes = max(l.deliveries, len(p.Deliveries)), max(l.bytes, n)
		return p, nil
	}
	return l.Memory.Do(ctx, &work)
}
