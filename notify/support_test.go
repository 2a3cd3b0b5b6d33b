package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/event"
)

// world is a tenant whose messages are read as they are.
type world struct {
	*testing.T
	now    time.Time
	store  *notify.Memory
	router *notify.Router
	n      int

	mu   sync.Mutex
	send func(*notify.Dispatch) (*notify.Receipt, error)
	sent []*notify.Dispatch
}

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC) // a Monday

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: noon}
	w.store = notify.NewMemory(func() time.Time { return w.now }, func(ids []string) map[string]notify.ScanFacts {
		out := map[string]notify.ScanFacts{}
		for _, id := range ids {
			out[id] = notify.ScanFacts{Image: "alpine:latest", Severity: finding.High, Findings: map[finding.Severity]int{finding.High: 2, "": 1}, Labels: map[string]string{"team": "shop"}}
		}
		return out
	})
	w.router = &notify.Router{Stores: func(string) (notify.Routes, error) { return w.store, nil }, Open: w.open, BaseURL: "https://stella.example", Report: func(err error) { t.Error(err) }}
	return w
}

// open opens endpoints that render messages as JSON.
func (w *world) open(string) notify.Opener {
	return func(e *notify.Endpoint, _ []notify.Template) (notify.Channel, error) { return &plain{w}, nil }
}

type plain struct{ w *world }

func (p *plain) Render(m *notify.Message) (*notify.Payload, error) {
	body, err := json.Marshal(m)
	return &notify.Payload{MediaType: "application/json", Body: body}, err
}

func (p *plain) Send(_ context.Context, d *notify.Dispatch) (*notify.Receipt, error) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.sent = append(p.w.sent, d)
	if p.w.send != nil {
		return p.w.send(d)
	}
	return &notify.Receipt{Status: 200}, nil
}

func (w *world) set(kind notify.SettingKind, id string, v any) {
	w.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		w.Fatal(err)
	}
	if body, err = notify.Check(kind, body); err != nil {
		w.Fatal(err)
	}
	s := &notify.Setting{Kind: kind, ID: id, Number: 1, Body: body, By: "ann"}
	if old, err := w.store.Setting(w.Context(), kind, id); err == nil {
		s.Number = old.Number + 1
	}
	if err := w.store.Set(w.Context(), s); err != nil {
		w.Fatal(err)
	}
}

func (w *world) endpoint(id string) {
	w.set(notify.SettingEndpoint, id, notify.Endpoint{ID: id, Type: "webhook", URL: "https://example.com/", Personal: []string{"@*"}})
}

func (w *world) rule(r notify.Rule) {
	w.Helper()
	if r.To == nil {
		r.To = []notify.Target{{Endpoint: "chat"}}
	}
	if r.Owner != "" {
		r.ID = notify.PreferenceID(r.Owner, r.To[0].Endpoint)
		w.set(notify.SettingPreference, r.ID, r)
		return
	}
	w.set(notify.SettingRule, r.ID, r)
}

// ruled is a world with one endpoint and one rule.
func ruled(t *testing.T, r notify.Rule) *world {
	w := newWorld(t)
	w.endpoint("chat")
	r.ID = "all"
	w.rule(r)
	return w
}

func (w *world) handle(e event.Event) {
	w.Helper()
	if e.Source == "" {
		e.Source = "test"
	}
	e.Tenant = "acme"
	if e.ID == "" {
		w.n++
		e.ID = fmt.Sprint("event-", w.n)
	}
	body, err := e.Encode()
	if err != nil {
		w.Fatal(err)
	}
	if err := w.router.Handle(w.Context(), body); err != nil {
		w.Fatal(err)
	}
}

// drift is an event about images.
func drift(vulnerability, severity string, images ...string) event.Event {
	d := event.Drift{Head: 7, Vulnerability: vulnerability, Cause: "new", Severity: severity, Exploited: "no", Fixed: "yes"}
	for i, image := range images {
		d.Scans = append(d.Scans, event.DriftScan{ScanID: fmt.Sprintf("scan-%s-%d", image, i), ImageRef: image, Owner: "ann"})
	}
	body, err := d.Encode()
	if err != nil {
		panic(err)
	}
	return event.Event{Type: event.AdvisoryDrift, Data: body}
}

func verdict(image, before, outcome string) event.Event {
	d := event.VerdictChange{JobID: "scan-" + image, ImageRef: image, Environment: "production", Before: before, Outcome: outcome, Policy: "release", At: noon}
	body, err := d.Encode()
	if err != nil {
		panic(err)
	}
	return event.Event{Type: event.VerdictChanged, Data: body}
}

func scanned(id string) event.Event {
	d := event.Scan{JobID: id, Status: "completed", ImageRef: "alpine:latest", Owner: "ann", Snapshot: "sha256:a"}
	return event.Event{Type: event.ScanCompleted, Data: d.Encode()}
}

// pass lets time pass, and does what is due.
func (w *world) pass(d time.Duration) {
	w.Helper()
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(min(30*time.Second, end.Sub(w.now)))
		if _, err := w.router.Tick(w.Context(), w.store.Due("acme", 1000)); err != nil {
			w.Fatal(err)
		}
	}
}

// deliveries are all of them, the oldest first.
func (w *world) deliveries() []notify.Delivery {
	w.Helper()
	p, err := w.store.Deliveries(w.Context(), notify.Query{Limit: 1 << 20})
	if err != nil {
		w.Fatal(err)
	}
	slices.Reverse(p.Deliveries)
	return p.Deliveries
}

func (w *world) titles() []string {
	w.Helper()
	out := []string{}
	for _, d := range w.deliveries() {
		t := d.Title
		if d.Status != notify.Pending {
			t += " [" + string(d.Status) + ": " + d.Reason + "]"
		}
		out = append(out, t)
	}
	return out
}

func (w *world) message(id string) *notify.Message {
	w.Helper()
	d, _, err := w.store.Delivery(w.Context(), id)
	if err != nil {
		w.Fatal(err)
	}
	m := new(notify.Message)
	if err := json.Unmarshal(d.Payload.Body, m); err != nil {
		w.Fatal(err)
	}
	return m
}
