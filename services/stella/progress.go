package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	gobars "github.com/jedib0t/go-pretty/v6/progress"
	"golang.org/x/term"

	"github.com/stella-ops/stella/scan"
)

// bars show one line a layer on a terminal: bytes, rate, time.
type bars struct {
	writer gobars.Writer
	mu     sync.Mutex
	layers []*gobars.Tracker
	image  *scan.Image
	done   chan struct{}
}

// progress returns nil where nobody watches.
func (p *program) progress(quiet bool, img *scan.Image) *bars {
	f, ok := p.stderr.(*os.File)
	if quiet || !ok || len(img.Layers) == 0 || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	w := gobars.NewWriter()
	w.SetOutputWriter(f)
	w.SetAutoStop(false)
	w.SetTrackerLength(24)
	w.SetUpdateFrequency(100 * time.Millisecond)
	w.SetStyle(gobars.StyleDefault)
	w.Style().Visibility.ETA = false
	w.Style().Visibility.Speed = true
	w.Style().Options.SpeedPosition = gobars.PositionRight
	b := &bars{writer: w, layers: make([]*gobars.Tracker, len(img.Layers)), image: img, done: make(chan struct{})}
	go func() {
		w.Render()
		close(b.done)
	}()
	return b
}

func (b *bars) step(p scan.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.layers[p.Layer]
	if t == nil && p.Cached {
		return // nothing was read: nothing to watch
	}
	if t == nil {
		t = &gobars.Tracker{Message: fmt.Sprintf("layer %d", p.Layer+1), Total: max(b.image.Layers[p.Layer].Descriptor.Size, 0), Units: gobars.UnitsBytes}
		b.layers[p.Layer] = t
		b.writer.AppendTracker(t)
	}
	t.Increment(p.Bytes)
	if p.Done {
		t.MarkAsDone()
	}
}

func (b *bars) stop() {
	b.writer.Stop()
	<-b.done
}
