package tlog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/internal/fault"
)

var errFlaky = fmt.Errorf("the network: %w", fault.Unavailable)

// flaky fails before or after it did what it was asked to.
type flaky struct {
	tlog.Files
	tlog.Head
	mu   sync.Mutex
	rand *rand.Rand
}

func (f *flaky) fails(do func() error) error {
	f.mu.Lock()
	n := f.rand.IntN(12)
	f.mu.Unlock()
	if n == 0 {
		return errFlaky
	}
	err := do()
	if n == 1 && err == nil {
		return errFlaky
	}
	return err
}

func (f *flaky) Put(ctx context.Context, path string, content []byte) error {
	return f.fails(func() error { return f.Files.Put(ctx, path, content) })
}

func (f *flaky) Delete(ctx context.Context, path string) error {
	return f.fails(func() error { return f.Files.Delete(ctx, path) })
}

func (f *flaky) Get(ctx context.Context, path string, max int) (b []byte, err error) {
	err = f.fails(func() error { b, err = f.Files.Get(ctx, path, max); return err })
	return b, err
}

func (f *flaky) Load(ctx context.Context) (b []byte, err error) {
	err = f.fails(func() error { b, err = f.Head.Load(ctx); return err })
	return b, err
}

func (f *flaky) Swap(ctx context.Context, old, new []byte) error {
	return f.fails(func() error { return f.Head.Swap(ctx, old, new) })
}

// TestFlakyStorage: two writers on a storage whose calls fail before or after their
// effect lose nothing, double nothing and never show two pasts.
func TestFlakyStorage(t *testing.T) {
	seeds := uint64(6)
	if os.Getenv("STELLA_LONG") != "" {
		seeds = 150
	}
	for seed := range seeds {
		whole := tlog.NewMem()
		monitor := tlog.NewMonitor(tlog.NewReader(whole.Source(), trusting(origin)), tlog.NewMemHead())
		index := map[string]int64{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for w := range uint64(2) {
			f := &flaky{Files: whole.Files, Head: whole.Head, rand: rand.New(rand.NewPCG(seed, w))}
			var l *tlog.Log
			for l == nil {
				var err error
				if l, err = tlog.Open(ctx, tlog.Storage{Files: f, Head: f}, logSigner(origin), quick()); err != nil && !errors.Is(err, tlog.ErrUnavailable) {
					t.Fatal(err)
				}
			}
			defer l.Close()
			for k := range 4 {
				wg.Go(func() {
					for i := range 25 {
						e := entry(k*25 + i) // those of the other writer
						r, err := l.Submit(ctx, []byte(e))
						for n := 0; errors.Is(err, tlog.ErrUnavailable) && n < 200; n++ {
							r, err = l.Submit(ctx, []byte(e))
						}
						if err == nil {
							_, err = trusting(origin).Verify([]byte(e), r)
						}
						if err != nil {
							t.Errorf("seed %d: %v", seed, err)
							return
						}
						mu.Lock()
						if at, ok := index[e]; ok && at != r.Index {
							t.Errorf("seed %d: %s has indexes %d and %d", seed, e, at, r.Index)
						}
						index[e] = r.Index
						_, err = monitor.Update(ctx)
						mu.Unlock()
						if err != nil {
							t.Errorf("seed %d: %v", seed, err)
						}
					}
				})
			}
		}
		wg.Wait()
		c, err := monitor.Update(ctx)
		if err != nil || c.Size != 100 {
			t.Errorf("seed %d: %d entries, %v, want 100", seed, c.Size, err)
		}
	}
}
