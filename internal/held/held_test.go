package held_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/held"
)

// TestKeep: what is in use is never dropped, and of the rest the last used stay.
func TestKeep(t *testing.T) {
	var s held.Set[string]
	var opened, dropped []string
	how := held.How[string]{
		Keep: 2,
		Open: func(_ context.Context, d string) (string, error) { opened = append(opened, d); return d, nil },
		Drop: func(d, _ string) { dropped = append(dropped, d) },
	}
	use := func(d string) func() {
		v, done, err := s.Use(t.Context(), d, how)
		if err != nil || v != d {
			t.Fatal(v, err)
		}
		return done
	}
	first := use("a")
	for _, d := range []string{"b", "c", "b", "d"} {
		use(d)()
	}
	first()
	first() // a second time does nothing
	use("b")()
	list, done := s.Open(how)
	done()
	got := map[string][]string{"opened": opened, "dropped": dropped, "open": list, "cleared": s.Clear()}
	want := map[string][]string{"opened": {"a", "b", "c", "d"}, "dropped": {"a", "c"}, "open": {"b", "d"}, "cleared": {"b", "d"}}
	slices.Sort(got["dropped"])
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestOnce: one opens for all, and who gives up spoils it for nobody else.
func TestOnce(t *testing.T) {
	var s held.Set[int]
	var opens atomic.Int32
	started, again := make(chan struct{}), errors.New("no such thing")
	how := held.How[int]{Drop: func(string, int) {}, Open: func(ctx context.Context, d string) (int, error) {
		if d == "bad" {
			return 0, again
		}
		if opens.Add(1) == 1 {
			close(started)
			<-ctx.Done()
			return 0, fmt.Errorf("open: %w", ctx.Err())
		}
		return 7, nil
	}}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if _, _, err := s.Use(ctx, "x", how); !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up got %v", err)
		}
	})
	<-started
	for range 8 {
		all.Go(func() {
			v, done, err := s.Use(t.Context(), "x", how)
			if err != nil || v != 7 {
				t.Errorf("got %d, %v", v, err)
				return
			}
			done()
		})
	}
	cancel()
	all.Wait()
	if n := opens.Load(); n != 2 {
		t.Errorf("opened %d times, want 2", n)
	}
	if _, _, err := s.Use(t.Context(), "bad", how); err != again {
		t.Errorf("got %v", err)
	}
}
