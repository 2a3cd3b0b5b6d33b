package cache_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stella-ops/stella/store/cache"
	"github.com/stella-ops/stella/store/cache/cachetest"
)

func TestMem(t *testing.T) {
	open := func(*testing.T) cache.Driver { return cache.NewMem(cache.MemLimits{}) }
	t.Run("Bubble", func(t *testing.T) { cachetest.Test(t, open, &cachetest.Options{Bubble: true}) })
	t.Run("Clock", func(t *testing.T) { cachetest.Test(t, open, nil) })
}

// TestMemIsBounded: a full cache drops what has expired, nothing else, and
// refuses.
func TestMemIsBounded(t *testing.T) {
	for _, limits := range []string{"keys=10", "bytes=60"} {
		synctest.Test(t, func(t *testing.T) {
			c, err := cache.Open(t.Context(), "mem:?"+limits)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for i := range 10 {
				if ok, err := c.Add(t.Context(), fmt.Sprintf("key%d", i), []byte("vv"), time.Duration(i+1)*time.Second); !ok || err != nil {
					t.Fatalf("%s: add %d: %v, %v", limits, i, ok, err)
				}
			}
			for range 3 {
				if ok, err := c.Add(t.Context(), "new1", []byte("vv"), time.Hour); ok || !errors.Is(err, cache.ErrUnavailable) {
					t.Errorf("%s: a full cache: %v, %v", limits, ok, err)
				}
			}
			if ok, err := c.Add(t.Context(), "key3", nil, time.Hour); ok || err != nil {
				t.Errorf("%s: a key that is there, in a full cache: %v, %v", limits, ok, err)
			}
			time.Sleep(2 * time.Second)
			for i, want := range []bool{true, true, false} {
				if ok, err := c.Add(t.Context(), fmt.Sprintf("new%d", i), []byte("vv"), time.Hour); ok != want || (err == nil) != want {
					t.Errorf("%s: after two expired, add %d: %v, %v", limits, i, ok, err)
				}
			}
			for i := 2; i < 10; i++ {
				if _, err := c.Get(t.Context(), fmt.Sprintf("key%d", i)); err != nil {
					t.Errorf("%s: key%d was dropped before its time: %v", limits, i, err)
				}
			}
			if err := c.Delete(t.Context(), "key9"); err != nil {
				t.Fatal(err)
			}
			if ok, err := c.Add(t.Context(), "new9", []byte("vv"), time.Hour); !ok || err != nil {
				t.Errorf("%s: after a deletion: %v, %v", limits, ok, err)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	for _, good := range []string{"mem:", "mem:?keys=5", "mem:?keys=5&bytes=100"} {
		c, err := cache.Open(t.Context(), good)
		if err != nil {
			t.Errorf("%s: %v", good, err)
			continue
		}
		if ok, err := c.Add(t.Context(), "k", nil, time.Second); !ok || err != nil {
			t.Errorf("%s: %v, %v", good, ok, err)
		}
	}
	for bad, want := range map[string]string{
		"ftp://u:hunter2@h":  `scheme "ftp": want one of`,
		"://u:hunter2@h":     "cannot be parsed",
		"mem:?x=1":           `query key "x" of the URL: there are keys, bytes`,
		"mem:?keys=1&keys=2": "given twice",
		"mem:?keys=-1":       `keys="-1": want a whole number above 0`,
		"mem:?bytes=1e9":     `bytes="1e9": want a whole number above 0`,
		"mem://u:hunter2@h":  "memory has no address",
	} {
		_, err := cache.Open(t.Context(), bad)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q in it", bad, err, want)
		}
	}
	cache.Register("leaky", func(_ context.Context, u *url.URL) (cache.Driver, error) {
		p, _ := u.User.Password()
		return nil, errors.New("login as " + p + " refused")
	})
	_, err := cache.Open(t.Context(), "leaky://u:hunter2@h")
	if want := "open cache leaky://u:xxxxx@h: login as [redacted] refused"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
