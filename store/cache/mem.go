package cache

import (
	"bytes"
	"container/heap"
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// MemLimits bound a cache in memory.
type MemLimits struct {
	Keys  int64 // 0 means 1,000,000
	Bytes int64 // of keys and values; 0 means 256 MiB
}

// NewMem returns a driver that keeps keys in memory. When it is full it drops
// what has expired; when it is still full, Add fails with ErrUnavailable: it
// never drops a key before its time.
func NewMem(limits MemLimits) Driver {
	if limits.Keys <= 0 {
		limits.Keys = 1_000_000
	}
	if limits.Bytes <= 0 {
		limits.Bytes = 256 << 20
	}
	return &mem{limits: limits, epoch: rand.Text(), entries: map[string]*entry{}}
}

type mem struct {
	limits MemLimits
	epoch  string

	mu      sync.Mutex
	closed  bool
	bytes   int64
	entries map[string]*entry
	byTime  byTime
}

type entry struct {
	key     string
	value   []byte
	expires time.Time
	at      int // in byTime
}

func (e *entry) size() int64 { return int64(len(e.key) + len(e.value)) }

// ready says why nothing should be done. The lock is held.
func (m *mem) ready(ctx context.Context) error {
	if m.closed {
		return fmt.Errorf("the cache is closed: %w", fault.Unavailable)
	}
	return ctx.Err()
}

func (m *mem) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(ctx); err != nil {
		return false, err
	}
	now := time.Now()
	for len(m.byTime) > 0 && !now.Before(m.byTime[0].expires) {
		m.remove(m.byTime[0])
	}
	if m.entries[key] != nil {
		return false, nil
	}
	e := &entry{key: key, value: bytes.Clone(value), expires: now.Add(ttl)}
	if int64(len(m.entries)) >= m.limits.Keys || m.bytes+e.size() > m.limits.Bytes {
		return false, fmt.Errorf("the cache is full of keys that have not expired, %d of %d bytes; allow more, or keep them for a shorter time: %w", len(m.entries), m.bytes, fault.Unavailable)
	}
	m.entries[key] = e
	m.bytes += e.size()
	heap.Push(&m.byTime, e)
	return true, nil
}

func (m *mem) remove(e *entry) {
	heap.Remove(&m.byTime, e.at)
	delete(m.entries, e.key)
	m.bytes -= e.size()
}

func (m *mem) Get(ctx context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(ctx); err != nil {
		return nil, err
	}
	e := m.entries[key]
	if e == nil || !time.Now().Before(e.expires) {
		return nil, fmt.Errorf("no such key: %w", fault.NotFound)
	}
	return bytes.Clone(e.value), nil
}

func (m *mem) Delete(ctx context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.ready(ctx); err != nil {
		return err
	}
	if e := m.entries[key]; e != nil {
		m.remove(e)
	}
	return nil
}

func (m *mem) Epoch(ctx context.Context) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.epoch, m.ready(ctx)
}

func (m *mem) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.entries, m.byTime, m.bytes = true, nil, nil, 0
	return nil
}

// byTime is a heap of what expires first.
type byTime []*entry

// Len implements heap.Interface.
func (h byTime) Len() int { return len(h) }

// Less implements heap.Interface.
func (h byTime) Less(i, j int) bool { return h[i].expires.Before(h[j].expires) }

// Swap implements heap.Interface.
func (h byTime) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements heap.Interface.
func (h *byTime) Push(x any) {
	e := x.(*entry)
	e.at = len(*h)
	*h = append(*h, e)
}

// Pop implements heap.Interface.
func (h *byTime) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
