package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/event"
)

// post is a receiver that fails as it is told to, and notes what it sees.
type post struct {
	*world
	t       *rapid.T
	arrived map[string]int // how often it may have a delivery
	quiet   map[notify.Target]time.Time
}

func (p *post) check() {
	for _, d := range p.deliveries() {
		_, attempts, err := p.store.Delivery(p.Context(), d.ID)
		if err != nil {
			p.t.Fatal(err)
		}
		if (d.Status == notify.Pending) == d.Due.IsZero() && d.Status != notify.Sending {
			p.t.Fatalf("%s is %s and due at %v", d.ID, d.Status, d.Due)
		}
		if len(attempts) != d.Attempts || d.Attempt > d.Attempts {
			p.t.Fatalf("%s: %d attempts are noted of %d, %d", d.ID, len(attempts), d.Attempts, d.Attempt)
		}
		unknown := false
		for i, a := range attempts {
			if a.Number != i+1 || a.Duplicate != unknown {
				p.t.Fatalf("%s: attempt %+v, unknown before: %v", d.ID, a, unknown)
			}
			unknown = unknown || a.Outcome == notify.OutcomeUnknown
			if a.Outcome == notify.OutcomeOpen && (d.Status != notify.Sending || i != len(attempts)-1) {
				p.t.Fatalf("%s is %s, and attempt %d is open", d.ID, d.Status, i+1)
			}
		}
		if d.Status == notify.Delivered && attempts[len(attempts)-1].Outcome != notify.OutcomeDelivered {
			p.t.Fatalf("%s: delivered by nobody", d.ID)
		}
	}
}

// attempt tries one delivery, with an outcome that is drawn.
func (p *post) attempt() {
	list := p.store.Waiting(100)
	if len(list) == 0 {
		return
	}
	id := rapid.SampledFrom(list).Draw(p.t, "delivery")
	before, _, err := p.store.Delivery(p.Context(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	where := notify.Target{Endpoint: before.Endpoint, To: before.To}
	kind := rapid.SampledFrom([]string{"ok", "ok", "500", "503", "429", "429 for long", "400", "410", "reset", "dies before", "dies after"}).Draw(p.t, "answer")
	f := map[string]notify.Failure{
		"500": {Status: 500, Reason: "broken"}, "503": {Sent: notify.No, Status: 503, After: time.Minute, Reason: "away"}, "429": {Sent: notify.No, Status: 429, After: 10 * time.Minute, Reason: "slow"},
		"429 for long": {Sent: notify.No, Status: 429, After: 48 * time.Hour, Reason: "slow"}, "400": {Sent: notify.No, Status: 400, Permanent: true, Reason: "bad"},
		"410": {Sent: notify.No, Status: 410, Gone: true, Reason: "gone"}, "reset": {Reason: "reset"},
	}
	p.send = func(d *notify.Dispatch) (*notify.Receipt, error) {
		if p.quiet[where].After(p.now) {
			p.t.Fatalf("%s was sent %v early", id, p.quiet[where].Sub(p.now))
		}
		if d.Duplicate != (p.arrived[id] > 0) {
			p.t.Fatalf("%s may have arrived %d times before, flagged: %v", id, p.arrived[id], d.Duplicate)
		}
		x, fails := f[kind]
		if !fails || x.Sent != notify.No {
			p.arrived[id]++
		}
		if x.After > 0 {
			p.quiet[where] = later(p.quiet[where], p.now.Add(min(x.After, notify.MaxAfter)))
		}
		if kind == "dies before" || kind == "dies after" {
			return nil, context.Canceled
		}
		if fails {
			return nil, &x
		}
		return &notify.Receipt{Status: 200}, nil
	}
	d := p.deliverer()
	if kind == "dies before" || kind == "dies after" {
		d.Queues = func(string) (notify.Queue, error) { return &dying{p.store}, nil }
	}
	_, err = d.Deliver(p.Context(), "acme", id)
	after, _, _ := p.store.Delivery(p.Context(), id)
	edges := map[notify.Status][]notify.Status{
		notify.Pending: {notify.Pending, notify.Delivered, notify.Dead, notify.Parked, notify.Sending}, notify.Sending: {notify.Pending, notify.Delivered, notify.Dead, notify.Parked, notify.Sending},
	}
	if !slices.Contains(edges[before.Status], after.Status) {
		p.t.Fatalf("from %s to %s (%v)", before.Status, after.Status, err)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// dying is a process that never notes what came of an attempt.
type dying struct{ *notify.Memory }

func (d *dying) Settle(context.Context, *notify.Task, *notify.Settlement) error {
	return errors.New("it died")
}

// Whatever receivers do, nothing is lost, early, unflagged or stuck.
func TestDeliveryModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		w.endpoint("chat")
		w.endpoint("pager")
		w.rule(notify.Rule{ID: "all", GroupBy: notify.GroupNone, To: []notify.Target{{Endpoint: "chat"}, {Endpoint: "chat", To: "@b"}, {Endpoint: "pager"}}})
		p := &post{world: w, t: rt, arrived: map[string]int{}, quiet: map[notify.Target]time.Time{}}
		for i := range rapid.IntRange(1, 4).Draw(rt, "events") {
			w.handle(drift(fmt.Sprint("CVE-", i), "high", "a"))
		}
		step := func(f func()) func(*rapid.T) { return func(t *rapid.T) { p.t = t; f() } }
		rt.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) { p.t = t; p.check() }, "attempt": step(p.attempt), "another": step(p.attempt), "third": step(p.attempt),
			"time": step(func() { w.now = w.now.Add(time.Duration(rapid.IntRange(1, 400).Draw(p.t, "s")) * time.Second) }),
			"replay": step(func() {
				d := rapid.SampledFrom(w.deliveries()).Draw(p.t, "replayed")
				_, err := w.store.Replay(w.Context(), d.ID, "ann")
				if (err == nil) != (d.Status == notify.Dead || d.Status == notify.Parked) {
					p.t.Fatalf("%s is replayed: %v", d.Status, err)
				}
			}),
			"enable": step(func() { w.endpoint("chat") }),
		})
		// The receivers get well: everything arrives.
		p.t = rt
		w.endpoint("chat")
		w.endpoint("pager")
		w.send = nil
		for _, d := range w.deliveries() {
			if d.Status == notify.Dead || d.Status == notify.Parked {
				if _, err := w.store.Replay(w.Context(), d.ID, "ann"); err != nil {
					rt.Fatal(err)
				}
			}
		}
		for range 400 {
			w.now = w.now.Add(10 * time.Minute)
			for _, id := range w.store.Waiting(1000) {
				_, _ = w.deliverer().Deliver(w.Context(), "acme", id)
			}
		}
		p.check()
		for _, d := range w.deliveries() {
			if d.Status != notify.Delivered {
				rt.Fatalf("%s is %s: %s", d.ID, d.Status, d.Reason)
			}
		}
	})
}

// Who has a delivery, and settles while another one's wait was noted, does not end it.
func TestRestIsKept(t *testing.T) {
	w := ruled(t, notify.Rule{GroupBy: notify.GroupNone})
	w.handle(drift("CVE-1", "high", "a"))
	w.handle(drift("CVE-2", "high", "a"))
	w.handle(drift("CVE-3", "high", "a"))
	ids := w.store.Waiting(3)
	first := true
	w.send = func(*notify.Dispatch) (*notify.Receipt, error) {
		if !first {
			return nil, &notify.Failure{Sent: notify.No, Status: 429, After: time.Hour, Reason: "slow"}
		}
		first = false // while it is on its way, another one is refused
		w.mu.Unlock()
		defer w.mu.Lock()
		if _, err := w.deliverer().Deliver(t.Context(), "acme", ids[1]); err != nil {
			t.Error(err)
		}
		return &notify.Receipt{Status: 200}, nil
	}
	if _, err := w.deliverer().Deliver(t.Context(), "acme", ids[0]); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(59 * time.Minute)
	var waits *notify.LaterError
	if _, err := w.deliverer().Deliver(t.Context(), "acme", ids[2]); !errors.As(err, &waits) || len(w.sent) != 2 {
		t.Errorf("sent %d times: %v", len(w.sent), err)
	}
}

// The same events in another order are told to the same, of the same.
func TestOrderOfEvents(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var rules []notify.Rule
		for i := range rapid.IntRange(1, 4).Draw(rt, "rules") {
			rules = append(rules, drawRule(rt, fmt.Sprint("r", i)))
		}
		var events []event.Event
		for i := range rapid.IntRange(2, 12).Draw(rt, "events") {
			e := drift(fmt.Sprint("CVE-", rapid.IntRange(0, 4).Draw(rt, "cve")), rapid.SampledFrom(modelSeverities).Draw(rt, "severity"), rapid.SliceOfN(rapid.SampledFrom(modelImages), 1, 3).Draw(rt, "images")...)
			e.ID = fmt.Sprint("e", i)
			events = append(events, e)
		}
		told := func(events []event.Event) []string {
			w := newWorld(t)
			w.endpoint("chat")
			w.endpoint("pager")
			w.endpoint("boss")
			w.set(notify.SettingInhibition, "i", notify.Inhibition{ID: "i", For: "1h", Equal: []notify.Field{notify.FieldImage}, Source: notify.Match{Severity: finding.Critical}, Target: notify.Match{Vulnerabilities: []string{"CVE-9"}}})
			for _, r := range rules {
				r.Escalation = nil
				w.rule(r)
			}
			for _, e := range events {
				w.handle(e)
			}
			for range 60 * 60 {
				w.now = w.now.Add(time.Minute)
				if _, err := w.router.Tick(t.Context(), w.store.Due("acme", 10_000)); err != nil {
					rt.Fatal(err)
				}
			}
			var out []string
			for _, d := range w.deliveries() {
				items, _ := w.store.Items(t.Context(), d.ID, "", 0)
				for _, i := range items {
					for _, n := range i.Notices {
						out = append(out, strings.Join([]string{d.Rule, d.Endpoint, d.To, string(d.Status), n.Event, n.ScanID}, " "))
					}
				}
			}
			slices.Sort(out)
			return out
		}
		a, b := told(events), told(rapid.Permutation(events).Draw(rt, "order"))
		if !slices.Equal(a, b) {
			rt.Fatalf("%d and %d\n%s\n\n%s", len(a), len(b), strings.Join(a, "\n"), strings.Join(b, "\n"))
		}
	})
}

// What a preview says is what happens.
func TestPreviewIsTrue(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := drawRule(rt, "r")
		e := drift("CVE-1", rapid.SampledFrom(modelSeverities).Draw(rt, "severity"), rapid.SliceOfN(rapid.SampledFrom(modelImages), 1, 4).Draw(rt, "images")...)
		e.ID, e.Source, e.Tenant = "e", "test", "acme"
		w := newWorld(t)
		w.now = noon.Add(time.Duration(rapid.IntRange(0, 2*24*60).Draw(rt, "begin")) * time.Minute)
		for _, id := range []string{"chat", "pager", "boss"} {
			w.endpoint(id)
		}
		w.set(notify.SettingMaintenance, "m", notify.Maintenance{ID: "m", From: noon, Until: noon.Add(24 * time.Hour), Match: notify.Match{Images: []string{"*db*"}}, Suppress: rapid.Bool().Draw(rt, "suppress")})
		w.rule(r)
		said, err := w.router.Preview(t.Context(), "acme", &e, nil, w.now)
		if err != nil {
			rt.Fatal(err)
		}
		w.handle(e)
		begin := w.now
		for w.now.Before(begin.Add(60 * time.Hour)) {
			w.now = w.now.Add(time.Minute)
			if _, err := w.router.Tick(t.Context(), w.store.Due("acme", 1000)); err != nil {
				rt.Fatal(err)
			}
		}
		for _, p := range said {
			total, timely := 0, false
			for _, d := range w.deliveries() {
				if d.Endpoint == p.Target.Endpoint && d.To == p.Target.To && d.Kind != notify.KindEscalation {
					total += d.Total
					silenced := d.Status == notify.Suppressed && d.Reason == p.Silenced
					timely = timely || silenced || p.Silenced == "" && !d.Created.Before(p.Due) && !d.Created.After(p.Due.Add(time.Minute))
				}
			}
			if total != p.Matched || p.Matches != (total > 0) || p.Matches && !timely {
				rt.Fatalf("it said %+v; happened: %q, %d notices", p, w.titles(), total)
			}
		}
	})
}

// Whatever a setting says, it is refused, or kept in one form that compiles.
func FuzzCheck(f *testing.F) {
	for kind, body := range map[notify.SettingKind]string{
		"rule":        `{"id":"a","to":[{"endpoint":"c","to":"#x"}],"match":{"severity":"HIGH","images":["a*","!b"],"when":"high > 1","labels":{"a":"*"}},"quiet":{"from":"22:00","to":"07:00","days":["mon"],"except":"critical"},"zone":"Europe/Berlin","digest":"1d","throttle":"1m","escalation":[{"after":"1m","to":[{"endpoint":"p"}]}]}`,
		"preference":  `{"id":"user/a/b/c","owner":"a/b","to":[{"endpoint":"c"}]}`,
		"endpoint":    `{"id":"a","type":"slack","options":{"b":"c"},"pace":"1s","personal":["@*"]}`,
		"template":    `{"id":"a","type":"slack","locale":"pt-BR","parts":{"text":"{{.Title}}"}}`,
		"maintenance": `{"id":"a","from":"2026-11-30T12:00:00+02:00","until":"9999-12-31T23:59:59.999999999Z"}`,
		"inhibition":  `{"id":"a","source":{"severity":"high"},"target":{},"equal":["image"],"for":"1h"}`,
	} {
		f.Add(string(kind), []byte(body))
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		once, err := notify.Check(notify.SettingKind(kind), body)
		if err != nil {
			if !errors.Is(err, notify.ErrInvalid) && !errors.Is(err, notify.ErrLimit) && !errors.Is(err, notify.ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		again, err := notify.Check(notify.SettingKind(kind), once)
		if err != nil || string(again) != string(once) {
			t.Fatalf("%s\n%s\n%v", once, again, err)
		}
		w := newWorld(t) // which fails where something does not compile
		var id struct{ ID string }
		if err := json.Unmarshal(once, &id); err != nil {
			t.Fatal(err)
		}
		if err := w.store.Set(t.Context(), &notify.Setting{Kind: notify.SettingKind(kind), ID: id.ID, Number: 1, Body: once}); err != nil {
			t.Fatal(err)
		}
		e := drift("CVE-1", "high", "a")
		e.ID, e.Source, e.Tenant = "e", "test", "acme"
		if _, err := w.router.Preview(t.Context(), "acme", &e, nil, noon); err != nil {
			t.Fatal(err)
		}
	})
}
