package loops

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify"
	"github.com/stella-ops/stella/notify/channels"
	"github.com/stella-ops/stella/notify/notifytest"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/notify/timeline/verify"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
)

// TestNotifySchedule holds the schedule of deliveries against what another program, in
// another language, made of the same ids.
func TestNotifySchedule(t *testing.T) {
	const want = "f60661dca6a60d34082876113b473c20a641299bec75a836148649d24063a75a"
	schedule := func() string {
		h := sha256.New()
		for i := range 100_000 {
			id := fmt.Sprintf("dlv-%032x", i)
			for n := range notify.DefaultAttempts {
				h.Write(binary.BigEndian.AppendUint64(nil, uint64(notify.Backoff{}.After(id, n+1))))
			}
		}
		return hex.EncodeToString(h.Sum(nil))
	}
	if one, other := schedule(), schedule(); one != other || one != want {
		t.Errorf("the schedule is %s, and then %s; it was %s", one, other, want)
	}
}

// fakeSlack takes a message in each span of time for a channel, and a second one that
// comes a little early because of the way; everybody else is told to come later.
type fakeSlack struct {
	pace    time.Duration
	mu      sync.Mutex
	full    map[string]time.Time // by channel: until when what came takes
	taken   map[string]int       // by the message's id
	refused int
}

func (s *fakeSlack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Channel  string
		Metadata struct {
			Payload map[string]any `json:"event_payload"`
		}
	}
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if full := s.full[body.Channel]; full.Sub(now) > s.pace {
		s.refused++
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	} else if full.Before(now) {
		s.full[body.Channel] = now
	}
	s.full[body.Channel] = s.full[body.Channel].Add(s.pace)
	s.taken[fmt.Sprint(body.Metadata.Payload)]++
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"ok":true,"channel":%q,"ts":"1.%d"}`, body.Channel, len(s.taken))
}

// TestNotifySlack has very many events at once for a channel of Slack that takes a message
// at a time: by themselves, all arrive and next to none is refused; grouped, they are a few
// messages. The second of Slack is shorter here.
func TestNotifySlack(t *testing.T) {
	each, together := 150, 1000
	if servers.Long() {
		each = 1000
	}
	engines(t, func(t *testing.T, storeURL, queueURL string) {
		if queueURL != "" && !servers.Long() {
			t.Skip("without STELLA_LONG=1 the embedded store is enough")
		}
		const pace = 40 * time.Millisecond
		a := newAlarm(t, storeURL, queueURL, 2, nil)
		slack := &fakeSlack{pace: pace, full: map[string]time.Time{}, taken: map[string]int{}}
		server := httptest.NewServer(slack)
		t.Cleanup(server.Close)
		for tenant, rule := range map[string]notify.Rule{"alpha": {GroupBy: notify.GroupNone}, "beta": {GroupBy: notify.GroupRule, Throttle: "2s"}} {
			rule.ID, rule.To = "all", []notify.Target{{Endpoint: "slack"}}
			a.set(tenant, notify.SettingEndpoint, "slack", notify.Endpoint{ID: "slack", Type: "slack", URL: server.URL + "/api/chat.postMessage", To: "C-" + tenant, Secrets: map[string]string{"token": "xoxb"}, Pace: pace.String()})
			a.set(tenant, notify.SettingRule, "all", rule)
		}
		var all sync.WaitGroup
		for tenant, n := range map[string]int{"alpha": each, "beta": together} {
			all.Go(func() {
				for i := range n {
					a.announce(tenant, event.ConcelierDrift, driftOf(fmt.Sprint("drift/", i), fmt.Sprint("CVE-2026-", i), "ann", "alpine:3"))
				}
			})
		}
		all.Wait()
		for tenant, n := range map[string]int{"alpha": each, "beta": together} {
			a.until(tenant+" is told", 3*time.Minute, func() bool {
				sum := 0
				for _, d := range a.deliveries(tenant) {
					if d.Status == notify.Delivered {
						sum += d.Total
					}
				}
				return sum == n
			})
		}
		alpha, beta := a.deliveries("alpha"), a.deliveries("beta")
		slack.mu.Lock()
		defer slack.mu.Unlock()
		for id, n := range slack.taken {
			if n != 1 {
				t.Errorf("%s came %d times", id, n)
			}
		}
		sent := len(alpha) + len(beta)
		if len(alpha) != each || len(beta) > 1+int(time.Minute/(2*time.Second)) || len(slack.taken) != sent || slack.refused*100 > sent {
			t.Errorf("%d and %d messages, %d taken and %d refused", len(alpha), len(beta), len(slack.taken), slack.refused)
		}
		a.paced("alpha", alpha, pace)
		t.Logf("%d events in %d messages, %d in %d; %d refused", each, len(alpha), together, len(beta), slack.refused)
	})
}

// paced wants attempts at an endpoint to have begun no closer to each other than its pace.
func (a *alarm) paced(tenant string, list []notify.Delivery, pace time.Duration) {
	var began []time.Time
	for _, d := range list {
		_, attempts, err := a.tenant(tenant).Notify().Delivery(a.Context(), d.ID)
		if err != nil {
			a.Fatal(err)
		}
		for _, t := range attempts {
			began = append(began, t.Started)
		}
	}
	slices.SortFunc(began, time.Time.Compare)
	for i := 1; i < len(began); i++ {
		if between := began[i].Sub(began[i-1]); between < pace {
			a.Errorf("two attempts began within %v", between)
		}
	}
}

// sworn is what one process does for one tenant, all by hand: what a queue does again after
// an error is done again here.
type sworn struct {
	*testing.T
	root     *store.Root
	tenant   string
	receiver *notifytest.Receiver
	faults   []error
}

// again does something until it works, as a queue or a person would.
func (s *sworn) again(what string, do func() error) {
	s.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := do()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			s.Fatalf("%s: %v", what, err)
		}
		s.faults = append(s.faults, fmt.Errorf("%s: %w", what, err))
	}
}

func (s *sworn) notify() *store.Notify {
	t, err := s.root.Tenant(s.tenant)
	if err != nil {
		s.Fatal(err)
	}
	return t.Notify()
}

func (s *sworn) timeline() *store.Timeline {
	t, err := s.root.Tenant(s.tenant)
	if err != nil {
		s.Fatal(err)
	}
	return t.Timeline()
}

// set keeps a setting, once.
func (s *sworn) set(kind notify.SettingKind, id string, v any) {
	s.Helper()
	body, err := json.Marshal(v)
	if err == nil {
		body, err = notify.Check(kind, body)
	}
	if err != nil {
		s.Fatal(err)
	}
	s.again("set "+id, func() error {
		err := s.notify().Set(s.Context(), &notify.Setting{Kind: kind, ID: id, Number: 1, Body: body, By: "ann"})
		if errors.Is(err, notify.ErrConflict) {
			s.Errorf("setting %s is there twice: %v", id, err)
			return nil
		}
		return err
	})
}

// work tells two endpoints of two events, one of which is refused for good, sent again and
// taken note of, and indexes everything.
func (s *sworn) work() {
	for _, id := range []string{"one", "other"} {
		s.set(notify.SettingEndpoint, id, notify.Endpoint{ID: id, Type: "webhook", URL: s.receiver.URL() + "/" + id, Secrets: map[string]string{"signing": "hook"}})
	}
	s.set(notify.SettingRule, "all", notify.Rule{ID: "all", GroupBy: notify.GroupNone, To: []notify.Target{{Endpoint: "one"}, {Endpoint: "other"}}, Escalation: []notify.Step{{After: "1h", To: []notify.Target{{Endpoint: "one"}}}}})
	open := channels.Opener(s.tenant, &channels.Options{Transport: s.receiver.Transport(), Timeout: time.Second, Secret: func(context.Context, string, string) ([]byte, error) {
		return []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), nil
	}})
	router := &notify.Router{Stores: func(string) (notify.Routes, error) { return s.notify(), nil }, Open: func(string) notify.Opener { return open }}
	deliverer := &notify.Deliverer{Queues: func(string) (notify.Queue, error) { return s.notify(), nil }, Open: func(string) notify.Opener { return open }, Holder: "node", Now: time.Now,
		Backoff: notify.Backoff{Base: 20 * time.Millisecond}, Lease: time.Second}
	indexer := &timeline.Indexer{Logs: func(string) (timeline.Log, error) { return s.timeline(), nil }}
	s.receiver.Do(notifytest.Behaviour{Status: http.StatusRequestEntityTooLarge}, notifytest.Behaviour{Action: notifytest.ResetTaken})
	for i := range 2 {
		e := driftOf(fmt.Sprint("drift/", i), fmt.Sprint("CVE-2026-", i), "ann", "alpine:3")
		e.Tenant, e.Source, e.Time = s.tenant, "test", time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
		body, err := e.Encode()
		if err != nil {
			s.Fatal(err)
		}
		s.again("route", func() error { return router.Handle(s.Context(), body) })
		s.again("index", func() error { return indexer.Handle(s.Context(), event.ConcelierDrift, body) })
	}
	for _, d := range s.all() {
		s.deliver(deliverer, d.ID)
	}
	for _, d := range s.all() {
		if d.Incident == d.ID {
			s.again("take note", func() error { _, err := s.notify().Acknowledge(s.Context(), d.ID, "ann", ""); return err })
		}
	}
}

// deliver has a message sent until it is delivered.
func (s *sworn) deliver(d *notify.Deliverer, id string) {
	s.again("deliver", func() error {
		_, err := d.Deliver(s.Context(), s.tenant, id)
		if err != nil && !errors.Is(err, notify.ErrConflict) { // it is done already
			return err
		}
		now, _, err := s.notify().Delivery(s.Context(), id)
		if err == nil && now.Status == notify.Dead {
			_, err = s.notify().Replay(s.Context(), id, "ann")
			if errors.Is(err, notify.ErrConflict) {
				s.Errorf("%s was sent again before: %v", id, err)
			}
		}
		if err == nil && now.Status != notify.Delivered {
			err = fmt.Errorf("it is %s: %w", now.Status, fault.Unavailable)
		}
		return err
	})
}

func (s *sworn) all() (out []notify.Delivery) {
	s.again("list", func() error {
		p, err := s.notify().Deliveries(s.Context(), notify.Query{Limit: 1000})
		if err == nil {
			out = p.Deliveries
		}
		return err
	})
	return out
}

// check wants everything once.
func (s *sworn) check() {
	list := s.all()
	if len(list) != 4 {
		s.Errorf("%d messages, want 4", len(list))
	}
	taken := s.receiver.Taken()
	for _, d := range list {
		_, attempts, err := s.notify().Delivery(s.Context(), d.ID)
		if err != nil {
			s.Fatal(err)
		}
		unknown := 0
		for _, a := range attempts {
			if a.Outcome == notify.OutcomeOpen {
				s.Errorf("attempt %d of %s is open", a.Number, d.ID)
			}
			if a.Outcome == notify.OutcomeUnknown {
				unknown++
			}
		}
		if d.Status != notify.Delivered || taken[d.ID] < 1 || taken[d.ID] > 1+unknown {
			s.Errorf("%s is %s, was taken %d times, and of %d attempts nobody knows", d.ID, d.Status, taken[d.ID], unknown)
		}
		if i, err := s.notify().Incident(s.Context(), d.Incident); err != nil || i.Acknowledged.IsZero() || !i.Due.IsZero() {
			s.Errorf("incident %s: %+v, %v", d.Incident, i, err)
		}
		if items, err := s.notify().Items(s.Context(), d.ID, "", 10); err != nil || len(items) != 1 {
			s.Errorf("%s tells of %d events, %v", d.ID, len(items), err)
		}
	}
	if bad := s.receiver.Unflagged(); len(bad) > 0 {
		s.Errorf("taken again without a flag: %v", bad)
	}
	var export bytes.Buffer
	if err := timeline.Export(s.Context(), &export, s.tenant, s.timeline(), 0); err != nil {
		s.Error(err)
	}
	if r, err := verify.Verify(&export, &verify.Options{Tenant: s.tenant}); err != nil || r.Last != 2 {
		s.Errorf("the timeline: %+v, %v", r, err)
	}
}

// TestNotifyCommits has the answer of each commit of notifications and of the timeline lost
// on its way from PostgreSQL, one after the other: what follows is what follows without
// that.
func TestNotifyCommits(t *testing.T) {
	if testing.Short() {
		t.Skip("it needs PostgreSQL")
	}
	way, through := servers.Sever(t, servers.PostgresStore(t).App)
	way.Left.Store(1 << 40)
	root, err := store.Open(t.Context(), through)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	step := int64(3)
	if servers.Long() {
		step = 1
	}
	nth := int64(1)
	for ; ; nth += step {
		s := &sworn{T: t, root: root, tenant: fmt.Sprint("tenant-", nth), receiver: notifytest.NewReceiver(t, &notifytest.ReceiverOptions{Plain: true})}
		before := way.Cut.Load()
		way.Left.Store(nth)
		s.work()
		reached := way.Left.Swap(1<<40) <= 0
		s.check()
		if t.Failed() {
			t.Fatalf("commit %d; %v", nth, s.faults)
		}
		if !reached {
			break
		}
		if way.Cut.Load() == before {
			t.Errorf("commit %d: no answer was lost", nth)
		}
	}
	t.Logf("%d answers were lost, of about %d commits", way.Cut.Load(), nth)
	if way.Cut.Load() < 4 {
		t.Error("too few commits")
	}
}
