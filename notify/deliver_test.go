package notify_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store/event"
)

func (w *world) deliverer() *notify.Deliverer {
	return &notify.Deliverer{Queues: func(string) (notify.Queue, error) { return w.store, nil }, Open: w.open, Holder: "worker", Now: func() time.Time { return w.now }}
}

// one is a world with one delivery.
func one(t *testing.T) (*world, *notify.Deliverer, string) {
	w := ruled(t, notify.Rule{})
	w.handle(drift("CVE-1", "high", "a"))
	return w, w.deliverer(), w.deliveries()[0].ID
}

func (w *world) failing(f notify.Failure) {
	w.send = func(*notify.Dispatch) (*notify.Receipt, error) { return nil, &f }
}

func TestDeliver(t *testing.T) {
	w, d, id := one(t)
	w.send = func(*notify.Dispatch) (*notify.Receipt, error) {
		w.now = w.now.Add(40 * time.Millisecond)
		return &notify.Receipt{Status: 202, Answer: "sha256:a", Reference: "C1:1.2"}, nil
	}
	if s, err := d.Deliver(t.Context(), "acme", id); err != nil || s.Status != notify.Delivered {
		t.Fatal(s, err)
	}
	got, attempts, err := w.store.Delivery(t.Context(), id)
	if err != nil || got.Status != notify.Delivered || got.Attempts != 1 {
		t.Fatal(got, err)
	}
	want := []notify.Attempt{{Number: 1, Holder: "worker", Outcome: notify.OutcomeDelivered, Started: noon, Ended: noon.Add(40 * time.Millisecond), Latency: 40 * time.Millisecond, Status: 202, Answer: "sha256:a", Reference: "C1:1.2"}}
	if diff := cmp.Diff(want, attempts); diff != "" {
		t.Error(diff)
	}
	if string(w.sent[0].Payload.Body) != string(got.Payload.Body) || w.sent[0].ID != id || w.sent[0].Duplicate {
		t.Errorf("sent %+v", w.sent[0])
	}
	if _, err := d.Deliver(t.Context(), "acme", id); !errors.Is(err, notify.ErrConflict) || len(w.sent) != 1 {
		t.Error("it was sent again", err)
	}
}

func TestHandleMessage(t *testing.T) {
	w, d, id := one(t)
	body := func(id string) []byte {
		data, err := (&event.DeliveryJob{Delivery: id}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		e := event.Event{ID: "m", Type: event.NotificationDelivery, Source: "notify", Tenant: "acme", Data: data}
		out, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, id := range []string{"gone", id, id} {
		if err := d.Handle(t.Context(), body(id)); err != nil {
			t.Error(err)
		}
	}
	if len(w.sent) != 1 {
		t.Errorf("sent %d times", len(w.sent))
	}
	d.Queues = func(string) (notify.Queue, error) {
		return nil, fmt.Errorf("the store is away: %w", notify.ErrUnavailable)
	}
	if err := d.Handle(t.Context(), body(id)); !errors.Is(err, notify.ErrUnavailable) {
		t.Error("a message was lost:", err)
	}
}

// What follows from each failure.
func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		failure notify.Failure
		status  notify.Status
		outcome notify.Outcome
		after   time.Duration // at least
	}{
		"refused":        {notify.Failure{Sent: notify.No, Reason: "no"}, notify.Pending, notify.OutcomeNotSent, 1600 * time.Millisecond},
		"server error":   {notify.Failure{Status: 500, Reason: "no"}, notify.Pending, notify.OutcomeUnknown, 1600 * time.Millisecond},
		"answered no":    {notify.Failure{Sent: notify.No, Status: 503, Reason: "no"}, notify.Pending, notify.OutcomeRefused, 1600 * time.Millisecond},
		"too many":       {notify.Failure{Sent: notify.No, Status: 429, After: time.Hour, Reason: "slow"}, notify.Pending, notify.OutcomeRefused, time.Hour},
		"the most":       {notify.Failure{Sent: notify.No, Status: 429, After: 24 * time.Hour, Reason: "slow"}, notify.Pending, notify.OutcomeRefused, 24 * time.Hour},
		"for too long":   {notify.Failure{Sent: notify.No, Status: 429, After: 24*time.Hour + 1, Reason: "slow"}, notify.Parked, notify.OutcomeRefused, 0},
		"for ever":       {notify.Failure{Sent: notify.No, Status: 429, After: math.MaxInt64, Reason: "slow"}, notify.Parked, notify.OutcomeRefused, 0},
		"never":          {notify.Failure{Sent: notify.No, Status: 400, Permanent: true, Reason: "bad"}, notify.Dead, notify.OutcomeRefused, 0},
		"gone":           {notify.Failure{Sent: notify.No, Status: 410, Gone: true, Reason: "gone"}, notify.Parked, notify.OutcomeRefused, 0},
		"nobody knows":   {notify.Failure{Reason: "reset"}, notify.Pending, notify.OutcomeUnknown, 1600 * time.Millisecond},
		"past the clock": {notify.Failure{Status: 503, After: -time.Hour, Reason: "no"}, notify.Pending, notify.OutcomeUnknown, 1600 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			w, d, id := one(t)
			w.failing(c.failure)
			if _, err := d.Deliver(t.Context(), "acme", id); err != nil {
				t.Fatal(err)
			}
			got, attempts, err := w.store.Delivery(t.Context(), id)
			if err != nil || got.Status != c.status || attempts[0].Outcome != c.outcome {
				t.Errorf("%s, %s (%v), want %s, %s", got.Status, attempts[0].Outcome, err, c.status, c.outcome)
			}
			if c.after > 0 && got.Due.Sub(noon) < c.after || c.after == 0 && !got.Due.IsZero() {
				t.Errorf("due after %v, want %v", got.Due.Sub(noon), c.after)
			}
			if c.after > 0 { // never earlier, for nobody
				w.now = noon.Add(c.after - 1)
				var later *notify.LaterError
				if _, err := d.Deliver(t.Context(), "acme", id); !errors.As(err, &later) || len(w.sent) != 1 {
					t.Errorf("it was sent early: %v", err)
				}
			}
		})
	}
}

func TestDeadAndReplay(t *testing.T) {
	w, d, id := one(t)
	w.failing(notify.Failure{Status: 500, Reason: "broken"})
	for range 100 {
		w.now = w.now.Add(10 * time.Second)
		if len(w.store.Waiting(1)) > 0 {
			_, _ = d.Deliver(t.Context(), "acme", id)
		}
	}
	got, attempts, err := w.store.Delivery(t.Context(), id)
	if err != nil || got.Status != notify.Dead || len(attempts) != notify.DefaultAttempts || got.Reason != "broken (status 500); that was attempt 5" {
		t.Fatalf("%+v %v", got, err)
	}
	if !slices.ContainsFunc(w.sent, func(s *notify.Dispatch) bool { return s.Duplicate }) || !got.Duplicate {
		t.Error("what may have arrived is not flagged")
	}
	if _, err := w.store.Replay(t.Context(), id, "ann"); err != nil {
		t.Fatal(err)
	}
	w.send = nil
	w.now = w.now.Add(time.Hour)
	if s, err := d.Deliver(t.Context(), "acme", id); err != nil || s.Status != notify.Delivered {
		t.Fatal(s, err)
	}
	last := w.sent[len(w.sent)-1]
	if last.ID != id || last.Attempt != 6 || !last.Duplicate {
		t.Errorf("%+v", last)
	}
	if _, err := w.store.Replay(t.Context(), id, "ann"); !errors.Is(err, notify.ErrConflict) {
		t.Error("what arrived was replayed", err)
	}
}

func TestZombie(t *testing.T) {
	w, d, id := one(t)
	w.send = func(x *notify.Dispatch) (*notify.Receipt, error) {
		if x.Attempt == 1 { // it sleeps, and another one comes
			w.now = w.now.Add(notify.DefaultLease)
			w.mu.Unlock()
			if s, err := d.Deliver(t.Context(), "acme", id); err != nil || s.Status != notify.Delivered {
				t.Error(s, err)
			}
			w.mu.Lock()
		}
		return &notify.Receipt{Status: 200}, nil
	}
	if _, err := d.Deliver(t.Context(), "acme", id); !errors.Is(err, notify.ErrFenced) {
		t.Error(err)
	}
	got, attempts, err := w.store.Delivery(t.Context(), id)
	if err != nil || got.Status != notify.Delivered || attempts[0].Outcome != notify.OutcomeUnknown || !attempts[1].Duplicate || !w.sent[1].Duplicate {
		t.Errorf("%+v %+v %v", got, attempts, err)
	}
}

func TestSlowClaim(t *testing.T) {
	w, d, id := one(t)
	d.Now = func() time.Time { w.now = w.now.Add(notify.DefaultLease/3 + 1); return w.now }
	s, err := d.Deliver(t.Context(), "acme", id)
	if err != nil || s.Status != notify.Pending || s.Attempt.Outcome != notify.OutcomeNotSent || len(w.sent) != 0 {
		t.Errorf("%+v %v, sent %d", s, err, len(w.sent))
	}
}

func TestCircuit(t *testing.T) {
	w := ruled(t, notify.Rule{GroupBy: notify.GroupNone, Burst: 1000})
	for i := range 20 {
		w.handle(drift(fmt.Sprint("CVE-", i), "high", "a"))
	}
	w.failing(notify.Failure{Status: 500, Reason: "broken"})
	d := w.deliverer()
	turn := func() {
		for _, id := range w.store.Waiting(100) {
			_, err := d.Deliver(t.Context(), "acme", id)
			var later *notify.LaterError
			if err != nil && !errors.As(err, &later) {
				t.Fatal(err)
			}
		}
	}
	turn()
	if len(w.sent) != notify.CircuitAfter {
		t.Errorf("%d attempts at an endpoint that fails", len(w.sent))
	}
	w.now = w.now.Add(29 * time.Second)
	turn()
	if len(w.sent) != notify.CircuitAfter {
		t.Error("it did not rest")
	}
	w.now = w.now.Add(time.Second)
	turn()
	if len(w.sent) != notify.CircuitAfter+1 {
		t.Errorf("%d attempts after the rest, want one more", len(w.sent))
	}
	w.send = nil
	for range 100 {
		w.now = w.now.Add(time.Minute)
		turn()
	}
	for _, x := range w.deliveries() {
		if x.Status != notify.Delivered {
			t.Errorf("%+v", x)
		}
	}
}

func TestGone(t *testing.T) {
	w := ruled(t, notify.Rule{GroupBy: notify.GroupNone})
	w.handle(drift("CVE-1", "high", "a"))
	w.handle(drift("CVE-2", "high", "a"))
	w.failing(notify.Failure{Sent: notify.No, Status: 410, Gone: true, Reason: "gone"})
	d := w.deliverer()
	if _, err := d.Deliver(t.Context(), "acme", w.deliveries()[0].ID); err != nil {
		t.Fatal(err)
	}
	w.handle(drift("CVE-3", "high", "a"))
	if _, err := d.Deliver(t.Context(), "acme", w.deliveries()[2].ID); !errors.Is(err, notify.ErrConflict) {
		t.Fatal(err)
	}
	for _, x := range w.deliveries() {
		if x.Status != notify.Parked {
			t.Errorf("%+v", x)
		}
	}
	w.endpoint("chat") // it is there again
	w.send = nil
	for _, id := range w.store.Waiting(10) {
		if _, err := d.Deliver(t.Context(), "acme", id); err != nil {
			t.Error(err)
		}
	}
	for _, x := range w.deliveries() {
		if x.Status != notify.Delivered {
			t.Errorf("%+v", x)
		}
	}
}

func TestPace(t *testing.T) {
	w := ruled(t, notify.Rule{GroupBy: notify.GroupNone, Burst: 1000})
	w.set(notify.SettingEndpoint, "chat", notify.Endpoint{ID: "chat", Type: "slack", Pace: "1s"})
	for i := range 50 {
		w.handle(drift(fmt.Sprint("CVE-", i), "high", "a"))
	}
	d := w.deliverer()
	var times []time.Time
	w.send = func(*notify.Dispatch) (*notify.Receipt, error) {
		times = append(times, w.now)
		return &notify.Receipt{Status: 200}, nil
	}
	for range 600 {
		for _, id := range w.store.Waiting(100) {
			_, _ = d.Deliver(t.Context(), "acme", id)
		}
		w.now = w.now.Add(100 * time.Millisecond)
	}
	if len(times) != 50 {
		t.Errorf("%d of 50 were sent", len(times))
	}
	for i := 1; i < len(times); i++ {
		if times[i].Sub(times[i-1]) < time.Second {
			t.Fatalf("%v after the one before", times[i].Sub(times[i-1]))
		}
	}
}

func TestStopped(t *testing.T) {
	w, d, id := one(t)
	ctx, stop := context.WithCancel(t.Context())
	w.send = func(*notify.Dispatch) (*notify.Receipt, error) {
		stop()
		return nil, &notify.Failure{Reason: "stopped", Err: context.Canceled}
	}
	if _, err := d.Deliver(ctx, "acme", id); err != nil {
		t.Fatal(err)
	}
	if got, attempts, _ := w.store.Delivery(t.Context(), id); got.Status != notify.Pending || attempts[0].Outcome != notify.OutcomeUnknown {
		t.Errorf("%+v %+v", got, attempts)
	}
}

// The schedule of a delivery is the same everywhere, and many are spread evenly: a
// Kolmogorov-Smirnov test against the uniform distribution, with p > 0.01.
func TestBackoff(t *testing.T) {
	var b notify.Backoff
	want := []string{"2.268813s", "3.562133s", "7.007906s", "13.893289s", "36.665388s", "58.204054s", "2m1.321378s", "5m0.616991s", "4m32.081964s"}
	for i, text := range want {
		d := b.After("dlv-1", i+1)
		if d.String() != text {
			t.Errorf("attempt %d after %v, want %s", i+1, d, text)
		}
		middle := min(notify.DefaultBase<<i, notify.DefaultMax)
		if d < middle*8/10 || d > middle*12/10 {
			t.Errorf("attempt %d after %v", i+1, d)
		}
	}
	const n = 100_000
	list := make([]float64, n)
	for i := range list {
		list[i] = float64(b.After(fmt.Sprint("dlv-", i), 3)-6400*time.Millisecond) / float64(3200*time.Millisecond)
	}
	slices.Sort(list)
	worst := 0.0
	for i, x := range list {
		worst = max(worst, math.Abs(x-float64(i)/n), math.Abs(x-float64(i+1)/n))
	}
	if limit := 1.63 / math.Sqrt(n); worst > limit {
		t.Errorf("the delays are not uniform: %v, the limit is %v", worst, limit)
	}
	rapid.Check(t, func(t *rapid.T) {
		b := notify.Backoff{Base: time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "base")), Max: time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "max"))}
		d := b.After(rapid.String().Draw(t, "id"), rapid.IntRange(-3, 1<<40).Draw(t, "attempt"))
		if d < 0 || d > 30*time.Hour {
			t.Fatalf("%v", d)
		}
	})
}

// Whoever dies with a delivery in hand, again and again, ends it.
func TestPoison(t *testing.T) {
	w, d, id := one(t)
	for range 2 * notify.DefaultAttempts {
		if _, err := w.store.Claim(t.Context(), &notify.Claim{ID: id, Holder: "dies", Length: time.Minute}); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(time.Hour)
	}
	if s, err := d.Deliver(t.Context(), "acme", id); err != nil || s.Status != notify.Dead || len(w.sent) != 0 || s.Reason != "10 attempts came to no end" {
		t.Errorf("%+v %v, sent %d", s, err, len(w.sent))
	}
}

// A channel that panics is a failure, and keeps nobody else.
func TestPanics(t *testing.T) {
	w, d, id := one(t)
	w.send = func(*notify.Dispatch) (*notify.Receipt, error) { panic("boo") }
	if s, err := d.Deliver(t.Context(), "acme", id); err != nil || s.Status != notify.Pending || s.Attempt.Outcome != notify.OutcomeUnknown {
		t.Errorf("%+v %v", s, err)
	}
	w.router.Open = func(string) notify.Opener {
		return func(*notify.Endpoint, []notify.Template) (notify.Channel, error) { return nil, nil } // its methods panic
	}
	w.rule(notify.Rule{ID: "all", GroupBy: notify.GroupNone}) // it is opened anew
	w.handle(drift("CVE-2", "high", "a"))
	if got := w.titles(); len(got) != 2 || !strings.HasPrefix(got[1], "New high CVE-2 affects a scan [dead: it could not be rendered: the channel panics") {
		t.Errorf("%q", got)
	}
}

// What is decided is sent by the same process, and what it does not come to by messages.
func TestInline(t *testing.T) {
	w := ruled(t, notify.Rule{GroupBy: notify.GroupNone})
	ctx, stop := context.WithCancel(t.Context())
	inline := notify.NewInline(w.deliverer(), 2, func(err error) { t.Error(err) })
	w.router.Deliver = inline.Deliver
	ended := make(chan struct{})
	go func() { inline.Run(ctx); close(ended) }()
	for i := range 20 {
		w.handle(drift(fmt.Sprint("CVE-", i), "high", "a"))
	}
	for len(w.store.Waiting(1)) > 0 {
		time.Sleep(time.Millisecond)
	}
	stop()
	<-ended
	inline.Deliver("acme", []string{"late"})
	w.handle(drift("CVE-late", "high", "a"))
	if len(w.sent) != 20 || len(w.store.Waiting(10)) != 1 {
		t.Errorf("%d were sent, %d wait", len(w.sent), len(w.store.Waiting(10)))
	}
}
