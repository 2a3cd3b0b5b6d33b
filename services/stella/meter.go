package main

import (
	"io"
	"os"
	"sync/atomic"
	"time"

	gobars "github.com/jedib0t/go-pretty/v6/progress"
	"golang.org/x/term"
)

// meter counts bytes that are read, and shows them on a terminal.
type meter struct {
	count   atomic.Int64
	tracker *gobars.Tracker // nil where nobody watches
	writer  gobars.Writer
	done    chan struct{}
}

// meter starts one; what says what happens to the bytes.
func (p *program) meter(what string, quiet bool) *meter {
	m := new(meter)
	f, ok := p.stderr.(*os.File)
	if quiet || !ok || !term.IsTerminal(int(f.Fd())) {
		return m
	}
	m.writer, m.done = gobars.NewWriter(), make(chan struct{})
	m.writer.SetOutputWriter(f)
	m.writer.SetAutoStop(false)
	m.writer.SetTrackerLength(24)
	m.writer.SetUpdateFrequency(100 * time.Millisecond)
	m.writer.Style().Visibility.Speed = true
	m.tracker = &gobars.Tracker{Message: what, Units: gobars.UnitsBytes}
	m.writer.AppendTracker(m.tracker)
	go func() {
		m.writer.Render()
		close(m.done)
	}()
	return m
}

func (m *meter) bytes() int64 { return m.count.Load() }

// open counts what is read of what was opened.
func (m *meter) open(rc io.ReadCloser, err error) (io.ReadCloser, error) {
	if err != nil {
		return nil, err
	}
	return counted{rc, m}, nil
}

func (m *meter) stop() {
	if m.writer == nil {
		return
	}
	m.tracker.MarkAsDone()
	m.writer.Stop()
	<-m.done
}

type counted struct {
	io.ReadCloser
	meter *meter
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.meter.count.Add(int64(n))
	if c.meter.tracker != nil {
		c.meter.tracker.Increment(int64(n))
	}
	return n, err
}
