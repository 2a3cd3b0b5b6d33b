package loops

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/e2e/world"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/channels"
	"github.com/stella-ops/stella/notify/notifytest"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

// alarm is a store with a queue on which several processes' worth of routers, deliverers
// and indexers work.
type alarm struct {
	testing.TB
	root     *store.Root // of no process
	receiver *notifytest.Receiver
	ctx      context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu     sync.Mutex
	faults []string
}

// alarmTopics are what the workers read.
var alarmTopics = []struct{ topic, group string }{
	{event.ScannerEvents, event.GroupNotify}, {event.ConcelierDrift, event.GroupNotify}, {event.PolicyEvents, event.GroupNotify},
	{event.ScannerEvents, event.GroupTimeline}, {event.ConcelierDrift, event.GroupTimeline}, {event.PolicyEvents, event.GroupTimeline}, {event.NotifyEvents, event.GroupTimeline},
	{event.NotifyDeliveries, event.GroupDeliveryWorkers},
}

func newAlarm(t testing.TB, storeURL, queueURL string, nodes int, o *notifytest.ReceiverOptions) *alarm {
	a := &alarm{TB: t, receiver: notifytest.NewReceiver(t, o)}
	a.ctx, a.stop = context.WithCancel(t.Context())
	t.Cleanup(func() { a.stop(); a.running.Wait() })
	a.root = a.open(storeURL)
	for _, g := range alarmTopics[:len(alarmTopics)-1] { // the last is always registered
		var types []event.Type
		if g.group == event.GroupNotify {
			types = notify.Types()
		}
		if err := a.root.Register(t.Context(), g.topic, g.group, types...); err != nil {
			t.Fatal(err)
		}
	}
	for i := range nodes {
		a.start(fmt.Sprint("node-", i), storeURL, queueURL)
	}
	return a
}

func (a *alarm) open(url string) *store.Root {
	root, err := store.Open(a.Context(), url)
	if err != nil {
		a.Fatal(err)
	}
	a.Cleanup(func() { root.Close() })
	return root
}

func (a *alarm) report(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.faults) < 20 {
		a.faults = append(a.faults, err.Error())
	}
}

// opener reaches the receiver and nobody else.
func (a *alarm) opener(tenant string) notify.Opener {
	return channels.Opener(tenant, &channels.Options{Transport: a.receiver.Transport(), Timeout: 2 * time.Second, Secret: func(_ context.Context, _, ref string) ([]byte, error) {
		if ref == "url" {
			return []byte(a.receiver.URL()), nil
		}
		return []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), nil
	}})
}

// start starts what one process runs.
func (a *alarm) start(name, storeURL, queueURL string) {
	root := a.open(storeURL)
	messages := queue.New(root.QueueDriver())
	if queueURL != "" {
		var err error
		if messages, err = queue.Open(a.Context(), queueURL); err != nil {
			a.Fatal(err)
		}
		a.Cleanup(func() { messages.Close() })
	}
	open := map[string]notify.Opener{}
	for _, t := range []string{"alpha", "beta"} {
		open[t] = a.opener(t)
	}
	opener := func(tenant string) notify.Opener { return open[tenant] }
	router := &notify.Router{
		Stores: func(tenant string) (notify.Routes, error) { return world.Part(root, tenant, (*store.Tenant).Notify) },
		Open:   opener, BaseURL: "https://stella.example", Report: a.report,
	}
	deliverer := &notify.Deliverer{
		Pace:   channels.Pace,
		Queues: func(tenant string) (notify.Queue, error) { return world.Part(root, tenant, (*store.Tenant).Notify) },
		Open:   opener, Holder: name, Now: time.Now, Backoff: notify.Backoff{Base: 50 * time.Millisecond, Max: time.Second},
	}
	if queueURL == "" { // embedded: the same process sends
		inline := notify.NewInline(deliverer, 16, a.report)
		router.Deliver = inline.Deliver
		a.running.Go(func() { inline.Run(a.ctx) })
	}
	indexer := &timeline.Indexer{Logs: func(tenant string) (timeline.Log, error) { return world.Part(root, tenant, (*store.Tenant).Timeline) }}
	handler := func(topic, group string) func(context.Context, []byte) error {
		switch group {
		case event.GroupNotify:
			return router.Handle
		case event.GroupTimeline:
			return indexer.Handler(topic)
		}
		return deliverer.Handle
	}
	for _, g := range alarmTopics {
		group, err := messages.Group(a.Context(), g.topic, g.group)
		if err != nil {
			a.Fatal(err)
		}
		a.running.Go(func() {
			_ = queue.Consume(a.ctx, group, handler(g.topic, g.group), &queue.Options{Consumer: name, Parallel: 16, Report: a.report})
		})
	}
	a.running.Go(func() {
		_ = root.Relay(messages, &store.RelayOptions{Poll: 20 * time.Millisecond, Window: 512, Report: a.report}).Run(a.ctx)
	})
	a.running.Go(func() { router.Run(a.ctx, root.NotifyDue, 100*time.Millisecond) })
}

func (a *alarm) tenant(name string) *store.Tenant {
	t, err := a.root.Tenant(name)
	if err != nil {
		a.Fatal(err)
	}
	return t
}

// set keeps a setting of a tenant.
func (a *alarm) set(tenant string, kind notify.SettingKind, id string, v any) {
	a.Helper()
	desk := a.tenant(tenant).Notify()
	body, err := json.Marshal(v)
	if err == nil {
		body, err = notify.Check(kind, body)
	}
	s := &notify.Setting{Kind: kind, ID: id, Number: 1, Body: body, By: "ann"}
	if old, oldErr := desk.Setting(a.Context(), kind, id); oldErr == nil {
		s.Number = old.Number + 1
	}
	if kind == notify.SettingPreference {
		_, rest, _ := strings.Cut(id, "/")
		s.User, s.Endpoint, _ = strings.Cut(rest, "/")
	}
	if err == nil {
		err = desk.Set(a.Context(), s)
	}
	if err != nil {
		a.Fatal(err)
	}
}

// announce commits an event.
func (a *alarm) announce(tenant, topic string, e event.Event) {
	a.Helper()
	e.Source = "test"
	_, err := a.tenant(tenant).Once(a.Context(), "test", e.ID, func(tx *store.Tx) error { return tx.Announce(topic, e) })
	if err != nil {
		a.Fatal(err)
	}
}

func driftOf(id, vulnerability, owner string, images ...string) event.Event {
	d := event.Drift{Head: 1, Vulnerability: vulnerability, Cause: "new", Severity: "critical", Exploited: "no", Fixed: "yes"}
	for _, image := range images {
		d.Scans = append(d.Scans, event.DriftScan{ScanID: "scan-" + image, ImageRef: image, Owner: owner})
	}
	body, err := d.Encode()
	if err != nil {
		panic(err)
	}
	return event.Event{ID: id, Type: event.AdvisoryDrift, Data: body}
}

// until waits for something.
func (a *alarm) until(what string, limit time.Duration, done func() bool) {
	a.Helper()
	for end := time.Now().Add(limit); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.Fatalf("%s: not within %v; reported: %q", what, limit, a.faults)
		}
	}
}

// deliveries are all of a tenant.
func (a *alarm) deliveries(tenant string) []notify.Delivery {
	a.Helper()
	var out []notify.Delivery
	for q := (notify.Query{Limit: 1000}); ; {
		p, err := a.tenant(tenant).Notify().Deliveries(a.Context(), q)
		if err != nil {
			a.Fatal(err)
		}
		out = append(out, p.Deliveries...)
		if q.After = p.Next; q.After == "" {
			return out
		}
	}
}

// indexed is how many rows the timeline of a tenant has.
func (a *alarm) indexed(tenant string) int {
	a.Helper()
	h, err := a.tenant(tenant).Timeline().Head(a.Context())
	if err != nil {
		a.Fatal(err)
	}
	return int(h.Seq)
}

// benchEngines is engines for a benchmark.
func benchEngines(b *testing.B, bench func(b *testing.B, storeURL, queueURL string)) {
	b.Run("Embedded", func(b *testing.B) { bench(b, "sqlite:"+b.TempDir()+"/stella.db", "") })
	b.Run("PostgresValkey", func(b *testing.B) {
		bench(b, servers.PostgresStore(b).App, servers.Valkey(b)+"?prefix=alarm-"+fmt.Sprintf("%x", time.Now().UnixNano()))
	})
}

// engines runs a test on the embedded store with its own queue, and on PostgreSQL with
// Valkey.
func engines(t *testing.T, test func(t *testing.T, storeURL, queueURL string)) {
	t.Run("Embedded", func(t *testing.T) { test(t, "sqlite:"+t.TempDir()+"/stella.db", "") })
	t.Run("PostgresValkey", func(t *testing.T) {
		test(t, servers.PostgresStore(t).App, servers.Valkey(t)+"?prefix=alarm-"+fmt.Sprintf("%x", time.Now().UnixNano()))
	})
}

// TestNotifyLoop has one vulnerability turn up in 10,000 images of one tenant, and some of
// another, with several routers and deliverers. Each channel gets one message at once and
// one for the rest; all images are in their lists; owners hear of their own; and the
// timeline has every event, and what became of each message.
func TestNotifyLoop(t *testing.T) {
	engines(t, func(t *testing.T, storeURL, queueURL string) {
		a := newAlarm(t, storeURL, queueURL, 2, nil)
		for _, tenant := range []string{"alpha", "beta"} {
			a.set(tenant, notify.SettingEndpoint, "hook", notify.Endpoint{ID: "hook", Type: "webhook", URL: a.receiver.URL() + "/" + tenant, Secrets: map[string]string{"signing": "hook"}})
			a.set(tenant, notify.SettingRule, "all", notify.Rule{ID: "all", To: []notify.Target{{Endpoint: "hook"}}, Throttle: "3s"})
		}
		a.set("beta", notify.SettingPreference, "user/bob/hook", notify.Rule{ID: "user/bob/hook", Owner: "bob", To: []notify.Target{{Endpoint: "hook"}}}) // the same receiver
		const events = 20
		for e := range events {
			var images []string
			for i := range event.MaxScans {
				images = append(images, fmt.Sprintf("ghcr.io/alpha/app-%d-%d:1", e, i))
			}
			a.announce("alpha", event.ConcelierDrift, driftOf(fmt.Sprint("drift/", e), "CVE-2026-1", "ann", images...))
		}
		a.announce("beta", event.ConcelierDrift, driftOf("drift/0", "CVE-2026-1", "bob", "alpine:latest"))
		told := func(tenant string, total int) func() bool {
			return func() bool {
				sum := 0
				for _, d := range a.deliveries(tenant) {
					if d.Status == notify.Delivered {
						sum += d.Total
					}
				}
				return sum >= total
			}
		}
		a.until("alpha is told", time.Minute, told("alpha", events*event.MaxScans))
		a.until("beta is told", time.Minute, told("beta", 1))
		a.check("alpha", events*event.MaxScans)
		if got := titles(a.deliveries("beta")); !slices.Equal(got, []string{"New critical CVE-2026-1 affects alpine:latest scan"}) {
			t.Errorf("beta: %q", got)
		}
		for id, n := range a.receiver.Taken() {
			if n != 1 {
				t.Errorf("%s came %d times", id, n)
			}
		}
		a.until("the timeline is there", time.Minute, func() bool { return a.indexed("alpha") == events+len(a.deliveries("alpha")) })
	})
}

// check holds what a tenant was told against what happened: few messages, and every image
// in their lists once.
func (a *alarm) check(tenant string, images int) {
	a.Helper()
	list := a.deliveries(tenant)
	if len(list) > 5 {
		a.Errorf("%d messages for one vulnerability: %q", len(list), titles(list))
	}
	seen := map[string]int{}
	for _, d := range list {
		for after := ""; ; {
			items, err := a.tenant(tenant).Notify().Items(a.Context(), d.ID, after, 7)
			if err != nil {
				a.Fatal(err)
			}
			for _, i := range items {
				after = i.Key
				for _, n := range i.Notices {
					seen[n.Image]++
				}
			}
			if len(items) == 0 {
				break
			}
		}
	}
	if len(seen) != images {
		a.Errorf("%d images are listed, want %d", len(seen), images)
	}
	for image, n := range seen {
		if n != 1 {
			a.Errorf("%s is listed %d times", image, n)
		}
	}
}

func titles(list []notify.Delivery) []string {
	var out []string
	for _, d := range list {
		out = append(out, d.Title)
	}
	return out
}
