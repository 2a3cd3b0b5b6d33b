package cachetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/store/cache"
)

func epochOf(t testing.TB, c *cache.Cache) string {
	t.Helper()
	e, err := c.Epoch(t.Context())
	if err != nil || e == "" {
		t.Fatalf("epoch %q, %v", e, err)
	}
	return e
}

func (s *suite) epoch(t *testing.T) {
	d := s.open(t)
	c := cache.New(d)
	first := epochOf(t, c)
	add(t, c, "k", "v", time.Hour, true)
	if err := c.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	add(t, c, "gone", "v", time.Millisecond, true)
	time.Sleep(10*time.Millisecond + s.Slack)
	add(t, c, "k", "v", time.Hour, true)
	for range 3 {
		if e := epochOf(t, c); e != first {
			t.Fatalf("epoch changed from %q to %q and nothing was lost", first, e)
		}
	}
	if s.Lose == nil {
		return
	}
	seen := map[string]bool{first: true}
	for range 3 {
		s.Lose(t, d)
		gone(t, c, "k")
		e := epochOf(t, c)
		if seen[e] {
			t.Errorf("epoch %q again after a loss", e)
		}
		seen[e] = true
		if again := epochOf(t, c); again != e {
			t.Errorf("epoch changed from %q to %q and nothing was lost", e, again)
		}
		add(t, c, "k", "v", time.Hour, true)
	}
}

// replayFlush: tokens that may be used once are shown many times while the
// backend loses everything again and again. None is accepted twice by a caller
// that adds first and compares the epoch after it.
func (s *suite) replayFlush(t *testing.T) {
	if s.Lose == nil {
		t.Skip("nothing to lose keys with")
	}
	d := s.open(t)
	c := cache.New(d)
	const losses, shown = 10, 6
	type token struct{ id, epoch string }
	accept := func(k token) bool {
		ok, err := c.Add(context.Background(), k.id, nil, time.Hour)
		if err != nil || !ok {
			return false
		}
		e, err := c.Epoch(context.Background())
		return err == nil && e == k.epoch
	}
	accepted, twice := atomic.Int64{}, 0
	for i := range losses {
		var tokens [20]token
		var wins [20]atomic.Int64
		for j := range tokens {
			tokens[j] = token{fmt.Sprintf("%d/%d", i, j), epochOf(t, c)}
		}
		var wg sync.WaitGroup
		var showings atomic.Int64
		for range shown {
			wg.Go(func() {
				for j, k := range tokens {
					if showings.Add(1) == int64(1+i*shown*len(tokens)/losses) {
						s.Lose(t, d) // each time later
					}
					if accept(k) {
						wins[j].Add(1)
						accepted.Add(1)
					}
				}
			})
		}
		wg.Wait()
		for j, k := range tokens { // and once more, after the loss
			if accept(k) {
				wins[j].Add(1)
			}
			if wins[j].Load() > 1 {
				twice++
			}
		}
	}
	t.Logf("%d losses, %d tokens accepted, %d of them twice", losses, accepted.Load(), twice)
	if accepted.Load() == 0 {
		t.Error("no token was accepted")
	}
	if twice > 0 {
		t.Errorf("%d tokens were accepted twice", twice)
	}
}
