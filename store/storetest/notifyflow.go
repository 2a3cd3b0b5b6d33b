package storetest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

// testNoticeMessages: each request to send a delivery is another message, that is
// consumed by whoever takes the delivery, and everybody hears what came of it.
func testNoticeMessages(w *noticeWorld) {
	w.endpoint(w.acme, notify.Endpoint{ID: "a"})
	w.ok(do(w.ctx, w.acme, notify.Work{Events: []string{"e"}}, func(s *notify.State) notify.Plan {
		quiet, dead := sent("quiet", "a", time.Time{}), sent("dead", "a", time.Time{})
		quiet.Status, dead.Status, dead.Reason, dead.Payload = notify.Suppressed, notify.Dead, "it could not be rendered", nil
		return notify.Plan{Deliveries: []notify.Delivery{sent("d", "a", s.Now), sent("later", "a", s.Now.Add(time.Hour)), quiet, dead}}
	}))
	w.wantTold("what is due", event.NotifyDeliveries, "d/send/1")
	w.wantTold("what cannot be rendered", event.NotifyEvents, "dead/dead/0")
	if _, err := w.acme.Notify().Replay(w.ctx, "dead", "ann"); !errors.Is(err, store.ErrConflict) {
		w.Errorf("replay what has no payload: %v", err)
	}
	if n := w.waiting(event.NotifyDeliveries); n != 2 {
		w.Errorf("%d messages wait", n)
	}
	w.attempt("d", "d/send/1", notify.Pending, nil)
	w.wantTold("after a failure", event.NotifyDeliveries, "d/send/2")
	w.wantTold("that is no end", event.NotifyEvents, "")
	// The message of an attempt that is over is refused, and the other one comes.
	_, err := claimDelivery(w.ctx, w.acme, "d", "d/send/2")
	w.ok(err)
	_, err = claimDelivery(w.ctx, w.acme, "d", "d/send/1")
	if l := new(notify.LaterError); !errors.As(err, &l) {
		w.Errorf("a message that came twice: %v", err)
	}
	// One that there is not is asked for once.
	_, err = claimDelivery(w.ctx, w.acme, "none", "none/send/1")
	w.wantErr("what there is not", err, notify.ErrNotFound)
}

// testNoticeEvents: what is told of deliveries, incidents and endpoints.
func testNoticeEvents(w *noticeWorld) {
	n := w.acme.Notify()
	w.endpoint(w.acme, notify.Endpoint{ID: "a"})
	w.endpoint(w.acme, notify.Endpoint{ID: "a", Name: "another name"})
	w.wantTold("an endpoint that is used", event.NotifyEvents, "")
	w.deliver(w.acme, "a", "d1", "d2", "d3", "d4")
	w.told(event.NotifyDeliveries)
	w.attempt("d1", "d1/send/1", notify.Delivered, nil)
	w.attempt("d2", "d2/send/1", notify.Dead, nil)
	w.wantTold("ends", event.NotifyEvents, "d1/delivered/1 d2/dead/1")
	must[*notify.Delivery](w)(n.Replay(w.ctx, "d2", "ann"))
	w.wantTold("replayed", event.NotifyDeliveries, "d2/send/2")
	w.attempt("d2", "d2/send/2", notify.Dead, nil)
	w.wantTold("it ended again", event.NotifyEvents, "d2/dead/2")
	w.attempt("d3", "d3/send/1", notify.Parked, func(s *notify.Settlement) { s.Gone = true })
	w.wantTold("the endpoint is gone", event.NotifyEvents, "d3/parked/1 d4/parked/0 endpoint/a/disabled/3")
	if k := w.waiting(event.NotifyDeliveries); k != 0 {
		w.Errorf("%d messages ask for what is parked", k)
	}
	w.deliver(w.acme, "a", "d5")
	w.wantTold("it is not known yet", event.NotifyDeliveries, "d5/send/1")
	_, err := claimDelivery(w.ctx, w.acme, "d5", "d5/send/1")
	w.wantErr("to a disabled endpoint", err, notify.ErrConflict)
	w.wantTold("to a disabled endpoint", event.NotifyEvents, "d5/parked/0")
	w.endpoint(w.acme, notify.Endpoint{ID: "a"})
	w.wantTold("it is enabled", event.NotifyEvents, "endpoint/a/enabled/4")
	w.wantTold("what was parked", event.NotifyDeliveries, "d3/send/2 d4/send/2 d5/send/2")
	w.ok(do(w.ctx, w.acme, notify.Work{}, func(s *notify.State) notify.Plan {
		return notify.Plan{Incidents: []notify.Incident{{ID: "i", Rule: "r", Group: "g", Opened: s.Now, Due: s.Now, Message: notify.Message{Title: "title"}}}}
	}))
	w.ok(do(w.ctx, w.acme, notify.Work{Incidents: []string{"i"}}, func(s *notify.State) notify.Plan {
		i := *s.Incidents["i"]
		i.Step++
		return notify.Plan{Incidents: []notify.Incident{i}}
	}))
	for _, by := range []string{"ann", "bob"} {
		must[*notify.Incident](w)(n.Acknowledge(w.ctx, "i", by, "note"))
	}
	relayAll(w, w.relay)
	for _, m := range w.queue.messages {
		e := must[*event.Event](w)(event.Decode(m.body))
		d := must[*event.Notification](w)(event.DecodeNotification(e))
		if m.topic != event.NotifyEvents || d.Incident != "i" || d.Title != "title" || e.Type == event.NotificationAcknowledged && d.By != "ann" {
			w.Errorf("%s: %+v", e.ID, d)
		}
	}
	w.wantTold("an incident", event.NotifyEvents, "i/acknowledged i/escalated/1")
	w.wantStatus("in the end", "d1:delivered:1/1 d2:dead:1/2 d3:pending:0/1 d4:pending:0/0 d5:pending:0/0")
}

// testNoticeMany: an endpoint that is disabled parks all that waits for it, and queues it
// when it is enabled, once each.
func testNoticeMany(w *noticeWorld) {
	const many = 700
	w.endpoint(w.acme, notify.Endpoint{ID: "a"})
	var ids []string
	for i := range many {
		ids = append(ids, fmt.Sprintf("d%03d", i))
	}
	w.deliver(w.acme, "a", ids...)
	w.endpoint(w.acme, notify.Endpoint{ID: "a", Disabled: true})
	if n, told := w.waiting(event.NotifyDeliveries), strings.Fields(w.told(event.NotifyEvents)); n != 0 || len(told) != many+1 {
		w.Errorf("disabled: %d messages, %d events", n, len(told))
	}
	w.endpoint(w.acme, notify.Endpoint{ID: "a"})
	told := strings.Fields(w.told(event.NotifyDeliveries))
	if len(told) != many || told[0] != "d000/send/2" || w.waiting(event.NotifyDeliveries) != many {
		w.Errorf("enabled: %d messages, the first %v", len(told), told[:1])
	}
	s := must[[]notify.EndpointState](w)(w.acme.Notify().States(w.ctx))
	if len(s) != 1 || s[0].Waiting != many || s[0].Parked != 0 {
		w.Errorf("%+v", s)
	}
}

// testNoticePutOff: what is put off is asked for again by another message, and only by
// one.
func testNoticePutOff(w *noticeWorld) {
	w.endpoint(w.acme, notify.Endpoint{ID: "a", Pace: "1h"})
	w.deliver(w.acme, "a", "d1", "d2", "d3")
	w.told(event.NotifyDeliveries)
	w.attempt("d1", "d1/send/1", notify.Delivered, nil)
	var until []time.Time
	for _, id := range []string{"d2", "d3"} {
		for range 3 { // also where the message comes again, and where nobody's came
			for _, message := range []string{id + "/send/1", ""} {
				_, err := claimDelivery(w.ctx, w.acme, id, message)
				l := new(notify.LaterError)
				if !errors.As(err, &l) {
					w.Fatalf("paced: %v", err)
				}
				until = append(until, l.Until)
			}
		}
	}
	if n := w.waiting(event.NotifyDeliveries); n != 2 {
		w.Errorf("%d messages, want one for each", n)
	}
	// Each has a slot of its own, once.
	for i, u := range until {
		if !u.Equal(until[i/6*6]) {
			w.Errorf("slots %v", until)
		}
	}
	if gap := until[6].Sub(until[0]); gap != time.Hour {
		w.Errorf("%v between two slots", gap)
	}
	w.wantTold("before their time", event.NotifyDeliveries, "")
}

// testNoticeLapsed: what somebody had who vanished, and is put off before anybody swept,
// is asked for once.
func testNoticeLapsed(w *noticeWorld) {
	n := w.acme.Notify()
	w.endpoint(w.acme, notify.Endpoint{ID: "a"})
	for _, message := range []string{"", "again"} {
		id := "d" + message
		w.deliver(w.acme, "a", id, id+"-other")
		must[*notify.Task](w)(n.Claim(w.ctx, &notify.Claim{ID: id, Message: id + "/send/1", Holder: "zombie", Length: time.Second}))
		w.attempt(id+"-other", "", notify.Pending, func(s *notify.Settlement) { s.Rest, s.Retry = 1100*time.Millisecond, time.Hour })
		time.Sleep(1010 * time.Millisecond)
		w.told(event.NotifyDeliveries)
		if message != "" {
			message = id + "/send/1" // the queue gives it again
		}
		_, err := claimDelivery(w.ctx, w.acme, id, message)
		if l := new(notify.LaterError); !errors.As(err, &l) {
			w.Errorf("to one that rests: %v", err)
		}
		if k := must[int](w)(w.root.Sweep(w.ctx)); k != 0 {
			w.Errorf("%d were swept", k)
		}
		time.Sleep(600 * time.Millisecond)
		w.wantTold("after the rest", event.NotifyDeliveries, id+"/send/2")
		d, attempts, err := n.Delivery(w.ctx, id)
		w.ok(err)
		if d.Status != notify.Pending || !d.Duplicate || attempts[0].Outcome != notify.OutcomeUnknown {
			w.Errorf("%+v, %+v", d, attempts)
		}
	}
}

// testNoticeSweep: what somebody had who vanished is asked for again, and he is heard
// until somebody else takes it.
func testNoticeSweep(w *noticeWorld) {
	n := w.acme.Notify()
	w.endpoint(w.acme, notify.Endpoint{ID: "a"})
	w.deliver(w.acme, "a", "d1", "d2")
	w.told(event.NotifyDeliveries)
	var tasks []*notify.Task
	for _, id := range []string{"d1", "d2"} {
		tasks = append(tasks, must[*notify.Task](w)(n.Claim(w.ctx, &notify.Claim{ID: id, Message: id + "/send/1", Holder: "zombie", Length: time.Second})))
	}
	if k := must[int](w)(w.root.Sweep(w.ctx)); k != 0 {
		w.Errorf("%d were given back", k)
	}
	if k := w.waiting(event.NotifyDeliveries); k != 0 {
		w.Errorf("%d messages ask for what is held", k)
	}
	time.Sleep(1050 * time.Millisecond)
	if k := must[int](w)(w.root.Sweep(w.ctx)); k != 2 {
		w.Errorf("%d were given back", k)
	}
	w.wantTold("given back", event.NotifyDeliveries, "d1/send/2 d2/send/2")
	w.wantStatus("given back", "d1:pending:1/1 d2:pending:1/1")
	w.ok(n.Settle(w.ctx, tasks[0], outcome(tasks[0], notify.Delivered)))
	w.ok(n.Settle(w.ctx, tasks[0], outcome(tasks[0], notify.Delivered))) // the answer was lost
	_, err := claimDelivery(w.ctx, w.acme, "d1", "d1/send/2")
	w.wantErr("what was delivered after all", err, notify.ErrConflict)
	other := must[*notify.Task](w)(claimDelivery(w.ctx, w.acme, "d2", "d2/send/2"))
	if !other.Attempt.Duplicate {
		w.Errorf("%+v", other.Attempt)
	}
	w.wantErr("a zombie", n.Settle(w.ctx, tasks[1], outcome(tasks[1], notify.Delivered)), notify.ErrFenced)
	w.ok(n.Settle(w.ctx, other, outcome(other, notify.Delivered)))
	if k := w.waiting(event.NotifyDeliveries); k != 0 {
		w.Errorf("%d messages", k)
	}
	w.wantStatus("in the end", "d1:delivered:1/1 d2:delivered:2/2")
	d, _, err := n.Delivery(w.ctx, "d1")
	w.ok(err)
	if d.Duplicate {
		w.Error("one that was sent once is a duplicate")
	}
}

// testNoticeTurns: a tenant with very many deliveries does not keep others waiting.
func testNoticeTurns(w *noticeWorld) {
	for _, of := range []*store.Tenant{w.acme, w.other} {
		w.endpoint(of, notify.Endpoint{ID: "a"})
	}
	var many []string
	for i := range 60 {
		many = append(many, fmt.Sprintf("d%02d", i))
	}
	w.deliver(w.acme, "a", many...)
	w.deliver(w.other, "a", "o1", "o2")
	y := w.root.Relay(queue.New(w.queue), &store.RelayOptions{Window: 6})
	must[int](w)(y.Step(w.ctx))
	var acme, other int
	for _, m := range w.queue.messages {
		if e := must[*event.Event](w)(event.Decode(m.body)); e.Tenant == "other" {
			other++
		} else {
			acme++
		}
	}
	if acme != 4 || other != 2 {
		w.Errorf("%d of one tenant and %d of the other are on their way", acme, other)
	}
	// What is due is listed by turns as well.
	for _, of := range []*store.Tenant{w.acme, w.other} {
		w.ok(do(w.ctx, of, notify.Work{Groups: many[:1+len(many)*len(of.Name())/8]}, func(s *notify.State) (p notify.Plan) {
			for id := range s.Groups {
				p.Groups = append(p.Groups, notify.Group{ID: id, Window: 1, Due: s.Now.Add(-time.Minute)})
			}
			return p
		}))
	}
	seen := map[string]int{}
	for _, d := range must[[]notify.Due](w)(w.root.NotifyDue(w.ctx, 10)) {
		seen[d.Tenant]++
	}
	if seen["acme"] != 5 || seen["other"] != 5 {
		w.Errorf("due: %v", seen)
	}
	for _, limit := range []int{0, -1, 100_000} {
		_, err := w.root.NotifyDue(w.ctx, limit)
		w.wantErr("a limit that is none", err, store.ErrInvalid)
	}
}

// testNoticeRefuses: what cannot be kept is refused, and nothing of it is.
func testNoticeRefuses(w *noticeWorld) {
	n := w.acme.Notify()
	for what, c := range map[string]struct {
		decide func(*notify.State) notify.Plan
		kind   error
	}{
		"a group that was not read": {func(*notify.State) notify.Plan { return notify.Plan{Groups: []notify.Group{{ID: "x"}}} }, store.ErrInvalid},
		"an item of a group like that": {func(*notify.State) notify.Plan {
			return notify.Plan{Items: []notify.Item{{Key: "k", Group: "x", Notices: []notify.Notice{{}}}}}
		}, store.ErrInvalid},
		"an item without a notice": {func(*notify.State) notify.Plan { return notify.Plan{Items: []notify.Item{{Key: "k", Group: "g"}}} }, store.ErrInvalid},
		"a delivery that is delivered": {func(*notify.State) notify.Plan {
			d := sent("d", "a", time.Time{})
			d.Status = notify.Delivered
			return notify.Plan{Deliveries: []notify.Delivery{d}}
		}, store.ErrInvalid},
		"a delivery without a payload": {func(*notify.State) notify.Plan {
			d := sent("d", "a", time.Time{})
			d.Payload = nil
			return notify.Plan{Deliveries: []notify.Delivery{d}}
		}, store.ErrInvalid},
		"a delivery without an id": {func(*notify.State) notify.Plan {
			return notify.Plan{Deliveries: []notify.Delivery{sent("", "a", time.Time{})}}
		}, store.ErrInvalid},
		"a delivery twice": {func(*notify.State) notify.Plan {
			d := sent("d", "a", time.Time{})
			return notify.Plan{Deliveries: []notify.Delivery{d, d}}
		}, store.ErrInvalid},
		"a payload that has another digest": {func(*notify.State) notify.Plan {
			d := sent("d", "a", time.Time{})
			d.Digest = sum.Of(nil)
			return notify.Plan{Deliveries: []notify.Delivery{d}}
		}, store.ErrInvalid},
		"a payload that is too large": {func(*notify.State) notify.Plan {
			d := sent("d", "a", time.Time{})
			d.Payload.Body = make([]byte, notify.MaxPayload+1)
			return notify.Plan{Deliveries: []notify.Delivery{d}}
		}, store.ErrLimit},
	} {
		err := do(w.ctx, w.acme, notify.Work{Events: []string{"e"}, Groups: []string{"g"}}, c.decide)
		if !errors.Is(err, c.kind) && !strings.Contains(fmt.Sprint(err), "digest") {
			w.Errorf("%s: %v", what, err)
		}
	}
	w.ok(do(w.ctx, w.acme, notify.Work{Events: []string{"e"}}, func(s *notify.State) notify.Plan {
		if s.Done["e"] {
			w.Error("the event of refused work is done")
		}
		return notify.Plan{}
	}))
	w.wantStatus("of refused work", "")
	w.wantErr("a claim that is too long", func() error {
		_, err := n.Claim(w.ctx, &notify.Claim{ID: "d", Holder: "w", Length: time.Hour})
		return err
	}(), store.ErrInvalid)
	w.wantErr("a claim by nobody", func() error { _, err := n.Claim(w.ctx, &notify.Claim{ID: "d", Length: time.Minute}); return err }(), store.ErrInvalid)
	w.wantErr("more events than are decided about at once", n.Do(w.ctx, &notify.Work{Events: make([]string, store.MaxEvents+1)}), store.ErrLimit)
	for what, s := range map[string]*notify.Setting{
		"another kind":                 {Kind: "other", ID: "a", Number: 1, Body: []byte("{}")},
		"a body that is no JSON":       {Kind: notify.SettingRule, ID: "a", Number: 1, Body: []byte("{")},
		"no id":                        {Kind: notify.SettingRule, Number: 1, Body: []byte("{}")},
		"number 0":                     {Kind: notify.SettingRule, ID: "a", Body: []byte("{}")},
		"a preference with another id": {Kind: notify.SettingPreference, ID: "user/a/b", User: "a", Endpoint: "c", Number: 1, Body: []byte("{}")},
		"a preference of nobody":       {Kind: notify.SettingPreference, ID: "user//c", Endpoint: "c", Number: 1, Body: []byte("{}")},
	} {
		w.wantErr(what, n.Set(w.ctx, s), store.ErrInvalid)
	}
	w.wantErr("a large body", n.Set(w.ctx, &notify.Setting{Kind: notify.SettingRule, ID: "a", Number: 1, Body: make([]byte, notify.MaxSetting+1)}), store.ErrLimit)
	if s := must[*notify.Settings](w)(n.Settings(w.ctx)); s.Revision != 0 {
		w.Errorf("%+v", s)
	}
	if diff := cmp.Diff("", w.told(event.NotifyDeliveries)); diff != "" {
		w.Error(diff)
	}
}
