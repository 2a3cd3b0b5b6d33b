package netguard

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// rate is the least speed of a body: min bytes per second over each window of
// time that was spent waiting for it. Time the caller takes between reads does
// not count.
type rate struct {
	min    int64
	window time.Duration
}

// body ends with an error when its bytes come too slowly.
type body struct {
	rc    io.ReadCloser
	rate  rate
	host  string
	spent time.Duration // waiting, in this window
	got   int64         // bytes, in this window
	slow  atomic.Bool
}

func (r rate) guard(rc io.ReadCloser, host string) io.ReadCloser {
	return &body{rc: rc, rate: r, host: host}
}

// Read reads like the body itself. A read that lasts a whole window is ended by
// closing the body underneath it.
func (b *body) Read(p []byte) (int, error) {
	if b.slow.Load() {
		return 0, b.tooSlow()
	}
	timer := time.AfterFunc(b.rate.window, func() {
		b.slow.Store(true)
		b.rc.Close()
	})
	start := time.Now()
	n, err := b.rc.Read(p)
	b.spent += time.Since(start)
	timer.Stop()
	b.got += int64(n)
	if err != nil && b.slow.Load() {
		return n, b.tooSlow()
	}
	if b.spent >= b.rate.window {
		if b.got*1000 < b.rate.min*b.spent.Milliseconds() {
			b.slow.Store(true)
			b.rc.Close()
			return n, b.tooSlow()
		}
		b.spent, b.got = 0, 0
	}
	return n, err
}

// Close closes the body.
func (b *body) Close() error { return b.rc.Close() }

func (b *body) tooSlow() error {
	return fmt.Errorf("answer of %s: slower than %d bytes per second over %s: %w", b.host, b.rate.min, b.rate.window, fault.Unavailable)
}
