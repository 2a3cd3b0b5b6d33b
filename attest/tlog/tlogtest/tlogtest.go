// Package tlogtest proves that a storage keeps what attest/tlog asks of it.
//
// A log lies in two places, and each has a suite. [Files] proves where tiles and
// checkpoints are: files that are written once, where other bytes under the same name
// are a conflict, and reading is bounded. [Head] proves the one value that is swapped
// in when the log grows: of several processes that swap at once one wins, and the
// others are told.
//
// Whoever keeps a log elsewhere than in a folder, a bucket or the store runs both. A
// storage that breaks one of these rules can fork the log, which no reader forgives.
package tlogtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stella-ops/stella/attest/tlog"
)

// Files proves files, which must be empty.
func Files(t *testing.T, f tlog.Files) {
	t.Helper()
	ctx := context.Background()
	const path = "tile/0/x001/234.p/7"
	if b, err := f.Get(ctx, path, 100); !errors.Is(err, tlog.ErrNotFound) {
		t.Errorf("before it was put: %q, %v, want ErrNotFound", b, err)
	}
	if err := f.Delete(ctx, path); err != nil {
		t.Errorf("delete what is not there: %v", err)
	}
	content := bytes.Repeat([]byte("x"), 100)
	for range 2 { // the second time it is there
		if err := f.Put(ctx, path, content); err != nil {
			t.Fatal(err)
		}
	}
	for _, other := range [][]byte{nil, content[:99], append(content[:99:99], 'y'), append(content[:100:100], 'x')} {
		if err := f.Put(ctx, path, other); !errors.Is(err, tlog.ErrConflict) {
			t.Errorf("%d other bytes: %v, want ErrConflict", len(other), err)
		}
	}
	if b, err := f.Get(ctx, path, 100); err != nil || !bytes.Equal(b, content) {
		t.Errorf("%q, %v", b, err)
	}
	if b, err := f.Get(ctx, path, 99); !errors.Is(err, tlog.ErrLimit) {
		t.Errorf("a file over the limit: %q, %v, want ErrLimit", b, err)
	}
	for _, other := range []string{"tile/0/x001/234", "tile/0/x001/234.p/70", "tile/entries/x001/234.p/7"} { // one next to the other
		if err := f.Put(ctx, other, []byte(other)); err != nil {
			t.Errorf("%s: %v", other, err)
		}
		if b, err := f.Get(ctx, other, 100); err != nil || string(b) != other {
			t.Errorf("%s: %q, %v", other, b, err)
		}
	}
	if err := f.Delete(ctx, path); err != nil {
		t.Error(err)
	}
	if b, err := f.Get(ctx, path, 100); !errors.Is(err, tlog.ErrNotFound) {
		t.Errorf("deleted: %q, %v, want ErrNotFound", b, err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := f.Get(gone, "tile/0/x001/234", 100); err == nil {
		t.Error("read after the context ended")
	}
}

// Head proves a head. open opens the same one each time, as several processes do; it
// has no record yet.
func Head(t *testing.T, open func() tlog.Head) {
	t.Helper()
	ctx := context.Background()
	h := open()
	if b, err := h.Load(ctx); b != nil || err != nil {
		t.Fatalf("before the first record: %q, %v, want nil", b, err)
	}
	conflict := func(what string, old, new []byte) {
		t.Helper()
		if err := h.Swap(ctx, old, new); !errors.Is(err, tlog.ErrConflict) {
			t.Errorf("%s: %v, want ErrConflict", what, err)
		}
	}
	conflict("a record where there is none", []byte("x"), []byte("y"))
	large := bytes.Repeat([]byte("x"), tlog.MaxHead)
	if err := h.Swap(ctx, nil, large); err != nil {
		t.Fatal(err)
	}
	conflict("none where there is one", nil, []byte("y"))
	conflict("an empty record where there is one", []byte{}, []byte("y"))
	conflict("another record", large[1:], []byte("y"))
	if b, err := open().Load(ctx); err != nil || !bytes.Equal(b, large) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if err := h.Swap(ctx, large, []byte("0")); err != nil {
		t.Fatal(err)
	}
	count(t, open)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := h.Swap(gone, []byte("0"), []byte("y")); err == nil {
		t.Error("swapped after the context ended")
	}
}

// count has many swap at once: each number is made by one.
func count(t *testing.T, open func() tlog.Head) {
	t.Helper()
	const writers, each = 4, 20
	ctx := context.Background()
	var lost atomic.Int64
	var wg sync.WaitGroup
	for range writers {
		h := open()
		wg.Go(func() {
			for done := 0; done < each; {
				old, err := h.Load(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				var n int
				if _, err := fmt.Sscan(string(old), &n); err != nil {
					t.Errorf("half a record %q: %v", old, err)
					return
				}
				switch err := h.Swap(ctx, old, fmt.Append(nil, n+1)); {
				case err == nil:
					done++
				case errors.Is(err, tlog.ErrConflict):
					lost.Add(1)
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if b, err := open().Load(ctx); err != nil || string(b) != fmt.Sprint(writers*each) {
		t.Errorf("counted to %q, %v, want %d", b, err, writers*each)
	}
	t.Logf("%d swaps lost and made again", lost.Load())
}
