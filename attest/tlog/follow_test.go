package tlog_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stella-ops/stella/attest/tlog"
)

// shows is a source that shows another log's checkpoint or files.
type shows struct {
	checkpoint []byte
	tlog.Source
}

func (s shows) Checkpoint(ctx context.Context) ([]byte, error) {
	if s.checkpoint != nil {
		return s.checkpoint, nil
	}
	return s.Source.Checkpoint(ctx)
}

func TestMonitor(t *testing.T) {
	storage, forked := tlog.NewMem(), tlog.NewMem()
	l, f := open(t, storage, quick()), open(t, forked, quick())
	head := tlog.NewMemHead()
	watch := func(s tlog.Source, p *tlog.Policy) (*tlog.Checkpoint, error) {
		return tlog.NewMonitor(tlog.NewReader(s, p), head).Update(ctx)
	}
	size := func(want int64) {
		t.Helper()
		c, err := tlog.NewMonitor(nil, head).Last(ctx)
		if err != nil || c == nil || c.Size != want {
			t.Errorf("remembered: %+v, %v, want size %d", c, err, want)
		}
	}
	if _, err := watch(storage.Source(), trusting(origin)); err != nil {
		t.Fatal(err) // of size 0
	}
	size(0)
	var old []byte
	for i := range 300 {
		submit(t, l, entry(i))
		submit(t, f, entry(300-i))
		if i%90 == 10 {
			if _, err := watch(storage.Source(), trusting(origin)); err != nil {
				t.Fatal(err)
			}
			old, _ = storage.Source().Checkpoint(ctx)
		}
	}
	size(281)
	if c, err := watch(forked.Source(), trusting(origin)); tlog.ReasonOf(err) != tlog.ReasonSplitView || !errors.Is(err, tlog.ErrConflict) {
		t.Errorf("a forked log: %+v, %v", c, err)
	}
	size(281)
	c, err := watch(storage.Source(), trusting(origin))
	if err != nil || c.Size != 300 {
		t.Errorf("grown: %+v, %v", c, err)
	}
	if _, err := watch(forked.Source(), trusting(origin)); tlog.ReasonOf(err) != tlog.ReasonSplitView {
		t.Errorf("a forked log of the same size: %v", err)
	}
	if _, err := watch(shows{old, storage.Source()}, trusting(origin)); tlog.ReasonOf(err) != tlog.ReasonRollback {
		t.Errorf("an older checkpoint: %v", err)
	}
	const other = "log.example/other"
	text := body(other, 301, tlog.Hash{})
	if _, err := watch(shows{[]byte(text + "\n" + logLine(other, text)), storage.Source()}, trusting(other)); tlog.ReasonOf(err) != tlog.ReasonOrigin {
		t.Errorf("another log: %v", err)
	}
	size(300)
}

// TestForkedStorage: a log whose storage was set back or replaced is not gone on with.
func TestForkedStorage(t *testing.T) {
	storage, forked := tlog.NewMem(), tlog.NewMem()
	l := open(t, storage, quick())
	f := open(t, forked, quick())
	for i := range 5 {
		submit(t, l, entry(i))
	}
	for i := range 6 {
		submit(t, f, entry(i+50))
	}
	record, err := forked.Head.Load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	before, err := storage.Head.Load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := storage.Head.Swap(ctx, before, record); err != nil {
		t.Fatal(err)
	}
	if r, err := l.Submit(ctx, []byte("new")); err == nil {
		t.Errorf("appended to another past: %+v", r)
	}
	if _, err := tlog.Open(ctx, storage, logSigner(origin), nil); tlog.ReasonOf(err) == "" {
		t.Errorf("a head without its tiles is opened: %v", err)
	}
	if _, err := tlog.Open(ctx, forked, logSigner("log.example/other"), nil); tlog.ReasonOf(err) != tlog.ReasonUnknownLog {
		t.Errorf("another log's storage: %v", err)
	}
}
