// Package cachetest proves drivers of package cache. A driver's own test calls
// [Test]:
//
//	func TestDriver(t *testing.T) {
//		cachetest.Test(t, func(t *testing.T) cache.Driver { return open(t) }, nil)
//	}
//
// The suite tries what protection against replay hangs on: of many callers that add
// one key at once, one wins; a key is there until its time is over and not longer; when
// the backend lost its keys, the epoch is another one, so that nothing from before is
// accepted again; a driver that is closed, or whose context has ended, says so and
// never that a key was new. It also plays random calls against a model.
//
// [Options] let a driver inside the process run on simulated time, and say how its
// backend is made to forget.
package cachetest

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stella-ops/stella/store/cache"
)

// Options change how Test works.
type Options struct {
	// Bubble runs each test in a testing/synctest bubble, where time is exact and
	// costs nothing. It is for drivers that live in the process alone.
	Bubble bool
	// Lose makes the backend of a driver lose all its keys. Nil skips what needs
	// it.
	Lose func(t *testing.T, d cache.Driver)
	// Adds is how many calls compete for one key. Default 10000.
	Adds int
	// Slack is how much later than its time a key may expire. Default 0 in a
	// bubble, else 50 ms.
	Slack time.Duration
}

// Test checks the driver that open returns, and caches on it. open returns an
// empty one for each call; Test does not close it, but for one. nil opts means
// defaults.
func Test(t *testing.T, open func(*testing.T) cache.Driver, opts *Options) {
	o := Options{}
	if opts != nil {
		o = *opts
	}
	if o.Adds == 0 {
		o.Adds = 10_000
	}
	if o.Slack == 0 && !o.Bubble {
		o.Slack = 50 * time.Millisecond
	}
	s := &suite{open: open, Options: o}
	for name, f := range map[string]func(*testing.T){
		"Values":      s.values,
		"Bounds":      s.bounds,
		"Expiry":      s.expiry,
		"Edge":        s.edge,
		"RefusedAdd":  s.refusedAdd,
		"OneWinner":   s.oneWinner,
		"ManyKeys":    s.manyKeys,
		"WinsApart":   s.winsApart,
		"Epoch":       s.epoch,
		"ReplayFlush": s.replayFlush,
		"Cancelled":   s.cancelled,
		"Closed":      s.closed,
		"Model":       s.model,
	} {
		t.Run(name, func(t *testing.T) {
			if o.Bubble {
				synctest.Test(t, f)
				return
			}
			f(t)
		})
	}
}

type suite struct {
	open func(*testing.T) cache.Driver
	Options
}

// wantKind checks that an error matches a kind.
func wantKind(t testing.TB, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: error %v, want one that wraps %q", what, err, kind)
	}
}

// add adds a key and checks what that reports.
func add(t testing.TB, c *cache.Cache, key, value string, ttl time.Duration, want bool) {
	t.Helper()
	if got, err := c.Add(t.Context(), key, []byte(value), ttl); err != nil || got != want {
		t.Errorf("add %q for %v: %v, %v; want %v", key, ttl, got, err, want)
	}
}

// get checks the value of a key.
func get(t testing.TB, c *cache.Cache, key, want string) {
	t.Helper()
	if got, err := c.Get(t.Context(), key); err != nil || string(got) != want {
		t.Errorf("get %q: %q, %v; want %q", key, got, err, want)
	}
}

// gone checks that a key is not there.
func gone(t testing.TB, c *cache.Cache, key string) {
	t.Helper()
	if got, err := c.Get(t.Context(), key); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("get %q: %q, %v; want none", key, got, err)
	}
}
