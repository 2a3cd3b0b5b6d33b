package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

// noticeWorld is a store of which two tenants are told something.
type noticeWorld struct {
	*testing.T
	ctx         context.Context
	root        *store.Root
	queue       *collector
	relay       *store.Relay
	acme, other *store.Tenant
}

func newNoticeWorld(t *testing.T, root *store.Root) *noticeWorld {
	w := &noticeWorld{T: t, ctx: t.Context(), root: root, queue: &collector{}, acme: tenant(t, root, "acme"), other: tenant(t, root, "other")}
	w.relay = root.Relay(queue.New(w.queue), &store.RelayOptions{Window: 1 << 20})
	return w
}

func (w *noticeWorld) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *noticeWorld) wantErr(what string, err, kind error) {
	w.Helper()
	if !errors.Is(err, kind) {
		w.Errorf("%s: %v, want %v", what, err, kind)
	}
}

// told lists the ids of messages on a topic that were relayed since it was asked last.
func (w *noticeWorld) told(topic string) string {
	w.Helper()
	relayAll(w, w.relay)
	var out []string
	w.queue.messages = slices.DeleteFunc(w.queue.messages, func(m message) bool {
		if m.topic == topic {
			out = append(out, must[*event.Event](w)(event.Decode(m.body)).ID)
		}
		return m.topic == topic
	})
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (w *noticeWorld) wantTold(what, topic, want string) {
	w.Helper()
	if got := w.told(topic); got != want {
		w.Errorf("%s: %s has %q, want %q", what, topic, got, want)
	}
}

// waiting is how many rows of a topic's outbox somebody still needs.
func (w *noticeWorld) waiting(topic string) int {
	w.Helper()
	b := must[store.Backlog](w)(w.root.Backlog(w.ctx, topic))
	return b.Pending + b.Published
}

func (w *noticeWorld) endpoint(of *store.Tenant, e notify.Endpoint) {
	w.Helper()
	s := &notify.Setting{Kind: notify.SettingEndpoint, ID: e.ID, Number: 1, By: "ann"}
	s.Body = must[[]byte](w)(json.Marshal(e, json.Deterministic(true)))
	if old, err := of.Notify().Setting(w.ctx, s.Kind, s.ID); err == nil {
		s.Number = old.Number + 1
	}
	w.ok(of.Notify().Set(w.ctx, s))
}

// do carries out work by the settings that stand.
func do(ctx context.Context, of *store.Tenant, w notify.Work, decide func(*notify.State) notify.Plan) error {
	s, err := of.Notify().Settings(ctx)
	if err != nil {
		return err
	}
	w.Revision = s.Revision
	w.Decide = func(s *notify.State) (*notify.Plan, error) {
		p := decide(s)
		return &p, nil
	}
	return of.Notify().Do(ctx, &w)
}

func sent(id, endpoint string, due time.Time) notify.Delivery {
	return notify.Delivery{ID: id, Status: notify.Pending, Kind: notify.KindAlert, Rule: "r", Endpoint: endpoint, Group: "g", Window: 1, Title: "title", Severity: "high", Total: 1,
		Payload: &notify.Payload{MediaType: "text/plain", Body: []byte("payload of " + id)}, Due: due}
}

// deliver keeps deliveries that are due at once.
func (w *noticeWorld) deliver(of *store.Tenant, endpoint string, ids ...string) {
	w.Helper()
	w.ok(do(w.ctx, of, notify.Work{}, func(*notify.State) (p notify.Plan) {
		for _, id := range ids {
			p.Deliveries = append(p.Deliveries, sent(id, endpoint, time.Time{}))
		}
		return p
	}))
}

func claimDelivery(ctx context.Context, of *store.Tenant, id, message string) (*notify.Task, error) {
	return of.Notify().Claim(ctx, &notify.Claim{ID: id, Message: message, Holder: "w1", Length: time.Minute})
}

// outcome is what came of an attempt.
func outcome(t *notify.Task, s notify.Status) *notify.Settlement {
	a := t.Attempt
	if a.Outcome = notify.OutcomeRefused; s == notify.Delivered {
		a.Outcome = notify.OutcomeDelivered
	}
	return &notify.Settlement{Attempt: a, Status: s, Reason: "why"}
}

// attempt claims a delivery for a message, and settles it.
func (w *noticeWorld) attempt(id, message string, s notify.Status, more func(*notify.Settlement)) {
	w.Helper()
	t := must[*notify.Task](w)(claimDelivery(w.ctx, w.acme, id, message))
	o := outcome(t, s)
	if more != nil {
		more(o)
	}
	w.ok(w.acme.Notify().Settle(w.ctx, t, o))
}

// status says how deliveries stand, by id.
func (w *noticeWorld) status(of *store.Tenant) string {
	w.Helper()
	p := must[*notify.Page](w)(of.Notify().Deliveries(w.ctx, notify.Query{Limit: 1000}))
	var out []string
	for _, d := range p.Deliveries {
		out = append(out, fmt.Sprintf("%s:%s:%d/%d", d.ID, d.Status, d.Attempt, d.Attempts))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (w *noticeWorld) wantStatus(what, want string) {
	w.Helper()
	if got := w.status(w.acme); got != want {
		w.Errorf("%s: %q, want %q", what, got, want)
	}
}
