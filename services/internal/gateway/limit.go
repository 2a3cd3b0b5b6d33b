package gateway

import (
	"context"
	"fmt"
	"hash/maphash"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// Rate is how often something may happen: Burst times at once, and once each Every after
// that (GCRA). The zero value is no limit.
type Rate struct {
	Every time.Duration
	Burst int
}

// Rates are those of a class of routes: of each client, and of each tenant with all its
// clients. On public routes a client is an address.
type Rates struct{ Client, Tenant Rate }

// Shared is a limit that several gateways have in common. Package valkeylimit has one.
type Shared interface {
	// Allow reports whether something may happen now, and if not, when.
	Allow(ctx context.Context, key string, cost int, every time.Duration, burst int) (ok bool, retry time.Duration, err error)
}

// limiter holds rates locally. It is bounded: where it is full some other key is forgotten,
// whose owner may then do its burst again.
type limiter struct {
	seed   maphash.Seed
	shards [32]struct {
		mu  sync.Mutex
		tat map[string]int64 // when the theoretical next one arrives, in nanoseconds
	}
}

const maxKeys = 4096 // of a shard

func newLimiter() *limiter { return &limiter{seed: maphash.MakeSeed()} }

// allow reports whether something may happen at now. Otherwise retry is how long it takes
// until it may. left is how often more it may happen at once, reset when all of the burst is
// there again.
func (l *limiter) allow(key string, r Rate, now time.Time) (ok bool, left int, retry, reset time.Duration) {
	if r.Every <= 0 || r.Burst <= 0 {
		return true, 0, 0, 0
	}
	s := &l.shards[maphash.String(l.seed, key)%uint64(len(l.shards))]
	t, every := now.UnixNano(), int64(r.Every)
	span := every * int64(r.Burst)
	s.mu.Lock()
	defer s.mu.Unlock()
	tat, known := s.tat[key]
	next := max(tat, t) + every
	if next-t > span {
		return false, 0, time.Duration(next - t - span), time.Duration(tat - t)
	}
	if !known {
		if s.tat == nil {
			s.tat = map[string]int64{}
		}
		l.room(s.tat, t)
	}
	s.tat[key] = next
	return true, int((span - (next - t)) / every), 0, time.Duration(next - t)
}

// room makes room for one more.
func (l *limiter) room(m map[string]int64, now int64) {
	if len(m) < maxKeys {
		return
	}
	for k, tat := range m {
		if tat <= now {
			delete(m, k)
		}
	}
	for k := range m { // whichever comes first
		if len(m) < maxKeys {
			return
		}
		delete(m, k)
	}
}

// sharing asks the shared limit, and leaves it alone for a second after it was away.
type sharing struct {
	limit Shared
	until atomic.Int64 // unix nanoseconds
}

// sharedTime bounds what a shared limit may cost each request.
const sharedTime = 50 * time.Millisecond

// errShared stands for an error of a moment ago.
var errShared = fmt.Errorf("the shared limit was away a moment ago: %w", fault.Unavailable)

// allow reports whether something may happen, and whether the limit could not be asked: then
// it may.
func (s *sharing) allow(ctx context.Context, key string, r Rate, now time.Time) (ok bool, retry time.Duration, away error) {
	if s.limit == nil || r.Every <= 0 || r.Burst <= 0 {
		return true, 0, nil
	}
	if now.UnixNano() < s.until.Load() {
		return true, 0, errShared
	}
	ctx, cancel := context.WithTimeout(ctx, sharedTime)
	defer cancel()
	ok, retry, err := s.limit.Allow(ctx, key, 1, r.Every, r.Burst)
	if err != nil {
		s.until.Store(now.Add(time.Second).UnixNano())
		return true, 0, err
	}
	return ok, retry, nil
}

// rateHeaders tell a client of its limit (draft-ietf-httpapi-ratelimit-headers).
func rateHeaders(h map[string][]string, class string, r Rate, left int, reset time.Duration) {
	window := max(1, int((time.Duration(r.Burst)*r.Every+time.Second-1)/time.Second))
	h["Ratelimit-Policy"] = []string{strconv.Quote(class) + ";q=" + strconv.Itoa(r.Burst) + ";w=" + strconv.Itoa(window)}
	h["Ratelimit"] = []string{strconv.Quote(class) + ";r=" + strconv.Itoa(left) + ";t=" + strconv.Itoa(int((reset+time.Second-1)/time.Second))}
}

// crowd counts the requests of each tenant that are under way.
type crowd struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *crowd) enter(key string, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	if c.n[key] >= most {
		return false
	}
	c.n[key]++
	return true
}

func (c *crowd) leave(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[key]--; c.n[key] == 0 {
		delete(c.n, key)
	}
}

// over reports whether allow would refuse now, and counts nothing.
func (l *limiter) over(key string, r Rate, now time.Time) (bool, time.Duration) {
	s := &l.shards[maphash.String(l.seed, key)%uint64(len(l.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := max(s.tat[key], now.UnixNano()) + int64(r.Every) - now.UnixNano() - int64(r.Every)*int64(r.Burst)
	return wait > 0, time.Duration(wait)
}
