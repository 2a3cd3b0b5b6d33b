package tlog_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/tlog"
)

// BenchmarkSubmit is sign, log and receipt on this disk, from many callers at once.
func BenchmarkSubmit(b *testing.B) {
	for _, callers := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			l := open(b, dir(b, b.TempDir()), nil)
			took := make([]time.Duration, b.N)
			var wg sync.WaitGroup
			next := make(chan int)
			for range callers {
				wg.Go(func() {
					for i := range next {
						start := time.Now()
						if _, err := l.Submit(ctx, []byte(entry(i))); err != nil {
							b.Error(err)
						}
						took[i] = time.Since(start)
					}
				})
			}
			b.ResetTimer()
			for i := range b.N {
				next <- i
			}
			close(next)
			wg.Wait()
			b.StopTimer()
			slices.Sort(took)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// BenchmarkVerify is what a verifier does offline with one receipt.
func BenchmarkVerify(b *testing.B) {
	l := open(b, tlog.NewMem(), nil)
	r := submit(b, l, entry(1))
	p := trusting(origin)
	for b.Loop() {
		if _, err := p.Verify([]byte(entry(1)), r); err != nil {
			b.Fatal(err)
		}
	}
}
