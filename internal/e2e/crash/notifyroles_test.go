package crash

import (
	"bufio"
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/channels"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/notify/timeline/folder"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

// alarm is what the processes know that tell people of events. They reach one receiver,
// which is the parent's.
type alarm struct {
	Dir      string // of checkpoints
	Attempts int    // of a delivery; 0 is the default
	Parallel int    // deliveries of a process that nobody kills; others make one at a time
	Flood    int    // endpoints of each tenant; 0 is the world of notifyworld_test.go
}

// alarmTimeout is how long an attempt may take.
const alarmTimeout = 400 * time.Millisecond

// inlineSlot is who sends what it decides itself, where the queue is in the store, and
// inlineParallel how many at a time.
const (
	inlineSlot     = "notify-3"
	inlineParallel = 2
)

// alarmBackoff is when attempts are made.
func (a *alarm) backoff() notify.Backoff {
	return notify.Backoff{Base: 50 * time.Millisecond, Max: 500 * time.Millisecond, Attempts: a.Attempts}
}

// alarmKey signs checkpoints. It is the same in all processes.
func alarmKey() (*dsse.PrivateKey, error) {
	return dsse.NewPrivateKey(ed25519.NewKeyFromSeed([]byte("the key of checkpoints in tests.")))
}

// alarmTopics are what is read.
var alarmTopics = []struct{ topic, group string }{
	{event.ScannerEvents, event.GroupNotify}, {event.ConcelierDrift, event.GroupNotify}, {event.PolicyEvents, event.GroupNotify},
	{event.ScannerEvents, event.GroupTimeline}, {event.ConcelierDrift, event.GroupTimeline}, {event.PolicyEvents, event.GroupTimeline}, {event.NotifyEvents, event.GroupTimeline},
}

// registerAlarm says who reads what. In a flood nobody looks at the timeline.
func registerAlarm(ctx context.Context, root *store.Root, flood bool) error {
	for _, g := range alarmTopics {
		if flood && g.group == event.GroupTimeline {
			continue
		}
		var types []event.Type
		if g.group == event.GroupNotify {
			types = notify.Types()
		}
		if err := register(ctx, root, g.topic, g.group, types...); err != nil {
			return err
		}
	}
	return nil
}

// opener reaches what endpoints name: nobody but the receiver.
func opener(tenant string) notify.Opener {
	return channels.Opener(tenant, &channels.Options{Transport: http.DefaultTransport, Timeout: alarmTimeout, Secret: func(context.Context, string, string) ([]byte, error) {
		return []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), nil
	}})
}

func (c *child) notifyOf(tenant string) (*store.Notify, error) {
	return part(c.root, tenant, (*store.Tenant).Notify)
}

// alarming does a role of those that tell people.
func (c *child) alarming(q *queue.Queue) error {
	if err := registerAlarm(c.ctx, c.root, c.Alarm.Flood > 0); err != nil {
		return err
	}
	openers := map[string]notify.Opener{}
	for _, t := range tenants {
		openers[t] = opener(t)
	}
	open := func(tenant string) notify.Opener { return openers[tenant] }
	deliverer := &notify.Deliverer{
		Queues: func(tenant string) (notify.Queue, error) {
			n, err := c.notifyOf(tenant)
			return &sender{n, c}, err
		},
		Open: open, Holder: c.Name, Now: time.Now, Backoff: c.Alarm.backoff(), Lease: c.Lease, Timeout: alarmTimeout,
	}
	c.say("ready")
	switch c.Role {
	case "submitter":
		return c.announce()
	case "relay":
		return c.root.Relay(q, &store.RelayOptions{Claim: 2 * time.Second, Stale: c.Stale, Sweep: 250 * time.Millisecond, Poll: 50 * time.Millisecond, Window: 256, Report: c.report}).Run(c.ctx)
	case "notify":
		router := &notify.Router{Stores: func(tenant string) (notify.Routes, error) { return c.notifyOf(tenant) }, Open: open, BaseURL: "https://stella.example", Report: c.report}
		if c.Queue == "" && strings.HasPrefix(c.Name, inlineSlot) {
			inline := notify.NewInline(deliverer, inlineParallel, c.report)
			router.Deliver = inline.Deliver
			go inline.Run(c.ctx)
		}
		go router.Run(c.ctx, c.root.NotifyDue, 100*time.Millisecond)
		return c.consumeAll(q, event.GroupNotify, func(string) func(context.Context, []byte) error { return router.Handle })
	case "delivery", "bystander":
		return c.consume(q, event.NotifyDeliveries, event.GroupDeliveryWorkers, deliverer.Handle)
	case "timeline":
		return c.timeline(q)
	case "operator":
		return c.operate()
	}
	return fmt.Errorf("no role is called %q", c.Role)
}

// consumeAll reads all topics of a group.
func (c *child) consumeAll(q *queue.Queue, group string, handler func(topic string) func(context.Context, []byte) error) error {
	failed := make(chan error, len(alarmTopics))
	for _, g := range alarmTopics {
		if g.group == group {
			go func() { failed <- c.consume(q, g.topic, group, handler(g.topic)) }()
		}
	}
	return <-failed
}

// sender tells the parent which attempts were begun, and what the store made of their ends.
type sender struct {
	*store.Notify
	child *child
}

func (s *sender) Claim(ctx context.Context, c *notify.Claim) (*notify.Task, error) {
	t, err := s.Notify.Claim(ctx, c)
	if err == nil && s.child.Signal != 0 {
		s.child.say("claimed", t.Delivery.ID, t.Epoch)
	}
	return t, err
}

func (s *sender) Settle(ctx context.Context, t *notify.Task, o *notify.Settlement) error {
	err := s.Notify.Settle(ctx, t, o)
	switch {
	case errors.Is(err, fault.Fenced):
		s.child.say("fenced", "settle", t.Delivery.ID, t.Epoch)
	case err != nil:
		s.child.say("unsettled", t.Delivery.ID, t.Epoch)
	}
	return err
}

// timeline indexes, and publishes checkpoints.
func (c *child) timeline(q *queue.Queue) error {
	sink, err := folder.New(c.Alarm.Dir)
	if err != nil {
		return err
	}
	for _, name := range tenants {
		p, err := c.publisher(name, sink)
		if err != nil {
			return err
		}
		go func() {
			for ; ; time.Sleep(200 * time.Millisecond) {
				if _, err := p.Publish(c.ctx); err != nil {
					c.report(err)
				}
			}
		}()
	}
	indexer := &timeline.Indexer{Logs: func(tenant string) (timeline.Log, error) { return part(c.root, tenant, (*store.Tenant).Timeline) }}
	return c.consumeAll(q, event.GroupTimeline, indexer.Handler)
}

func (c *child) publisher(tenant string, sink timeline.Sink) (*timeline.Publisher, error) {
	return publisherOf(c.root, tenant, sink)
}

func publisherOf(root *store.Root, tenant string, sink timeline.Sink) (*timeline.Publisher, error) {
	key, err := alarmKey()
	if err != nil {
		return nil, err
	}
	chain, err := part(root, tenant, (*store.Tenant).Timeline)
	return &timeline.Publisher{Tenant: tenant, Source: chain, Sink: sink, Signers: []dsse.Signer{key}, Trust: dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{key.Public()}}, Rows: 20, Every: time.Second}, err
}

// announce commits events until its input ends: each is repeated until it is answered.
func (c *child) announce() error {
	var ended atomic.Bool
	go func() {
		io.Copy(io.Discard, bufio.NewReader(os.Stdin))
		ended.Store(true)
	}()
	for i := c.From; !ended.Load(); i++ {
		h := happening(i)
		t, err := c.root.Tenant(h.tenant)
		if err != nil {
			return err
		}
		c.say("try", i)
		for {
			_, err := t.Once(c.ctx, "test", h.event.ID, func(tx *store.Tx) error { return tx.Announce(h.topic, h.event) })
			if err == nil {
				break
			}
			c.report(err)
			time.Sleep(50 * time.Millisecond)
		}
		c.say("ack", i, h.event.ID, false)
		time.Sleep(c.Pace)
		for i%10 == 0 && !ended.Load() && c.isBusy() {
			time.Sleep(50 * time.Millisecond)
		}
	}
	return nil
}

// isBusy reports whether much is waiting to be sent. Events are consumed by several
// groups, and stay in the outbox.
func (c *child) isBusy() bool {
	events, err := c.root.Backlog(c.ctx, event.ConcelierDrift)
	if err != nil {
		return false
	}
	messages, err := c.root.Backlog(c.ctx, event.NotifyDeliveries)
	return err == nil && events.Pending+messages.Pending+messages.Published > 100
}

// operate does what people do: they change rules that say the same afterwards, use
// endpoints again, have dead messages sent again, take note of incidents, and have old
// bodies deleted.
func (c *child) operate() error {
	for n := 0; ; n++ {
		for _, name := range tenants {
			t, err := c.root.Tenant(name)
			if err != nil {
				return err
			}
			if err := c.tend(t.Notify(), n); err != nil {
				c.report(err)
			}
			if n%5 > 0 || c.Alarm.Flood > 0 {
				continue
			}
			o := &timeline.Order{Before: time.Now().Add(-2 * time.Second), By: "ann", Reason: "old"}
			if _, err := t.Timeline().Prune(c.ctx, o); err != nil {
				c.report(err)
			}
		}
		pause := 200 * time.Millisecond
		if c.Alarm.Flood > 0 {
			pause = time.Second
		}
		time.Sleep(pause)
	}
}

// tend looks after one tenant.
func (c *child) tend(n *store.Notify, round int) error {
	endpoints, err := n.ListSettings(c.ctx, notify.SettingEndpoint, "", "", 500)
	if err != nil {
		return err
	}
	for i := range endpoints {
		if err := enable(c.ctx, n, &endpoints[i]); err != nil {
			return err
		}
	}
	for _, status := range []notify.Status{notify.Dead, notify.Parked} {
		page, err := n.Deliveries(c.ctx, notify.Query{Status: status, Limit: 200})
		if err != nil {
			return err
		}
		for i := range page.Deliveries {
			_, err := n.Replay(c.ctx, page.Deliveries[i].ID, "ann")
			if err != nil && !errors.Is(err, fault.Conflict) {
				return err
			}
			if err == nil {
				c.say("replayed", page.Deliveries[i].ID)
			}
		}
	}
	if c.Alarm.Flood > 0 {
		return nil
	}
	rules, err := n.ListSettings(c.ctx, notify.SettingRule, "", "", 10)
	if err != nil || len(rules) == 0 {
		return err
	}
	r := rules[round%len(rules)]
	r.Number++
	if err := n.Set(c.ctx, &r); err != nil && !errors.Is(err, fault.Conflict) {
		return err
	}
	page, err := n.Deliveries(c.ctx, notify.Query{Rule: "all", Limit: 50})
	if err != nil {
		return err
	}
	for _, d := range page.Deliveries {
		// Of some nobody takes note until others were told.
		if d.Incident == d.ID && (d.ID[len(d.ID)-1]%2 == 0 || time.Since(d.Created) > 2*time.Second) {
			if _, err := n.Acknowledge(c.ctx, d.ID, "ann", "on it"); err != nil {
				return err
			}
		}
	}
	return nil
}

// enable has an endpoint used again that was gone.
func enable(ctx context.Context, n *store.Notify, s *notify.Setting) error {
	var set notify.Settings
	if err := set.Read(notify.SettingEndpoint, s.Body); err != nil {
		return err
	}
	e := set.Endpoints[0]
	if !e.Disabled {
		return nil
	}
	e.Disabled = false
	err := setting(ctx, n, notify.SettingEndpoint, e.ID, &e)
	if errors.Is(err, fault.Conflict) {
		return nil
	}
	return err
}

// checkpoints is the folder of checkpoints below another one.
func checkpoints(dir string) string { return filepath.Join(dir, "checkpoints") }

// parallel is how many messages a process handles at a time.
func (c *child) parallel() int {
	switch {
	case c.Role == "worker" || c.Role == "delivery":
		return 1 // each kill is to hit one job
	case c.Role == "bystander":
		return cmp.Or(c.Alarm.Parallel, 2)
	case c.Alarm != nil:
		return 8
	}
	return 2
}
