package notifytest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stella-ops/stella/notify"
)

func testAttempts(k *kept) {
	ctx := k.Context()
	k.endpoint(notify.Endpoint{ID: "a", URL: "https://a.example"})
	k.deliveries("a", "d")
	t, err := k.tries("d")
	k.ok(err)
	want := delivery("d", "a", t.Delivery.Created)
	want.Status, want.Attempt, want.Attempts = notify.Sending, 1, 1
	if diff := cmp.Diff(want, t.Delivery, cmpopts.IgnoreFields(notify.Delivery{}, "Due", "Updated")); diff != "" {
		k.Error(diff)
	}
	if t.Endpoint.URL != "https://a.example" || t.Failures != 0 || t.Epoch < 1 || t.Holder != "w1" || t.Until.Before(t.Attempt.Started.Add(59*time.Second)) {
		k.Errorf("%+v", t)
	}
	if diff := cmp.Diff(notify.Attempt{Number: 1, Holder: "w1", Outcome: notify.OutcomeOpen, Started: t.Attempt.Started}, t.Attempt); diff != "" || t.Attempt.Started.IsZero() {
		k.Error(diff)
	}
	_, err = k.tries("d")
	k.later("a delivery that somebody has", err)
	// It is tried again when the backoff is over, and no earlier.
	k.settles(t, notify.OutcomeRefused, notify.Pending, func(s *notify.Settlement) { s.Retry = 300 * time.Millisecond })
	k.wantStands("after a failure", "d", "pending 1/1")
	_, err = k.tries("d")
	if l := k.later("a delivery that is not due", err); l.Delivery != "d" || l.Until.Sub(t.Attempt.Started) < 300*time.Millisecond {
		k.Errorf("%+v", l)
	}
	again := k.takes("d")
	if again.Attempt.Number != 2 || again.Attempt.Duplicate || again.Delivery.Attempt != 2 || again.Epoch <= t.Epoch || again.Attempt.Started.Sub(t.Attempt.Started) < 300*time.Millisecond {
		k.Errorf("%+v", again)
	}
	k.settles(again, notify.OutcomeDelivered, notify.Delivered, func(s *notify.Settlement) { s.Attempt.Reference, s.Attempt.Answer = "ts-1", "sha256:00" })
	d, attempts, err := k.Delivery(ctx, "d")
	k.ok(err)
	if d.Status != notify.Delivered || d.Reason != "" || !d.Due.IsZero() || d.Duplicate {
		k.Errorf("%+v", d)
	}
	ended := cmpopts.IgnoreFields(notify.Attempt{}, "Started", "Ended")
	if diff := cmp.Diff([]notify.Attempt{
		{Number: 1, Holder: "w1", Outcome: notify.OutcomeRefused, Latency: time.Millisecond, Status: 503, Reason: "away"},
		{Number: 2, Holder: "w1", Outcome: notify.OutcomeDelivered, Latency: time.Millisecond, Status: 200, Answer: "sha256:00", Reference: "ts-1"},
	}, attempts, ended); diff != "" {
		k.Error(diff)
	}
	for _, a := range attempts {
		if a.Ended.Before(a.Started) {
			k.Errorf("%+v", a)
		}
	}
}

func testNotToBeSent(k *kept) {
	k.endpoint(notify.Endpoint{ID: "a"})
	k.deliveries("a", "delivered", "dead", "parked")
	k.do(notify.Work{}, func(s *notify.State) notify.Plan {
		d := delivery("suppressed", "a", time.Time{})
		d.Status = notify.Suppressed
		return notify.Plan{Deliveries: []notify.Delivery{d}}
	})
	k.settles(k.takes("delivered"), notify.OutcomeDelivered, notify.Delivered, nil)
	k.settles(k.takes("dead"), notify.OutcomeRefused, notify.Dead, nil)
	k.settles(k.takes("parked"), notify.OutcomeRefused, notify.Parked, nil)
	for _, id := range []string{"delivered", "dead", "parked", "suppressed"} {
		_, err := k.tries(id)
		k.wants("claim "+id, err, notify.ErrConflict)
		if d, _, err := k.Delivery(k.Context(), id); err != nil || string(d.Status) != id {
			k.Errorf("%+v, %v", d, err)
		}
	}
	_, err := k.tries("none")
	k.wants("claim what there is not", err, notify.ErrNotFound)
}

func testFenced(k *kept) {
	k.endpoint(notify.Endpoint{ID: "a"})
	k.deliveries("a", "d")
	zombie, err := k.Claim(k.Context(), &notify.Claim{ID: "d", Holder: "zombie", Length: lease})
	k.ok(err)
	time.Sleep(lease + 50*time.Millisecond)
	other := k.takes("d")
	if other.Attempt.Number != 2 || !other.Attempt.Duplicate || !other.Delivery.Duplicate || other.Epoch <= zombie.Epoch {
		k.Errorf("%+v", other)
	}
	k.wants("a holder that came back", k.Settle(k.Context(), zombie, settled(zombie, notify.OutcomeDelivered, notify.Delivered)), notify.ErrFenced)
	k.wantStands("while another one has it", "d", "sending 2/2 duplicate")
	k.settles(other, notify.OutcomeDelivered, notify.Delivered, nil)
	k.wants("a holder that came back late", k.Settle(k.Context(), zombie, settled(zombie, notify.OutcomeRefused, notify.Dead)), notify.ErrFenced)
	_, attempts, err := k.Delivery(k.Context(), "d")
	k.ok(err)
	if len(attempts) != 2 || attempts[0].Outcome != notify.OutcomeUnknown || attempts[0].Holder != "zombie" || attempts[0].Reason == "" || attempts[0].Ended.IsZero() || attempts[1].Outcome != notify.OutcomeDelivered {
		k.Errorf("%+v", attempts)
	}
}

// testLost: whoever may have been reached before may be reached twice, and both are said.
func testLost(k *kept) {
	k.endpoint(notify.Endpoint{ID: "a"})
	k.deliveries("a", "d")
	k.settles(k.takes("d"), notify.OutcomeUnknown, notify.Pending, nil)
	k.wantStands("it is not sent again yet", "d", "pending 1/1")
	t := k.takes("d")
	if !t.Attempt.Duplicate || !t.Delivery.Duplicate {
		k.Errorf("%+v", t)
	}
	k.settles(t, notify.OutcomeDelivered, notify.Delivered, nil)
	k.wantStands("in the end", "d", "delivered 2/2 duplicate")
}

func testDisabled(k *kept) {
	k.deliveries("a", "d")
	_, err := k.tries("d")
	k.wants("to an endpoint that there is not", err, notify.ErrConflict)
	k.wantStands("parked", "d", "parked 0/0")
	k.endpoint(notify.Endpoint{ID: "a"})
	k.wantStands("when there is one", "d", "pending 0/0")
	k.settles(k.takes("d"), notify.OutcomeRefused, notify.Parked, nil)
	k.deliveries("a", "e")
	k.endpoint(notify.Endpoint{ID: "a", Disabled: true})
	_, err = k.tries("e")
	k.wants("to an endpoint that is disabled", err, notify.ErrConflict)
	k.wantStands("parked", "e", "parked 0/0")
	if d, _, err := k.Delivery(k.Context(), "e"); err != nil || d.Reason == "" || !d.Due.IsZero() {
		k.Errorf("%+v, %v", d, err)
	}
	k.endpoint(notify.Endpoint{ID: "a"})
	k.wantStands("it is enabled", "e", "pending 0/0")
	k.wantStands("what is parked for another reason stays so", "d", "parked 1/1")
	k.settles(k.takes("e"), notify.OutcomeDelivered, notify.Delivered, nil)
}

func testGone(k *kept) {
	k.endpoint(notify.Endpoint{ID: "a", URL: "https://a.example"})
	k.endpoint(notify.Endpoint{ID: "b"})
	k.deliveries("a", "d1", "d2", "d3")
	k.deliveries("b", "other")
	revision, t := k.revision(), k.takes("d1")
	held := k.takes("d3")
	k.settles(t, notify.OutcomeRefused, notify.Parked, func(s *notify.Settlement) { s.Gone = true })
	s, err := k.Setting(k.Context(), notify.SettingEndpoint, "a")
	k.ok(err)
	var list notify.Settings
	k.ok(list.Read(notify.SettingEndpoint, s.Body))
	if e := list.Endpoints[0]; s.Number != 2 || s.By != "notify" || !e.Disabled || e.URL != "https://a.example" || k.revision() != revision+1 {
		k.Errorf("%+v, %+v, revision %d", s, e, k.revision())
	}
	k.wantStands("the one that found out", "d1", "parked 1/1")
	k.wantStands("what waits", "d2", "parked 0/0")
	k.wantStands("what somebody has", "d3", "sending 1/1")
	k.wantStands("of another endpoint", "other", "pending 0/0")
	// Two may find out.
	k.settles(held, notify.OutcomeRefused, notify.Parked, func(s *notify.Settlement) { s.Gone = true })
	if k.revision() != revision+1 {
		k.Error("it was disabled twice")
	}
	k.endpoint(notify.Endpoint{ID: "a"})
	for _, id := range []string{"d1", "d2", "d3"} {
		if d, _, err := k.Delivery(k.Context(), id); err != nil || d.Status != notify.Pending || d.Attempt != 0 {
			k.Errorf("enabled again: %+v, %v", d, err)
		}
	}
}

func testRest(k *kept) {
	k.endpoint(notify.Endpoint{ID: "a"})
	k.do(notify.Work{}, func(s *notify.State) notify.Plan {
		d := delivery("there", "a", s.Now)
		d.To = "#other"
		return notify.Plan{Deliveries: []notify.Delivery{delivery("d1", "a", s.Now), delivery("d2", "a", s.Now), d}}
	})
	began := time.Now()
	k.settles(k.takes("d1"), notify.OutcomeRefused, notify.Pending, func(s *notify.Settlement) { s.Rest = 700 * time.Millisecond })
	for _, id := range []string{"d1", "d2"} {
		_, err := k.tries(id)
		if l := k.later("to one that wants to be left alone", err); l.Until.Sub(began) < 600*time.Millisecond {
			k.Errorf("%+v", l)
		}
	}
	k.settles(k.takes("there"), notify.OutcomeDelivered, notify.Delivered, nil) // another receiver
	k.settles(k.takes("d2"), notify.OutcomeDelivered, notify.Delivered, nil)
	if time.Since(began) < 700*time.Millisecond {
		k.Error("it was not left alone")
	}
}

// testCircuit: of many that wait for an endpoint that failed, one tries first.
func testCircuit(k *kept) {
	k.endpoint(notify.Endpoint{ID: "a"})
	k.deliveries("a", "d", "e", "f")
	for n := range notify.CircuitAfter {
		t := k.takes("d")
		if t.Failures != n {
			k.Errorf("%d failures, want %d", t.Failures, n)
		}
		k.settles(t, notify.OutcomeNotSent, notify.Pending, func(s *notify.Settlement) { s.Failed = true })
	}
	probe, err := k.Claim(k.Context(), &notify.Claim{ID: "e", Holder: "w1", Length: lease})
	k.ok(err)
	if probe.Failures != notify.CircuitAfter {
		k.Errorf("%+v", probe)
	}
	_, err = k.tries("f")
	k.later("while one tries", err)
	k.settles(probe, notify.OutcomeDelivered, notify.Delivered, nil)
	t := k.waits("f")
	if t.Failures != 0 {
		k.Errorf("%+v", t)
	}
}

// waits claims a delivery, however often it is put off, for a while.
func (k *kept) waits(id string) *notify.Task {
	k.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		t, err := k.tries(id)
		var l *notify.LaterError
		if errors.As(err, &l) && time.Now().Before(end) {
			continue
		}
		k.ok(err)
		return t
	}
}

// testPace: between two messages to a receiver is the pace, whoever sends them.
func testPace(k *kept) {
	const pace = 200 * time.Millisecond
	k.endpoint(notify.Endpoint{ID: "a", Pace: "200ms"})
	ids := []string{"d1", "d2", "d3", "d4"}
	k.deliveries("a", ids...)
	var mu sync.Mutex
	var wg sync.WaitGroup
	var at []time.Time
	for _, id := range ids {
		wg.Go(func() {
			t := k.takes(id)
			mu.Lock()
			at = append(at, t.Attempt.Started)
			mu.Unlock()
			k.settles(t, notify.OutcomeDelivered, notify.Delivered, nil)
		})
	}
	wg.Wait()
	for i, a := range at {
		for _, b := range at[:i] {
			if gap := a.Sub(b).Abs(); gap < pace {
				k.Errorf("two messages within %v", gap)
			}
		}
	}
}

// testDefaultPace: who claims says how an endpoint is paced that does not say.
func testDefaultPace(k *kept) {
	k.endpoint(notify.Endpoint{ID: "a"})
	k.endpoint(notify.Endpoint{ID: "own", Pace: "0s"})
	k.deliveries("a", "a1", "a2")
	k.deliveries("own", "o1", "o2")
	claim := func(id string) error {
		_, err := k.Claim(k.Context(), &notify.Claim{ID: id, Holder: "w", Length: time.Minute, Pace: func(e *notify.Endpoint) time.Duration { return time.Hour }})
		return err
	}
	for _, id := range []string{"a1", "o1", "o2"} {
		k.ok(claim(id))
	}
	if l := k.later("one more of an hour", claim("a2")); time.Until(l.Until) < 50*time.Minute {
		k.Errorf("%+v", l)
	}
}

// testClaimRace has many take one delivery.
func testClaimRace(k *kept) {
	k.endpoint(notify.Endpoint{ID: "a"})
	for n := range 5 {
		id := fmt.Sprint("d", n)
		k.deliveries("a", id)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var won []*notify.Task
		for w := range 4 {
			wg.Go(func() {
				t, err := k.Claim(k.Context(), &notify.Claim{ID: id, Holder: fmt.Sprint("w", w), Length: time.Minute})
				var l *notify.LaterError
				if err != nil && !errors.As(err, &l) && !errors.Is(err, notify.ErrUnavailable) {
					k.Error(err)
				}
				if err == nil {
					mu.Lock()
					won = append(won, t)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			k.Errorf("%d have it", len(won))
		}
	}
}
