package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/event"
)

// testNoticeCrashes goes through one story at which a process dies at each point in turn,
// and starts over: what is kept and told is the same as where nobody died.
func testNoticeCrashes(w *noticeWorld) {
	want := w.story("calm", "")
	if !strings.Contains(want, "d1:delivered") || !strings.Contains(want, "i/acknowledged") {
		w.Fatalf("the story ends otherwise:\n%s", want)
	}
	for _, p := range crashpoint.All() {
		if !strings.HasPrefix(string(p), "notify.route.") && !strings.HasPrefix(string(p), "notify.claim.") && !strings.HasPrefix(string(p), "notify.settle.") &&
			!strings.HasPrefix(string(p), "notify.set.") && !strings.HasPrefix(string(p), "notify.replay.") && !strings.HasPrefix(string(p), "notify.ack.") {
			continue
		}
		if diff := cmp.Diff(want, w.story(strings.ReplaceAll(string(p), ".", "-"), p)); diff != "" {
			w.Errorf("crashed at %s (-calm +crashed):\n%s", p, diff)
		}
	}
}

// story is what becomes of a message, an escalation and an endpoint.
func (w *noticeWorld) story(name string, at crashpoint.Point) string {
	w.Helper()
	of := tenant(w, w.root, name)
	n, hit := of.Notify(), at == ""
	step := func(what string, done error, f func() error) {
		w.Helper()
		for range 5 {
			err, crashed := error(nil), false
			if hit {
				err = f()
			} else if err, crashed = crashAt(at, 1, f); crashed {
				hit = true
				continue
			}
			if err == nil || done != nil && errors.Is(err, done) {
				return
			}
			w.Fatalf("%s, %s: %v", at, what, err)
		}
	}
	set := func(number int64, disabled string) {
		w.Helper()
		step("set an endpoint", store.ErrConflict, func() error {
			return n.Set(w.ctx, &notify.Setting{Kind: notify.SettingEndpoint, ID: "a", Number: number, Body: []byte(`{"id":"a","type":"webhook"` + disabled + `}`), By: "ann"})
		})
	}
	set(1, "")
	step("route", nil, func() error {
		return do(w.ctx, of, notify.Work{Events: []string{"e"}, Groups: []string{"g"}, Incidents: []string{"i"}}, func(s *notify.State) notify.Plan {
			if s.Done["e"] {
				return notify.Plan{}
			}
			g := *s.Groups["g"]
			g.Window, g.Due, g.Count, g.Incident = 1, time.UnixMicro(1).UTC(), g.Count+1, "i"
			return notify.Plan{Groups: []notify.Group{g}, Items: []notify.Item{{Key: "k", Group: "g", Window: 1, Event: "e", Notices: []notify.Notice{{ScanID: "s"}}}},
				Deliveries: []notify.Delivery{sent("d1", "a", time.Time{}), sent("d2", "a", time.Time{})}, Incidents: []notify.Incident{{ID: "i", Group: "g", Opened: time.UnixMicro(1), Due: time.UnixMicro(1)}}}
		})
	})
	attempt := func(id string, s notify.Status) {
		w.Helper()
		var task *notify.Task
		step("claim "+id, nil, func() (err error) {
			task, err = n.Claim(w.ctx, &notify.Claim{ID: id, Holder: "w", Length: time.Minute})
			return err
		})
		step("settle "+id, nil, func() error { return n.Settle(w.ctx, task, outcome(task, s)) })
	}
	attempt("d1", notify.Pending)
	attempt("d1", notify.Dead)
	step("replay", store.ErrConflict, func() error { _, err := n.Replay(w.ctx, "d1", "ann"); return err })
	attempt("d1", notify.Delivered)
	set(2, `,"disabled":true`)
	set(3, "")
	step("acknowledge", nil, func() error { _, err := n.Acknowledge(w.ctx, "i", "ann", "mine"); return err })
	if !hit {
		w.Errorf("%s is never passed", at)
	}
	out := []string{w.status(of)}
	for _, id := range []string{"d1", "d2"} {
		_, attempts, err := n.Delivery(w.ctx, id)
		w.ok(err)
		for _, a := range attempts {
			out = append(out, fmt.Sprint(id, " ", a.Number, a.Outcome, a.Duplicate, a.Reason))
		}
	}
	w.ok(do(w.ctx, of, notify.Work{Groups: []string{"g"}, Collected: true}, func(s *notify.State) notify.Plan {
		out = append(out, fmt.Sprint(s.Groups["g"].Count, s.Groups["g"].Incident, len(s.Items["g"])))
		return notify.Plan{}
	}))
	return strings.Join(append(out, w.told(event.NotifyDeliveries), w.told(event.NotifyEvents)), "\n")
}

// model is what a store of deliveries should say.
type model struct {
	status   map[string]notify.Status
	attempt  map[string]int
	attempts map[string]int
	disabled bool
	byHand   map[string]bool // parked for a reason of its own
	tasks    map[string]*notify.Task
}

// testNoticeModel does random things to deliveries of an endpoint, and holds what the
// store says against a model. In the end each that is pending has one message, and no
// other has any.
func testNoticeModel(w *noticeWorld) {
	random := rand.New(rand.NewPCG(11, 7))
	m := &model{status: map[string]notify.Status{}, attempt: map[string]int{}, attempts: map[string]int{}, byHand: map[string]bool{}, tasks: map[string]*notify.Task{}}
	w.endpoint(w.acme, notify.Endpoint{ID: "a"})
	for n := range 400 {
		id := fmt.Sprint("d", random.IntN(12))
		what := w.random(random.IntN(9), id, m)
		if n%20 == 19 {
			var want []string
			for id, s := range m.status {
				want = append(want, fmt.Sprintf("%s:%s:%d/%d", id, s, m.attempt[id], m.attempts[id]))
			}
			slices.Sort(want)
			w.wantStatus(fmt.Sprintf("after %d operations, the last %s", n+1, what), strings.Join(want, " "))
		}
		if w.Failed() {
			return
		}
	}
	pending := 0
	for _, s := range m.status {
		if s == notify.Pending {
			pending++
		}
	}
	if got := w.waiting(event.NotifyDeliveries); got != pending {
		w.Errorf("%d messages, %d deliveries are pending", got, pending)
	}
}

// random does one operation, in the store and in the model.
func (w *noticeWorld) random(op int, id string, m *model) string {
	w.Helper()
	n, status := w.acme.Notify(), m.status[id]
	switch op {
	case 0:
		w.deliver(w.acme, "a", id)
		if status == "" {
			m.status[id] = notify.Pending
		}
		return "deliver " + id
	case 1, 2, 3:
		task, err := claimDelivery(w.ctx, w.acme, id, "")
		switch {
		case status == notify.Pending && m.disabled:
			w.wantErr("claim", err, store.ErrConflict)
			m.status[id] = notify.Parked
		case status == notify.Pending:
			w.ok(err)
			m.tasks[id], m.status[id] = task, notify.Sending
			m.attempt[id]++
			m.attempts[id]++
		case status == notify.Sending:
			w.wantErr("claim", err, store.ErrUnavailable)
		case status == "":
			w.wantErr("claim", err, store.ErrNotFound)
		default:
			w.wantErr("claim", err, store.ErrConflict)
		}
		return "claim " + id
	case 4, 5, 6:
		task := m.tasks[id]
		if task == nil {
			return "nothing"
		}
		next := []notify.Status{notify.Pending, notify.Delivered, notify.Dead, notify.Parked}[m.attempts[id]%4]
		w.ok(n.Settle(w.ctx, task, outcome(task, next)))
		m.status[id], m.byHand[id] = next, next == notify.Parked
		delete(m.tasks, id)
		return fmt.Sprint("settle ", id, " ", next)
	case 7:
		_, err := n.Replay(w.ctx, id, "ann")
		if status != notify.Dead && status != notify.Parked {
			if err == nil {
				w.Errorf("replay %s, which is %s", id, status)
			}
			return "no replay"
		}
		w.ok(err)
		m.status[id], m.attempt[id] = notify.Pending, 0
		return "replay " + id
	}
	m.disabled = !m.disabled
	w.endpoint(w.acme, notify.Endpoint{ID: "a", Disabled: m.disabled})
	for id, s := range m.status {
		switch {
		case m.disabled && s == notify.Pending:
			m.status[id], m.byHand[id] = notify.Parked, false
		case !m.disabled && s == notify.Parked && !m.byHand[id]:
			m.status[id], m.attempt[id] = notify.Pending, 0
		}
	}
	return fmt.Sprint("disabled: ", m.disabled)
}
