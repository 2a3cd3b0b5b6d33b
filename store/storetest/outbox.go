package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

func memory(t testing.TB) *queue.Queue {
	q := must[*queue.Queue](t)(queue.Open(t.Context(), "mem:"))
	t.Cleanup(func() { q.Close() })
	return q
}

// relayAll relays until there is nothing to relay now.
func relayAll(t testing.TB, y *store.Relay) (n int) {
	t.Helper()
	for {
		k, err := y.Step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if k == 0 {
			return n
		}
		n += k
	}
}

// drain reads what a group of a topic has now, acknowledged.
func drain(t testing.TB, q *queue.Queue, topic, group string) []*event.Event {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	g := must[*queue.Group](t)(q.Group(ctx, topic, group))
	var out []*event.Event
	idle := time.AfterFunc(300*time.Millisecond, cancel)
	err := queue.Consume(ctx, g, func(_ context.Context, body []byte) error {
		idle.Reset(300 * time.Millisecond)
		e, err := event.Decode(body)
		out = append(out, e)
		return err
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func ids(events []*event.Event) []string {
	var out []string
	for _, e := range events {
		out = append(out, e.ID)
	}
	slices.Sort(out)
	return out
}

// testOutbox follows a job and reads what is announced about it.
func testOutbox(t *testing.T, root *store.Root) {
	q := memory(t)
	y := root.Relay(q, nil)
	j := completed(t, tenant(t, root, "acme").Scans(), "a")
	if n := relayAll(t, y); n < 4 {
		t.Errorf("relayed %d rows", n)
	}
	events := drain(t, q, event.ScannerEvents, "test")
	want := []string{j.ID + "/completed", j.ID + "/queued", j.ID + "/sbom", j.ID + "/started/1"}
	if diff := cmp.Diff(want, ids(events)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	for _, e := range events {
		s := must[*event.Scan](t)(event.DecodeScan(e))
		if e.Tenant != "acme" || e.Source != "scanner" || e.Time.IsZero() || s.JobID != j.ID || s.ImageRef != "a" {
			t.Errorf("event %s: %+v, %+v", e.ID, e, s)
		}
		if e.Type == event.ScanCompleted && (s.Status != "completed" || s.Verdict != "sha256:v" || s.Outcome != "pass" || s.Findings != 2 || s.Snapshot != "sha256:snap") {
			t.Errorf("completed: %+v", s)
		}
	}
	// The job was claimed before its message was relayed: nobody needs it.
	if jobs := drain(t, q, event.ScannerJobs, event.GroupScannerWorkers); len(jobs) != 0 {
		t.Errorf("messages of a job that has ended: %q", ids(jobs))
	}
	if n := relayAll(t, y); n != 0 {
		t.Errorf("relayed %d rows again", n)
	}
	k := submit(t, tenant(t, root, "acme").Scans(), "b")
	relayAll(t, y)
	if jobs := drain(t, q, event.ScannerJobs, event.GroupScannerWorkers); len(jobs) != 1 || jobs[0].Type != event.ScanJob || jobs[0].ID != k.ID+"/job/1" {
		t.Errorf("job messages: %q", ids(jobs))
	}
}

// testRelayRace runs several relays at once: every row is published, and without
// a crash none twice.
func testRelayRace(t *testing.T, root *store.Root) {
	q := memory(t)
	s := tenant(t, root, "acme").Scans()
	const jobs = 60
	for i := range jobs {
		submit(t, s, fmt.Sprint("image-", i))
	}
	var wg sync.WaitGroup
	for range 3 {
		y := root.Relay(q, &store.RelayOptions{Batch: 7, Window: 1000})
		wg.Go(func() {
			for idle := 0; idle < 3; {
				n, err := y.Step(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if idle++; n > 0 {
					idle = 0
				}
			}
		})
	}
	wg.Wait()
	for topic, group := range map[string]string{event.ScannerEvents: "test", event.ScannerJobs: event.GroupScannerWorkers} {
		got := ids(drain(t, q, topic, group))
		if once := len(slices.Compact(slices.Clone(got))); once != jobs || len(got) != jobs {
			t.Errorf("%s: %d messages, %d different, want %d", topic, len(got), once, jobs)
		}
	}
}

// testFairness gives one tenant a thousand jobs and another one three.
func testFairness(t *testing.T, root *store.Root) {
	q := memory(t)
	greedy, modest := tenant(t, root, "greedy").Scans(), tenant(t, root, "modest").Scans()
	for i := range 100 {
		submit(t, greedy, fmt.Sprint("g", i))
	}
	for i := range 3 {
		submit(t, modest, fmt.Sprint("m", i))
	}
	high := scan.MaxPriority
	urgent, _, err := greedy.Submit(t.Context(), scan.Request{Image: "urgent", Priority: &high}, "")
	if err != nil {
		t.Fatal(err)
	}
	y := root.Relay(q, &store.RelayOptions{Window: 7})
	relayAll(t, y)
	var modests, urgents int
	jobs := drain(t, q, event.ScannerJobs, event.GroupScannerWorkers)
	for _, e := range jobs {
		s := must[*event.Scan](t)(event.DecodeScan(e))
		if strings.HasPrefix(s.ImageRef, "m") {
			modests++
		}
		if s.JobID == urgent.ID {
			urgents++
		}
	}
	if len(jobs) != 7 || modests != 3 || urgents != 1 {
		t.Errorf("of the first %d jobs %d are of the modest tenant and %d urgent; want 7, 3, 1", len(jobs), modests, urgents)
	}
}

// testTurns gives many tenants more jobs than a window has room for: each gets its
// turn before anybody gets another one.
func testTurns(t *testing.T, root *store.Root) {
	const tenants, window = 25, 4
	for i := range tenants {
		s := tenant(t, root, fmt.Sprintf("t%02d", i)).Scans()
		for range 2 {
			submit(t, s, "image")
		}
	}
	q := memory(t)
	y := root.Relay(q, &store.RelayOptions{Window: window})
	served := map[string]int{}
	for range 2 * tenants / window {
		relayAll(t, y)
		for _, e := range drain(t, q, event.ScannerJobs, event.GroupScannerWorkers) {
			served[e.Tenant]++
			s := must[*event.Scan](t)(event.DecodeScan(e))
			c := scan.ClaimRequest{JobID: s.JobID, Holder: "w", Message: e.ID, Length: 15 * time.Second}
			must[*scan.Lease](t)(tenant(t, root, e.Tenant).Scans().Claim(t.Context(), c))
		}
		least, most := 2, 0
		for i := range tenants {
			n := served[fmt.Sprintf("t%02d", i)]
			least, most = min(least, n), max(most, n)
		}
		if most-least > 1 {
			t.Fatalf("one tenant had %d turns and another %d: %v", most, least, served)
		}
	}
}

func testWindow(t *testing.T, root *store.Root) {
	q := memory(t)
	s := tenant(t, root, "acme").Scans()
	var all []*scan.Job
	for i := range 5 {
		all = append(all, submit(t, s, fmt.Sprint("i", i)))
	}
	y := root.Relay(q, &store.RelayOptions{Window: 2})
	relayAll(t, y)
	first := drain(t, q, event.ScannerJobs, event.GroupScannerWorkers)
	if len(first) != 2 {
		t.Fatalf("%d jobs in a window of 2", len(first))
	}
	// A claim makes room; so does a cancellation.
	claim(t, s, all[0])
	if _, err := s.Cancel(t.Context(), all[1].ID, ""); err != nil {
		t.Fatal(err)
	}
	relayAll(t, y)
	if second := drain(t, q, event.ScannerJobs, event.GroupScannerWorkers); len(second) != 2 {
		t.Errorf("%d jobs after two left the window", len(second))
	}
}

// forgetful is a queue that can lose everything.
type forgetful struct {
	queue.Driver
	mu          sync.Mutex
	incarnation string
	published   []string
	groups      []string // made since the last loss
}

func (f *forgetful) Publish(_ context.Context, _ string, messages []queue.Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range messages {
		f.published = append(f.published, m.ID)
	}
	return nil
}

func (f *forgetful) Subscribe(_ context.Context, topic, group string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.groups = append(f.groups, topic+" "+group)
	return nil
}

func (f *forgetful) Incarnation(context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.incarnation, nil
}

// testRecover loses the queue: what was not consumed is published again, and
// nothing else.
func testRecover(t *testing.T, root *store.Root) {
	acme := tenant(t, root, "acme")
	f := &forgetful{incarnation: "1"}
	y := root.Relay(queue.New(f), nil)
	for _, r := range []struct {
		topic, group string
		types        []event.Type
	}{{event.ScannerEvents, "one", nil}, {event.ScannerEvents, "sbom-only", []event.Type{event.SBOMCreated}}, {event.ScannerJobs, event.GroupScannerWorkers, nil}} {
		if err := root.Register(t.Context(), r.topic, r.group, r.types...); err != nil {
			t.Fatal(err)
		}
	}
	recover := func() int64 { t.Helper(); return must[int64](t)(y.Recover(t.Context())) }
	recover()
	a, b := submit(t, acme.Scans(), "a"), submit(t, acme.Scans(), "b")
	relayAll(t, y)
	claim(t, acme.Scans(), a)
	relayAll(t, y)
	if _, err := acme.Once(t.Context(), "one", a.ID+"/queued", func(*store.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if n := recover(); n != 0 {
		t.Errorf("%d rows again though nothing was lost", n)
	}
	f.incarnation, f.published, f.groups = "2", nil, nil
	recover()
	groups := []string{event.AttestorSubmissions + " " + event.GroupAttestorWorkers, event.ConcelierDeltas + " " + event.GroupConcelier, event.ConcelierDeltas + " " + event.GroupScheduler, event.ConcelierDrift + " " + event.GroupScheduler,
		event.ExcititorDeltas + " " + event.GroupPolicy, event.ExportJobs + " " + event.GroupExportWorkers, event.NotifyDeliveries + " " + event.GroupDeliveryWorkers, event.ScannerEvents + " one", event.ScannerEvents + " sbom-only", event.ScannerJobs + " " + event.GroupScannerWorkers,
		event.SchedulerEvaluations + " " + event.GroupPolicyWorkers}
	if diff := cmp.Diff(groups, f.groups); diff != "" {
		t.Errorf("groups made again (-want +got):\n%s", diff)
	}
	relayAll(t, y)
	want := []string{a.ID + "/started/1", b.ID + "/job/1", b.ID + "/queued"}
	slices.Sort(want)
	slices.Sort(f.published)
	if diff := cmp.Diff(want, f.published); diff != "" {
		t.Errorf("published again (-want +got):\n%s", diff)
	}
	// What a relay published to the queue before its loss and marks after it.
	f.published = nil
	c := submit(t, acme.Scans(), "c")
	f.incarnation = "3"
	lossy := root.Relay(queue.New(&lateMark{forgetful: f, root: root, t: t}), nil)
	if _, err := lossy.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.published = nil
	relayAll(t, y)
	if !slices.Contains(f.published, c.ID+"/job/1") {
		t.Errorf("a message that was lost between publishing and marking is not published again: %q", f.published)
	}
}

// testRemind publishes again what has been out for long, ever more seldom, and not
// what was consumed.
func testRemind(t *testing.T, root *store.Root) {
	acme := tenant(t, root, "acme")
	f := &forgetful{incarnation: "1"}
	const stale = 50 * time.Millisecond
	y := root.Relay(queue.New(f), &store.RelayOptions{Stale: stale})
	if err := root.Register(t.Context(), event.ScannerEvents, "slow"); err != nil {
		t.Fatal(err)
	}
	a, b := submit(t, acme.Scans(), "a"), submit(t, acme.Scans(), "b")
	claim(t, acme.Scans(), a)
	claim(t, acme.Scans(), b)
	relayAll(t, y)
	for _, id := range []string{a.ID + "/queued", a.ID + "/started/1", b.ID + "/started/1"} {
		if _, err := acme.Once(t.Context(), "slow", id, func(*store.Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(stale + 5*time.Millisecond)
	f.published = nil
	if n := must[int64](t)(y.Remind(t.Context())); n != 1 {
		t.Errorf("%d rows again after the time of one", n)
	}
	relayAll(t, y)
	if diff := cmp.Diff([]string{b.ID + "/queued"}, f.published); diff != "" {
		t.Errorf("published again (-want +got):\n%s", diff)
	}
	if n := must[int64](t)(y.Remind(t.Context())); n != 0 {
		t.Errorf("%d rows once more at once", n)
	}
}

// lateMark notices the loss between publishing and marking.
type lateMark struct {
	*forgetful
	root *store.Root
	t    *testing.T
}

func (l *lateMark) Publish(ctx context.Context, topic string, messages []queue.Message) error {
	if err := l.forgetful.Publish(ctx, topic, messages); err != nil {
		return err
	}
	_, err := l.root.Relay(queue.New(l.forgetful), nil).Recover(ctx)
	return err
}

var errEffect = errors.New("the effect failed")

func testOnce(t *testing.T, root *store.Root) {
	acme, other := tenant(t, root, "acme"), tenant(t, root, "other")
	ran := 0
	effect := func(*store.Tx) error { ran++; return nil }
	if _, err := acme.Once(t.Context(), "g", "e1", func(*store.Tx) error { return errEffect }); !errors.Is(err, errEffect) {
		t.Errorf("an effect that fails: %v", err)
	}
	for i, want := range []bool{true, false, false} {
		done, err := acme.Once(t.Context(), "g", "e1", effect)
		if err != nil || done != want {
			t.Errorf("call %d: done %v, %v", i, done, err)
		}
	}
	if _, err := acme.Once(t.Context(), "h", "e1", effect); err != nil {
		t.Error(err)
	}
	if _, err := other.Once(t.Context(), "g", "e1", effect); err != nil {
		t.Error(err)
	}
	if ran != 3 {
		t.Errorf("%d effects, want one for each group and tenant", ran)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	ran = 0
	for range 8 {
		wg.Go(func() {
			if _, err := acme.Once(t.Context(), "g", "e2", func(*store.Tx) error { mu.Lock(); ran++; mu.Unlock(); return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if ran != 1 {
		t.Errorf("%d effects of one event at once", ran)
	}
}
