package timeline_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/store/event"
)

// gated is a chain whose writes wait for a gate, and are counted.
type gated struct {
	*timeline.Memory
	gate  chan struct{}
	mu    sync.Mutex
	sizes []int
}

func (g *gated) Append(ctx context.Context, events []timeline.Event) error {
	<-g.gate
	g.mu.Lock()
	g.sizes = append(g.sizes, len(events))
	g.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return g.Memory.Append(ctx, events)
}

// TestHandleTogether: what comes while a chain is written is written together, and what
// is wrong holds nobody up.
func TestHandleTogether(t *testing.T) {
	g := &gated{Memory: timeline.NewMemory("acme", clock()), gate: make(chan struct{})}
	x := &timeline.Indexer{Logs: func(string) (timeline.Log, error) { return g, nil }}
	const n = 1200
	errs := make(chan error, n+2)
	handle := func(ctx context.Context, topic string, body []byte) { errs <- x.Handle(ctx, topic, body) }
	topic, body := bodyOf(0)
	go handle(t.Context(), topic, body)
	g.gate <- struct{}{} // the first one is at it, and done
	if err := <-errs; err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	for i := range n {
		topic, body := bodyOf(i)
		go handle(t.Context(), topic, body)
	}
	go handle(t.Context(), event.ScannerEvents, []byte(fmt.Sprintf(`{"id":"scan-%08x/completed","source":"scanner","tenant":"acme","type":"scan.completed"}`, 0))) // with another body
	cancel()
	close(g.gate)
	conflicts := 0
	for range n + 1 {
		if err := <-errs; errors.Is(err, timeline.ErrConflict) {
			conflicts++
		} else if err != nil {
			t.Error(err)
		}
	}
	if head, err := g.Head(t.Context()); head.Seq != n || conflicts != 1 || err != nil {
		t.Errorf("%d rows, %d conflicts, %v", head.Seq, conflicts, err)
	}
	for _, size := range g.sizes {
		if size > timeline.MaxBatch {
			t.Errorf("%d events at once", size)
		}
	}
	if err := x.Handle(gone, topic, body); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

// TestHandleAway: a chain that is away fails those who wait for it, and nobody later.
func TestHandleAway(t *testing.T) {
	s, away := timeline.NewMemory("acme", clock()), true
	x := &timeline.Indexer{Logs: func(string) (timeline.Log, error) {
		if away {
			return nil, fmt.Errorf("the store is away: %w", fault.Unavailable)
		}
		return s, nil
	}}
	for i := range 3 {
		topic, body := bodyOf(i)
		if err := x.Handle(t.Context(), topic, body); !errors.Is(err, timeline.ErrUnavailable) {
			t.Errorf("%v", err)
		}
	}
	away = false
	var wg sync.WaitGroup
	for i := range 50 {
		topic, body := bodyOf(i)
		wg.Go(func() {
			if err := x.Handle(t.Context(), topic, body); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if head, err := s.Head(t.Context()); head.Seq != 50 || err != nil {
		t.Errorf("%d rows, %v", head.Seq, err)
	}
}
