package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
)

// testFlow runs jobs of several tenants through the store's own queue, by a relay,
// workers, completers and a consumer, and counts what each event did.
func testFlow(t *testing.T, root *store.Root) {
	f := &flow{t: t, root: root, queue: queue.New(root.QueueDriver()), seen: map[string]int{}}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for group, types := range map[string][]event.Type{event.GroupScannerWeb: {event.SBOMCreated}, event.GroupTimeline: nil} {
		if err := root.Register(ctx, event.ScannerEvents, group, types...); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		root.Relay(f.queue, &store.RelayOptions{Report: func(err error) { t.Error(err) }}).Run(ctx)
	})
	opts := &queue.Options{Parallel: 4, Report: func(err error) { t.Error(err) }}
	for topic, consumers := range map[string]map[string]func(context.Context, []byte) error{
		event.ScannerJobs:   {event.GroupScannerWorkers: f.work},
		event.ScannerEvents: {event.GroupScannerWeb: f.complete, event.GroupTimeline: f.note},
	} {
		for group, handle := range consumers {
			g := must[*queue.Group](t)(f.queue.Group(ctx, topic, group))
			wg.Go(func() { queue.Consume(ctx, g, handle, opts) })
		}
	}
	const jobs = 24
	for i := range jobs {
		submit(t, tenant(t, root, fmt.Sprint("t", i%3)).Scans(), fmt.Sprint("image-", i))
	}
	deadline := time.Now().Add(60 * time.Second)
	for f.completed() < jobs && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	wg.Wait()
	if n := f.completed(); n != jobs {
		t.Errorf("%d of %d jobs completed", n, jobs)
		f.describe()
	}
	for id, n := range f.seen {
		if n != 1 {
			t.Errorf("the effect of %s happened %d times", id, n)
		}
	}
}

// describe says where the jobs and the outbox stand.
func (f *flow) describe() {
	for i := range 3 {
		p := must[*scan.Page](f.t)(tenant(f.t, f.root, fmt.Sprint("t", i)).Scans().List(f.t.Context(), scan.Query{}))
		for _, j := range p.Jobs {
			f.t.Logf("%s %s: %s, attempt %d, %q", j.Tenant, j.ID, j.State, j.Attempt, j.Reason)
		}
	}
	for _, topic := range []string{event.ScannerJobs, event.ScannerEvents} {
		f.t.Logf("%s: %+v", topic, must[store.Backlog](f.t)(f.root.Backlog(f.t.Context(), topic)))
	}
}

type flow struct {
	t     *testing.T
	root  *store.Root
	queue *queue.Queue
	mu    sync.Mutex
	seen  map[string]int
}

// completed counts completed jobs whose event had its effect.
func (f *flow) completed() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for id := range f.seen {
		if len(id) > 10 && id[len(id)-10:] == "/completed" {
			n++
		}
	}
	return n
}

func (f *flow) work(ctx context.Context, body []byte) error {
	e, err := event.Decode(body)
	if err != nil {
		return err
	}
	s, err := event.DecodeScan(e)
	if err != nil {
		return err
	}
	scans := tenant(f.t, f.root, e.Tenant).Scans()
	l, err := scans.Claim(ctx, scan.ClaimRequest{JobID: s.JobID, Holder: "w", Message: e.ID, Length: 15 * time.Second})
	if err != nil {
		return err
	}
	return scans.Complete(ctx, *l, results(s.ImageRef))
}

func (f *flow) complete(ctx context.Context, body []byte) error {
	c := &scan.Completer{Holder: "web", Jobs: func(name string) (scan.Evaluations, error) { return tenant(f.t, f.root, name).Scans(), nil }}
	return c.Handle(ctx, body)
}

// note is a consumer as others write it: its effect and the inbox row are one.
func (f *flow) note(ctx context.Context, body []byte) error {
	e, err := event.Decode(body)
	if err != nil {
		return err
	}
	done, err := tenant(f.t, f.root, e.Tenant).Once(ctx, event.GroupTimeline, e.ID, func(*store.Tx) error { return nil })
	if done && err == nil {
		f.mu.Lock()
		f.seen[e.Tenant+" "+e.ID]++
		f.mu.Unlock()
	}
	return err
}
