package oracle

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"

	"github.com/stella-ops/stella/attest/tlog"
)

// BenchmarkTlog is the same load on both logs, on this disk and in one run: many
// callers, each waiting until its entry is in a published checkpoint.
func BenchmarkTlog(b *testing.B) {
	for _, callers := range []int{64, 256, 2048} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) { bothLogs(b, callers) })
	}
}

func bothLogs(b *testing.B, callers int) {
	load := func(b *testing.B, submit func(entry []byte) error) {
		took := make([]time.Duration, b.N)
		next := make(chan int)
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for i := range next {
					start := time.Now()
					if err := submit(logEntry(i)); err != nil {
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
	}
	ctx := context.Background()
	b.Run("ours", func(b *testing.B) {
		s, c, err := tlog.NewDir(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		l, err := tlog.Open(ctx, s, newLogKeys(b).ours, nil)
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		load(b, func(entry []byte) error {
			_, err := l.Submit(ctx, entry)
			return err
		})
	})
	// As fast as tessera lets itself be set: its least checkpoint interval.
	b.Run("tessera", func(b *testing.B) {
		d, err := posix.New(ctx, posix.Config{Path: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		opt := tessera.NewAppendOptions().WithCheckpointSigner(newLogKeys(b).theirs).WithBatching(1024, 20*time.Millisecond).WithCheckpointInterval(100 * time.Millisecond)
		running, cancel := context.WithCancel(ctx)
		defer cancel()
		a, shutdown, reader, err := tessera.NewAppender(running, d, opt)
		if err != nil {
			b.Fatal(err)
		}
		await := tessera.NewPublicationAwaiter(running, reader.ReadCheckpoint, 10*time.Millisecond)
		load(b, func(entry []byte) error {
			_, _, err := await.Await(ctx, a.Add(ctx, tessera.NewEntry(entry)))
			return err
		})
		if err := shutdown(ctx); err != nil {
			b.Error(err)
		}
	})
}
