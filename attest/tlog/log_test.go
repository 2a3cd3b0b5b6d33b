package tlog_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stella-ops/stella/attest/tlog"
)

func TestSubmit(t *testing.T) {
	for name, storage := range map[string]tlog.Storage{"memory": tlog.NewMem(), "folder": dir(t, t.TempDir())} {
		t.Run(name, func(t *testing.T) {
			l := open(t, storage, &tlog.Options{MaxBatch: 50})
			const n = 300
			receipts := make([]*tlog.Receipt, n)
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() {
					var err error
					if receipts[i], err = l.Submit(ctx, []byte(entry(i))); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			seen := map[int64]bool{}
			for i, r := range receipts {
				if r == nil {
					t.Fatal("no receipt")
				}
				if _, err := trusting(origin).Verify([]byte(entry(i)), r); err != nil {
					t.Errorf("entry %d: %v", i, err)
				}
				if seen[r.Index] || r.Index >= n {
					t.Errorf("entry %d has index %d", i, r.Index)
				}
				seen[r.Index] = true
			}
			again := submit(t, l, entry(7))
			if again.Index != receipts[7].Index {
				t.Errorf("submitted again: index %d, want %d", again.Index, receipts[7].Index)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Submit(ctx, []byte("late")); !errors.Is(err, tlog.ErrUnavailable) {
				t.Errorf("after Close: %v", err)
			}
			l = open(t, storage, quick())
			for i := range n {
				r := submit(t, l, entry(i))
				if r.Index != receipts[i].Index {
					t.Errorf("opened again: entry %d has index %d, want %d", i, r.Index, receipts[i].Index)
				}
				if _, err := trusting(origin).Verify([]byte(entry(i)), r); err != nil {
					t.Error(err)
				}
			}
			readAll(t, storage, n, receipts)
		})
	}
}

// readAll reads the whole log as a stranger does.
func readAll(t *testing.T, s tlog.Storage, n int64, receipts []*tlog.Receipt) {
	t.Helper()
	r := tlog.NewReader(s.Source(), trusting(origin))
	c, err := r.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if c.Size != n {
		t.Fatalf("size %d, want %d", c.Size, n)
	}
	for i, receipt := range receipts {
		e, err := r.Entry(ctx, c.Tree, receipt.Index)
		if err != nil || string(e) != entry(i) {
			t.Errorf("entry %d: %q, %v", i, e, err)
		}
	}
}

func TestSubmitRefuses(t *testing.T) {
	l := open(t, tlog.NewMem(), &tlog.Options{MaxDelay: -1, MaxEntries: 2})
	if _, err := l.Submit(ctx, make([]byte, tlog.MaxEntry+1)); !errors.Is(err, tlog.ErrLimit) {
		t.Errorf("too large: %v", err)
	}
	submit(t, l, strings.Repeat("x", tlog.MaxEntry))
	submit(t, l, "")
	if _, err := l.Submit(ctx, []byte("third")); !errors.Is(err, tlog.ErrLimit) {
		t.Errorf("one too many: %v", err)
	}
	if r := submit(t, l, ""); r.Index != 1 {
		t.Errorf("a full log still finds what it has: %+v", r)
	}
}

func TestTwoWriters(t *testing.T) {
	path := t.TempDir()
	const writers, each = 3, 20
	logs := make([]*tlog.Log, writers)
	for i := range logs {
		logs[i] = open(t, dir(t, path), &tlog.Options{MaxBatch: 8, MaxDelay: -1})
	}
	var mu sync.Mutex
	index := map[string]int64{}
	var wg sync.WaitGroup
	for w, l := range logs {
		for k := range 4 {
			wg.Go(func() {
				for i := range each {
					// Half of the entries are everybody's.
					e := fmt.Sprintf("%d %d %d", w, k, i)
					if i%2 == 0 {
						e = fmt.Sprintf("all %d", i)
					}
					r, err := l.Submit(ctx, []byte(e))
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := trusting(origin).Verify([]byte(e), r); err != nil {
						t.Error(err)
					}
					mu.Lock()
					if at, ok := index[e]; ok && at != r.Index {
						t.Errorf("%q has indexes %d and %d", e, at, r.Index)
					}
					index[e] = r.Index
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	r := tlog.NewReader(dir(t, path).Source(), trusting(origin))
	c, err := r.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if int(c.Size) != len(index) {
		t.Errorf("%d entries, want %d", c.Size, len(index))
	}
	for e, i := range index {
		if got, err := r.Entry(ctx, c.Tree, i); err != nil || string(got) != e {
			t.Errorf("entry %d: %q, %v, want %q", i, got, err, e)
		}
	}
}
