package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/store/cache"
	"github.com/stella-ops/stella/store/cache/cachetest"
	"github.com/stella-ops/stella/store/cache/valkeycache"
)

func openValkeyCache(t *testing.T, raw string, opts *valkeycache.Options) cache.Driver {
	t.Helper()
	d, err := valkeycache.Open(t.Context(), raw, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestValkeyCache(t *testing.T) {
	fewerChecks(t)
	raw := servers.Valkey(t)
	direct := servers.ValkeyClient(t, raw)
	n := 0
	cachetest.Test(t, func(t *testing.T) cache.Driver {
		n++
		return openValkeyCache(t, raw, &valkeycache.Options{Prefix: fmt.Sprintf("test %d:", n)})
	}, &cachetest.Options{Lose: func(t *testing.T, _ cache.Driver) {
		if err := direct.FlushAll(t.Context()).Err(); err != nil {
			t.Error(err)
		}
	}})
}

// away checks that every call fails so that a caller refuses.
func away(t *testing.T, c *cache.Cache, timeout time.Duration, kinds ...error) {
	t.Helper()
	calls := map[string]func(context.Context) error{
		"add": func(ctx context.Context) error {
			ok, err := c.Add(ctx, "new", nil, time.Hour)
			if ok {
				t.Error("a server that is away added a key")
			}
			return err
		},
		"get": func(ctx context.Context) error { _, err := c.Get(ctx, "k"); return err },
		// A frozen server may do it once it is thawed: not with a key that is asked for.
		"delete": func(ctx context.Context) error { return c.Delete(ctx, "other") },
		"epoch":  func(ctx context.Context) error { _, err := c.Epoch(ctx); return err },
	}
	for name, call := range calls {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		err := call(ctx)
		cancel()
		known := false
		for _, kind := range kinds {
			known = known || errors.Is(err, kind)
		}
		if !known {
			t.Errorf("%s: %v, want one of %v", name, err, kinds)
		}
	}
}

// TestValkeyCacheAway: a server that is killed or frozen is an error, and one that
// comes back without its keys has another epoch.
func TestValkeyCacheAway(t *testing.T) {
	s := servers.StartValkey(t)
	c := cache.New(openValkeyCache(t, s.URL, nil))
	epoch := func() string {
		e, err := c.Epoch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	if ok, err := c.Add(t.Context(), "k", nil, time.Hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
	before := epoch()
	s.Stop(t)
	away(t, c, 200*time.Millisecond, context.DeadlineExceeded, cache.ErrUnavailable)
	s.Cont(t)
	if ok, err := c.Add(t.Context(), "k", nil, time.Hour); ok || err != nil {
		t.Errorf("after it was thawed: %v, %v", ok, err)
	}
	if e := epoch(); e != before {
		t.Errorf("epoch changed from %q to %q and nothing was lost", before, e)
	}
	s.Kill(t)
	away(t, c, 10*time.Second, cache.ErrUnavailable)
	s.Restart(t)
	if e := epoch(); e == before {
		t.Errorf("the same epoch %q after a restart that lost all", e)
	}
}

// TestValkeyCacheSetBack: a server that goes back to an older state of its keys,
// without a restart, has another epoch.
func TestValkeyCacheSetBack(t *testing.T) {
	if os.Getenv("STELLA_TEST_VALKEY") != "" {
		t.Skip("it needs a server of its own")
	}
	raw := servers.Valkey(t)
	direct := servers.ValkeyClient(t, raw)
	c := cache.New(openValkeyCache(t, raw, &valkeycache.Options{Prefix: "back:"}))
	ctx := t.Context()
	if _, err := c.Epoch(ctx); err != nil {
		t.Fatal(err)
	}
	old := map[string]string{}
	for _, key := range []string{"back:epoch", "back:tick"} {
		v, err := direct.Get(ctx, key).Result()
		if err != nil {
			t.Fatal(err)
		}
		old[key] = v
	}
	before, err := c.Epoch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := c.Add(ctx, "since then", nil, time.Hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := direct.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	for key, v := range old {
		if err := direct.Set(ctx, key, v, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if after, err := c.Epoch(ctx); err != nil || after == before {
		t.Errorf("epoch %q, %v, as before the keys went back", after, err)
	}
}

// TestValkeyCacheOldFile: a server that starts with an older state of its keys has
// another epoch, also for a process that was not there before.
func TestValkeyCacheOldFile(t *testing.T) {
	s := servers.StartValkey(t)
	direct := servers.ValkeyClient(t, s.URL)
	ctx := t.Context()
	epoch := func(c *cache.Cache) string {
		e, err := c.Epoch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	c := cache.New(openValkeyCache(t, s.URL, nil))
	before := epoch(c)
	if err := direct.Save(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	if ok, err := c.Add(ctx, "since then", nil, time.Hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
	s.Kill(t)
	s.Restart(t)
	if n, err := direct.Exists(ctx, "cache:epoch").Result(); n != 1 {
		t.Fatalf("the server did not read its file: %v", err)
	}
	if ok, err := c.Add(ctx, "since then", nil, time.Hour); !ok || err != nil {
		t.Fatalf("nothing was lost: %v, %v", ok, err)
	}
	if after := epoch(cache.New(openValkeyCache(t, s.URL, nil))); after == before {
		t.Errorf("the same epoch %q", after)
	}
}

// TestValkeyCacheRefusals: what a server is told or cannot do ends in a typed
// error without the password.
func TestValkeyCacheRefusals(t *testing.T) {
	if os.Getenv("STELLA_TEST_VALKEY") != "" {
		t.Skip("it changes the server's configuration")
	}
	raw := servers.Valkey(t)
	direct := servers.ValkeyClient(t, raw)
	ctx := t.Context()
	set := func(key, value string) {
		t.Helper()
		if err := direct.ConfigSet(ctx, key, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	u, _ := url.Parse(raw)
	u.User = url.UserPassword("default", "hunter2")
	_, err := cache.Open(ctx, u.String())
	if !errors.Is(err, valkeycache.ErrUnauthenticated) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a wrong password: %v", err)
	}
	set("maxmemory-policy", "allkeys-lru")
	_, err = cache.Open(ctx, raw)
	if !errors.Is(err, valkeycache.ErrUnsupported) || !strings.Contains(err.Error(), "maxmemory-policy noeviction") {
		t.Errorf("a server that evicts: %v", err)
	}
	set("maxmemory-policy", "noeviction")
	c := cache.New(openValkeyCache(t, raw, nil))
	if ok, err := c.Add(ctx, "k", nil, time.Hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
	set("maxmemory", "1")
	ok, err := c.Add(ctx, "full", nil, time.Hour)
	if ok || !errors.Is(err, cache.ErrUnavailable) || !strings.Contains(err.Error(), "raise maxmemory") {
		t.Errorf("a full server: %v, %v", ok, err)
	}
	if _, err := c.Get(ctx, "k"); err != nil {
		t.Errorf("a full server lost a key: %v", err)
	}
	set("maxmemory", "0")
	// Evictions that begin later change the epoch.
	before, err := c.Epoch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	set("maxmemory-policy", "volatile-ttl") // not the epoch itself
	set("maxmemory", "1")
	direct.Set(ctx, "filler", "x", 0) // the server frees memory first
	set("maxmemory", "0")
	if _, err := c.Get(ctx, "k"); !errors.Is(err, cache.ErrNotFound) {
		t.Fatalf("nothing was dropped: %v", err)
	}
	if after, err := c.Epoch(ctx); err != nil || after == before {
		t.Errorf("epoch %q, %v, as before keys were dropped", after, err)
	}
}
