package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/event"
	"github.com/stella-ops/stella/store/queue"
	"github.com/stella-ops/stella/vex"
)

// testPolicyLoop has everything run as a service does: a relay, which also wakes what
// is due, and consumers.
func testPolicyLoop(w *policyWorld) {
	ctx, stop := context.WithCancel(w.Context())
	q := memory(w)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	complain := func(err error) {
		if ctx.Err() == nil {
			w.Error(err)
		}
	}
	wg.Go(func() { w.root.Relay(q, &store.RelayOptions{Poll: 20 * time.Millisecond, Report: complain}).Run(ctx) })
	completer := &scan.Completer{
		Jobs:      func(name string) (scan.Evaluations, error) { return tenant(w, w.root, name).Scans(), nil },
		Evaluator: &store.Judge{Gateway: w.gateway}, Holder: "web",
	}
	for _, c := range []struct {
		topic, group string
		handle       func(context.Context, []byte) error
	}{
		{event.ScannerEvents, event.GroupScannerWeb, completer.Handle}, {event.ScannerEvents, event.GroupPolicy, w.handler.Handle},
		{event.SchedulerEvaluations, event.GroupPolicyWorkers, w.handler.Handle}, {event.ExcititorDeltas, event.GroupPolicy, w.handler.Handle},
	} {
		g := must[*queue.Group](w)(q.Group(ctx, c.topic, c.group))
		wg.Go(func() {
			if err := queue.Consume(ctx, g, c.handle, &queue.Options{Backoff: 50 * time.Millisecond, Report: complain}); err != nil {
				complain(err)
			}
		})
	}
	until := func(what string, done func() bool) {
		w.Helper()
		for end := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				w.Fatalf("%s: it does not come to that", what)
			}
		}
	}
	w.enforce(w.acme, "production", blockFrom(1, finding.High))
	id := w.scan(w.acme, "a", "CVE-1 high")
	until("the scan completes", func() bool { return must[*scan.Job](w)(w.acme.Scans().Job(ctx, id)).State == scan.Completed })
	if job := must[*scan.Job](w)(w.acme.Scans().Job(ctx, id)); job.Summary.Outcome != "block" {
		w.Errorf("%+v", job.Summary)
	}
	w.enforce(w.acme, "production", blockFrom(2, finding.Critical))
	until("another policy", func() bool { return w.standing(w.acme, id) == "production:pass:0" })
	vexCommit(w.T, w.root.VEX(), 1, []string{"CVE-1"}, decision("CVE-1", vex.Affected))
	until("another consensus", func() bool {
		s := must[[]policy.Standing](w)(w.acme.Policy().Current(ctx, id))[0]
		return s.Evaluated.VEX == 1 && !s.Stale
	})
}

// testPolicyRace changes everything that verdicts follow from at once, while scans are
// decided about by several. When it is quiet, each scan has the verdict that it would
// be given now.
func testPolicyRace(w *policyWorld) {
	const scans, changes = 4, 8
	ctx := w.Context()
	w.enforce(w.acme, "", blockFrom(1, finding.Critical))
	var ids []string
	for i := range scans {
		ids = append(ids, w.scan(w.acme, fmt.Sprint("image-", i), fmt.Sprintf("CVE-%d high", i), "CVE-7 medium"))
	}
	retry := w.retry
	var changing, deciding sync.WaitGroup
	p := w.acme.Policy()
	changing.Go(func() {
		for n := 2; n <= changes; n++ {
			retry(func() error {
				_, _, err := p.Add(ctx, blockFrom(n, []finding.Severity{finding.High, finding.Medium, finding.Critical}[n%3]), nil, "ann")
				return err
			})
			retry(func() error {
				_, err := p.Activate(ctx, policy.Activation{Policy: policy.Named{ID: "release", Version: n}})
				return err
			})
		}
	})
	changing.Go(func() {
		for n := range changes {
			id := fmt.Sprint("exc-", n)
			retry(func() error {
				_, _, err := p.Except(ctx, suppress(id, time.Time{}, fmt.Sprint("CVE-", n%scans)), "bob")
				return err
			})
			if n%2 == 0 {
				retry(func() error { _, err := p.Revoke(ctx, id, "bob", "why not"); return err })
			}
		}
	})
	changing.Go(func() {
		for n := int64(1); n <= changes; n++ {
			c := vexCommitOf(w.T, w.acme.VEX(), n, []string{"CVE-7"}, decision("CVE-7", []vex.Status{vex.Affected, vex.NotAffected}[n%2]))
			retry(func() error { return w.acme.VEX().Commit(ctx, c) })
		}
	})
	done := make(chan struct{})
	for i := range 3 {
		deciding.Go(func() {
			for n := i; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				retry(func() error {
					_, err := w.gateway.Evaluate(ctx, "acme", policy.Request{ScanID: ids[n%scans], At: time.Now(), Cause: "race"})
					return err
				})
				if i == 0 {
					retry(func() error { _, err := w.root.WakePolicies(ctx); return err })
				}
			}
		})
	}
	changing.Wait()
	close(done)
	deciding.Wait()
	w.settle()
	for _, id := range ids {
		held := must[[]policy.Standing](w)(p.Current(ctx, id))[0]
		now := w.evaluate(id, time.Now())[0]
		if diff := cmp.Diff(fmt.Sprint(now.Outcome, len(now.Blocking), now.Policy), fmt.Sprint(held.Outcome, held.Blocked, held.Policy)); diff != "" || held.Stale {
			w.Errorf("%s (-now +held), stale %v:\n%s", id, held.Stale, diff)
		}
	}
}

// retry does something until the store is available.
func (w *policyWorld) retry(f func() error) {
	for range 100 {
		err := f()
		if err == nil {
			return
		}
		if !errors.Is(err, policy.ErrUnavailable) {
			w.Error(err)
			return
		}
	}
	w.Error("it is never available")
}
