package cachetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/store/cache"
)

func (s *suite) values(t *testing.T) {
	c := cache.New(s.open(t))
	ctx := t.Context()
	for key, value := range map[string]string{
		"a": "", "b": "v", "with space": "\x00\xff\r\n", "\x00\xff": "binary", "tenant:1|nonce": strings.Repeat("x", cache.MaxValue),
		strings.Repeat("k", cache.MaxKey): "long",
	} {
		gone(t, c, key)
		add(t, c, key, value, time.Hour, true)
		get(t, c, key, value)
		add(t, c, key, "other", time.Hour, false)
		get(t, c, key, value)
		for range 2 {
			if err := c.Delete(ctx, key); err != nil {
				t.Errorf("delete %q: %v", key, err)
			}
			gone(t, c, key)
		}
		add(t, c, key, "again", time.Hour, true)
		get(t, c, key, "again")
	}
	if ok, err := c.Add(ctx, "nil value", nil, time.Hour); !ok || err != nil {
		t.Errorf("add nil: %v, %v", ok, err)
	}
	get(t, c, "nil value", "")
	// What was given and what was got belong to the caller.
	p := []byte("mine")
	if ok, err := c.Add(ctx, "p", p, time.Hour); !ok || err != nil {
		t.Fatal(err)
	}
	p[0] = 'X'
	got, err := c.Get(ctx, "p")
	if err != nil {
		t.Fatal(err)
	}
	got[1] = 'X'
	get(t, c, "p", "mine")
}

func (s *suite) bounds(t *testing.T) {
	c := cache.New(s.open(t))
	ctx := t.Context()
	long := strings.Repeat("k", cache.MaxKey+1)
	for key, kind := range map[string]error{"": cache.ErrInvalid, long: cache.ErrLimit} {
		_, err := c.Add(ctx, key, nil, time.Second)
		wantKind(t, "add", err, kind)
		_, err = c.Get(ctx, key)
		wantKind(t, "get", err, kind)
		wantKind(t, "delete", c.Delete(ctx, key), kind)
	}
	_, err := c.Add(ctx, "k", make([]byte, cache.MaxValue+1), time.Second)
	wantKind(t, "a large value", err, cache.ErrLimit)
	for _, ttl := range []time.Duration{0, -1, time.Nanosecond, cache.MaxTTL + 1} {
		_, err := c.Add(ctx, "k", nil, ttl)
		wantKind(t, fmt.Sprint("ttl ", ttl), err, cache.ErrInvalid)
	}
	gone(t, c, "k")
	add(t, c, "k", "", cache.MaxTTL, true)
}

func (s *suite) cancelled(t *testing.T) {
	c := cache.New(s.open(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Add(ctx, "k", nil, time.Second)
	wantKind(t, "add", err, context.Canceled)
	_, err = c.Get(ctx, "k")
	wantKind(t, "get", err, context.Canceled)
	wantKind(t, "delete", c.Delete(ctx, "k"), context.Canceled)
	_, err = c.Epoch(ctx)
	wantKind(t, "epoch", err, context.Canceled)
	gone(t, c, "k")
}

// closed: a closed cache refuses, so that nobody takes it for an empty one.
func (s *suite) closed(t *testing.T) {
	c := cache.New(s.open(t))
	add(t, c, "k", "", time.Hour, true)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	ok, err := c.Add(ctx, "new", nil, time.Second)
	if wantKind(t, "add", err, cache.ErrUnavailable); ok {
		t.Error("a closed cache says that it added a key")
	}
	_, err = c.Get(ctx, "k")
	wantKind(t, "get", err, cache.ErrUnavailable)
	_, err = c.Epoch(ctx)
	wantKind(t, "epoch", err, cache.ErrUnavailable)
}

// model compares a cache with a map of deadlines. Outside of a bubble no time
// passes in it, as far as the keys are concerned.
func (s *suite) model(t *testing.T) {
	c := cache.New(s.open(t))
	type kept struct {
		value string
		until time.Time
	}
	model := map[string]kept{}
	ttls := []time.Duration{time.Hour, 2 * time.Hour}
	if s.Bubble {
		ttls = []time.Duration{time.Millisecond, 3 * time.Millisecond, time.Second, time.Second + 1}
	}
	rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) { // a bubble has no deadline to ask for
		ctx := t.Context()
		name := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		there := func(k string) (string, bool) {
			m, ok := model[k]
			return m.value, ok && time.Now().Before(m.until)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"add": func(rt *rapid.T) {
				k, v, ttl := name.Draw(rt, "key"), rapid.StringN(0, 8, 32).Draw(rt, "value"), rapid.SampledFrom(ttls).Draw(rt, "ttl")
				_, ok := there(k)
				added, err := c.Add(ctx, k, []byte(v), ttl)
				if err != nil || added == ok {
					rt.Fatalf("added %v, there %v, %v", added, ok, err)
				}
				if added {
					model[k] = kept{v, time.Now().Add((ttl + time.Millisecond - 1).Truncate(time.Millisecond))}
				}
			},
			"delete": func(rt *rapid.T) {
				k := name.Draw(rt, "key")
				if err := c.Delete(ctx, k); err != nil {
					rt.Fatal(err)
				}
				delete(model, k)
			},
			"wait": func(rt *rapid.T) {
				if s.Bubble {
					time.Sleep(rapid.SampledFrom([]time.Duration{1, time.Millisecond - 1, time.Millisecond, 3 * time.Millisecond, time.Second}).Draw(rt, "time"))
				}
			},
			"": func(rt *rapid.T) {
				k := name.Draw(rt, "read")
				want, ok := there(k)
				got, err := c.Get(ctx, k)
				if ok != (err == nil) || ok && string(got) != want || !ok && !errors.Is(err, cache.ErrNotFound) {
					rt.Fatalf("key %s: %q, %v; want %q, there %v", k, got, err, want, ok)
				}
			},
		})
	})
}
