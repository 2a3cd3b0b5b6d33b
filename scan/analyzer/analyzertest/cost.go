package analyzertest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/scan/analyzer"
)

// Growth is a file that can be made as large as wanted.
type Growth struct {
	Name, Path string
	Data       func(n int) string // of about n lines
}

// measurable is a cost that noise does not hide.
const measurable = 4 * time.Millisecond

// Lines repeats a format with the numbers from 0 to n-1.
func Lines(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestCost checks that processor time grows with the size of the input and not with its
// square: sixteen times the input would then cost 256 times the time. It may cost eighty,
// which leaves room for the caches. It is skipped in short runs and where a system does not
// tell processor time.
func TestCost(t *testing.T, a analyzer.Analyzer, list ...Growth) {
	t.Helper()
	if testing.Short() {
		t.Skip("measures time")
	}
	for _, g := range list {
		t.Run(g.Path+" "+g.Name, func(t *testing.T) {
			n := 2_000
			small := cost(t, a, g, n)
			for ; small < measurable && n < 16_000; small = cost(t, a, g, n) {
				n *= 2
			}
			large := cost(t, a, g, 16*n)
			t.Logf("%v, %v", small, large)
			if large > 80*small && large > 50*time.Millisecond {
				t.Errorf("%v for one part, %v for sixteen", small, large)
			}
		})
	}
}

func cost(t *testing.T, a analyzer.Analyzer, g Growth, n int) time.Duration {
	data := []byte(g.Data(n))
	best := time.Hour
	for range 3 {
		runtime.GC()
		collect := debug.SetGCPercent(-1) // its own cost grows by what else is alive
		start := processorTime(t)
		facts, _ := a.Extract(context.Background(), analyzer.NewMemoryFile(g.Path, data))
		in := &analyzer.Squashed{Resolve: func(p string) string { return p }}
		for _, f := range facts {
			in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: g.Path})
		}
		join(a, in)
		best = min(best, processorTime(t)-start)
		debug.SetGCPercent(collect)
	}
	return best
}

// Hostile is a file that would exhaust a careless reader.
type Hostile struct {
	Name, Path, Data string
	Want             error // a kind, such as analyzer's limit; nil: it is read
}

// TestHostile checks what is answered to each.
func TestHostile(t *testing.T, a analyzer.Analyzer, list ...Hostile) {
	t.Helper()
	for _, h := range list {
		t.Run(h.Name, func(t *testing.T) {
			_, err := a.Extract(context.Background(), analyzer.NewMemoryFile(h.Path, []byte(h.Data)))
			if (err == nil) != (h.Want == nil) || h.Want != nil && !errors.Is(err, h.Want) {
				t.Errorf("error %v, want %v", err, h.Want)
			}
			Check(t, a, h.Path, []byte(h.Data))
		})
	}
}
