package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/store/queue"
)

// flaky fails some settlements of the driver in memory.
type flaky struct {
	queue.Driver
	mu      sync.Mutex
	fail    map[queue.Action]int // how often from now; negative means always
	settled []queue.Action
}

func (f *flaky) Settle(ctx context.Context, topic, group string, d queue.Delivery, s queue.Settlement) error {
	f.mu.Lock()
	f.settled = append(f.settled, s.Action)
	n := f.fail[s.Action]
	if n > 0 {
		f.fail[s.Action] = n - 1
	}
	f.mu.Unlock()
	if n != 0 {
		return queue.ErrUnavailable
	}
	return f.Driver.Settle(ctx, topic, group, d, s)
}

func (f *flaky) seen() []queue.Action {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.settled)
}

// run consumes one message for a while of the bubble's time and reports what the
// backend was told.
func run(t *testing.T, fail map[queue.Action]int, handle func(context.Context, []byte) error, opts *queue.Options, while time.Duration) (*flaky, []error) {
	t.Helper()
	f := &flaky{Driver: queue.NewMem(10, 1<<20), fail: fail}
	q := queue.New(f)
	g, err := q.Group(t.Context(), "t", "g")
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Publish(t.Context(), "t", queue.Message{ID: "a"}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var reported []error
	opts.Report = func(err error) { mu.Lock(); reported = append(reported, err); mu.Unlock() }
	ctx, cancel := context.WithTimeout(t.Context(), while)
	defer cancel()
	if err := queue.Consume(ctx, g, handle, opts); err != nil {
		t.Errorf("consume: %v", err)
	}
	return f, reported
}

// TestLostClaim: a handler whose claim could not be extended is told, and what
// it says does not count.
func TestLostClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, start := 0, time.Now()
		var told time.Duration
		f, reported := run(t, map[queue.Action]int{queue.Extend: -1}, func(ctx context.Context, _ []byte) error {
			if calls++; calls > 1 {
				return nil
			}
			<-ctx.Done()
			told = time.Since(start)
			return nil
		}, &queue.Options{Claim: 3 * time.Second}, time.Minute)
		if told < 3*time.Second || told > 5*time.Second {
			t.Errorf("told after %v of a claim of 3s", told)
		}
		if calls != 2 || len(reported) == 0 || !errors.Is(reported[0], queue.ErrUnavailable) {
			t.Errorf("%d calls, reported %v", calls, reported)
		}
		if n := len(f.seen()); f.seen()[n-1] != queue.Ack || slices.Contains(f.seen()[:n-1], queue.Ack) {
			t.Errorf("settled %v, want one Ack at the end", f.seen())
		}
	})
}

// TestExtensions: a claim is extended every third of it, and a handler that takes
// long keeps its message.
func TestExtensions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		f, _ := run(t, map[queue.Action]int{}, func(ctx context.Context, _ []byte) error {
			calls++
			time.Sleep(10*time.Second + time.Millisecond)
			return ctx.Err()
		}, &queue.Options{Claim: 3 * time.Second}, time.Minute)
		want := append(slices.Repeat([]queue.Action{queue.Extend}, 10), queue.Ack)
		if diff := cmp.Diff(want, f.seen()); diff != "" || calls != 1 {
			t.Errorf("%d calls, %s", calls, diff)
		}
	})
}

// TestSettleAgain: a settlement that fails is repeated; where all fail the
// message comes back.
func TestSettleAgain(t *testing.T) {
	for fails, wantCalls := range map[int]int{0: 1, 2: 1, 3: 2} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			_, reported := run(t, map[queue.Action]int{queue.Ack: fails}, func(context.Context, []byte) error { calls++; return nil }, &queue.Options{}, 2*time.Minute)
			if calls != wantCalls || len(reported) != fails {
				t.Errorf("%d failures: %d calls, %d reports; want %d calls", fails, calls, len(reported), wantCalls)
			}
		})
	}
}

// TestBackoff: the delays double up to the largest.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		run(t, map[queue.Action]int{}, func(context.Context, []byte) error {
			at = append(at, time.Since(start))
			return errors.New("no")
		}, &queue.Options{}, 10*time.Minute)
		if diff := cmp.Diff([]time.Duration{0, 5 * time.Second, 15 * time.Second, 35 * time.Second, 75 * time.Second}, at); diff != "" {
			t.Error(diff)
		}
	})
}

// TestOutage: while what a handler needs is away, its message waits, however long
// that is; only failures of its own count.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, failed := time.Now(), 0
		f, _ := run(t, map[queue.Action]int{}, func(context.Context, []byte) error {
			if time.Since(start) < time.Hour {
				return fmt.Errorf("the database is away: %w", queue.ErrUnavailable)
			}
			if failed++; failed < 5 {
				return errors.New("no")
			}
			return nil
		}, &queue.Options{}, 2*time.Hour)
		if s := f.seen(); failed != 5 || s[len(s)-1] != queue.Ack || slices.Contains(s, queue.Bury) {
			t.Errorf("%d calls after the outage, the last settlements are %v", failed, s[max(len(s)-6, 0):])
		}
	})
}

// TestGrace: handlers get their time after the end, and no more.
func TestGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		f, _ := run(t, map[queue.Action]int{}, func(ctx context.Context, _ []byte) error {
			<-ctx.Done()
			return ctx.Err()
		}, &queue.Options{Grace: 6 * time.Second}, 3*time.Second)
		if took := time.Since(start); took != 9*time.Second {
			t.Errorf("ended after %v, want 3s and 6s of grace", took)
		}
		if diff := cmp.Diff([]queue.Action{queue.Postpone}, f.seen()); diff != "" {
			t.Error(diff)
		}
	})
}
