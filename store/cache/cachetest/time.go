package cachetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/store/cache"
)

func (s *suite) expiry(t *testing.T) {
	c := cache.New(s.open(t))
	const ttl = time.Second
	add(t, c, "long", "two", time.Hour, true)
	begin := time.Now()
	add(t, c, "short", "one", ttl, true)
	getWithin(t, c, "short", "one", begin, ttl)
	time.Sleep(ttl + s.Slack)
	gone(t, c, "short")
	get(t, c, "long", "two")
	add(t, c, "short", "three", time.Hour, true)
	get(t, c, "short", "three")
	time.Sleep(ttl + s.Slack) // the first time is forgotten
	get(t, c, "short", "three")
}

// getWithin checks a key that was added after begin, unless its time may be over
// already: a machine may be slow.
func getWithin(t *testing.T, c *cache.Cache, key, want string, begin time.Time, ttl time.Duration) {
	t.Helper()
	got, err := c.Get(t.Context(), key)
	if errors.Is(err, cache.ErrNotFound) && time.Since(begin) >= ttl {
		return
	}
	if err != nil || string(got) != want {
		t.Errorf("get %q: %q, %v; want %q", key, got, err, want)
	}
}

// edge: a key is there until its time has passed, and not any longer. The clock
// of a server is another one: then only that it is not there too short is exact,
// as both clocks go on at one pace.
func (s *suite) edge(t *testing.T) {
	c := cache.New(s.open(t))
	for i, ttl := range []time.Duration{cache.MinTTL, 2 * time.Millisecond, 1500 * time.Microsecond, 100 * time.Millisecond} {
		key := fmt.Sprint("k", i)
		kept := (ttl + time.Millisecond - 1).Truncate(time.Millisecond) // rounded up
		begin := time.Now()
		add(t, c, key, "", ttl, true)
		if s.Bubble {
			time.Sleep(kept - time.Nanosecond)
			add(t, c, key, "", ttl, false)
			time.Sleep(time.Nanosecond)
			add(t, c, key, "", ttl, true)
			continue
		}
		for {
			ok, err := c.Add(t.Context(), key, nil, ttl)
			after := time.Since(begin)
			if err != nil {
				t.Fatal(err)
			}
			// A server counts in whole milliseconds.
			if ok && after < kept-time.Millisecond {
				t.Errorf("a key for %v was gone after %v", ttl, after)
			}
			if ok {
				break
			}
			if after > kept+s.Slack+time.Second {
				t.Errorf("a key for %v was there after %v", ttl, after)
				break
			}
		}
	}
}

// refusedAdd: an Add that is refused changes neither the value nor the time.
func (s *suite) refusedAdd(t *testing.T) {
	c := cache.New(s.open(t))
	const ttl = time.Second
	begin := time.Now()
	add(t, c, "k", "first", ttl, true)
	if ok, err := c.Add(t.Context(), "k", []byte("second"), time.Hour); err != nil || ok && time.Since(begin) < ttl {
		t.Errorf("add a key that is there: %v, %v", ok, err)
	} else if ok {
		t.Skip("this machine is too slow to see a key before its time is over")
	}
	getWithin(t, c, "k", "first", begin, ttl)
	time.Sleep(ttl + s.Slack)
	gone(t, c, "k")
	add(t, c, "k", "third", time.Hour, true)
	add(t, c, "k", "fourth", time.Millisecond, false)
	time.Sleep(10*time.Millisecond + s.Slack)
	get(t, c, "k", "third")
}

const callers = 64

// oneWinner: of Adds calls for one key exactly one reports true, and its value is
// there.
func (s *suite) oneWinner(t *testing.T) {
	c := cache.New(s.open(t))
	var left, winners atomic.Int64
	var winner atomic.Value
	left.Store(int64(s.Adds))
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for n := left.Add(-1); n >= 0; n = left.Add(-1) {
				value := fmt.Sprint(n)
				ok, err := c.Add(context.Background(), "the key", []byte(value), time.Hour)
				if err != nil {
					t.Errorf("add: %v", err)
					return
				}
				if ok {
					winners.Add(1)
					winner.Store(value)
				}
			}
		})
	}
	wg.Wait()
	if n := winners.Load(); n != 1 {
		t.Fatalf("%d of %d calls won, want 1", n, s.Adds)
	}
	get(t, c, "the key", winner.Load().(string))
}

// manyKeys: each of many keys has one winner.
func (s *suite) manyKeys(t *testing.T) {
	c := cache.New(s.open(t))
	keys := max(s.Adds/callers, 1)
	wins := make([]atomic.Int64, keys)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for j := range keys {
				k := (i + j) % keys
				if ok, err := c.Add(context.Background(), fmt.Sprint("key ", k), nil, time.Hour); err != nil {
					t.Errorf("add: %v", err)
				} else if ok {
					wins[k].Add(1)
				}
			}
		})
	}
	wg.Wait()
	for k := range wins {
		if n := wins[k].Load(); n != 1 {
			t.Errorf("key %d was won %d times", k, n)
		}
	}
}

// winsApart: callers that never stop win a key again only when its time has
// passed.
func (s *suite) winsApart(t *testing.T) {
	c := cache.New(s.open(t))
	const ttl, rounds = 20 * time.Millisecond, 10
	begin := time.Now()
	var wins atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for time.Since(begin) < rounds*ttl {
				ok, err := c.Add(context.Background(), "k", nil, ttl)
				if err != nil {
					t.Errorf("add: %v", err)
					return
				}
				if ok {
					wins.Add(1)
				}
				time.Sleep(100 * time.Microsecond)
			}
		})
	}
	wg.Wait()
	most := int64(time.Since(begin)/(ttl-time.Millisecond)) + 1
	if n := wins.Load(); n > most || n < 2 {
		t.Errorf("won %d times in %v with a ttl of %v, want 2 to %d", n, time.Since(begin), ttl, most)
	}
}
