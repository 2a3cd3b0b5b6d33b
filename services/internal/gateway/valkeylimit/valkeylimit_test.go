package valkeylimit_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/internal/gateway"
	"github.com/stella-ops/stella/services/internal/gateway/valkeylimit"
)

var _ gateway.Shared = (*valkeylimit.Limit)(nil)

func open(t *testing.T) *valkeylimit.Limit {
	t.Helper()
	u := os.Getenv("STELLA_TEST_VALKEY")
	if u == "" {
		t.Skip("STELLA_TEST_VALKEY is not set: want the URL of a Valkey or Redis server, such as valkey://127.0.0.1:6379/0")
	}
	l, err := valkeylimit.Open(u, &valkeylimit.Options{Prefix: "test-" + strings.ToLower(rand.Text()) + ":"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestAllow: of any number that ask at once exactly the burst is allowed, over two
// gateways; then one each time.
func TestAllow(t *testing.T) {
	one := open(t)
	var allowed atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			ok, retry, err := one.Allow(t.Context(), "k", 1, time.Minute, 7)
			if err != nil {
				t.Error(err)
			}
			if ok {
				allowed.Add(1)
			} else if retry <= 0 || retry > time.Minute {
				t.Errorf("retry after %v", retry)
			}
		})
	}
	all.Wait()
	if n := allowed.Load(); n != 7 {
		t.Errorf("%d were allowed", n)
	}
	if ok, _, err := one.Allow(t.Context(), "other", 7, time.Minute, 7); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, retry, err := one.Allow(t.Context(), "other", 2, time.Minute, 7); ok || err != nil || retry <= time.Minute || retry > 2*time.Minute {
		t.Error(ok, retry, err)
	}
	if ok, _, err := one.Allow(t.Context(), "fast", 1, time.Millisecond, 1); !ok || err != nil {
		t.Error(ok, err)
	}
	for ok := false; !ok; { // comes back, in its time
		var err error
		if ok, _, err = one.Allow(t.Context(), "fast", 1, time.Millisecond, 1); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBad(t *testing.T) {
	for bad, want := range map[string]string{
		"http://h": "scheme", "valkey://": "no host", "valkey://u:hunter2@h?x=1": "there are prefix", "valkey://u:hunter2@h?connections=x": "connections", ":": "cannot be parsed", "valkey://u:hunter2@h?prefix=a&prefix=b": "each once",
	} {
		_, err := valkeylimit.Open(bad, nil)
		if !errors.Is(err, fault.Invalid) || !strings.Contains(fmt.Sprint(err), want) || strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	l, err := valkeylimit.Open("valkey://u:hunter2@127.0.0.1:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, _, err := l.Allow(context.Background(), "k", 1, time.Second, 1); !errors.Is(err, fault.Unavailable) || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
	for _, q := range []struct {
		key         string
		cost, burst int
		every       time.Duration
	}{{"", 1, 1, time.Second}, {"k", 0, 1, time.Second}, {"k", 2, 1, time.Second}, {"k", 1, 1, 0}, {"k", 1, 1, 25 * time.Hour}, {"k", 1, 1e6 + 1, time.Microsecond}, {strings.Repeat("k", 513), 1, 1, time.Second}} {
		if _, _, err := l.Allow(context.Background(), q.key, q.cost, q.every, q.burst); !errors.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}
