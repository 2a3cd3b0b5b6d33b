package tlog_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/tlog"
)

// TestThreeLevels: a log over the edge of level-1 tiles, opened in between.
func TestThreeLevels(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 66,000 entries")
	}
	const n = 66_000
	storage := tlog.NewMem()
	receipts := make([]*tlog.Receipt, n)
	for part := range 2 {
		l := open(t, storage, &tlog.Options{MaxDelay: -1, MaxBatch: 4096})
		var wg sync.WaitGroup
		for i := part * n / 2; i < (part+1)*n/2; i++ {
			wg.Go(func() {
				var err error
				if receipts[i], err = l.Submit(ctx, []byte(entry(i))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		l.Close()
	}
	r := tlog.NewReader(storage.Source(), trusting(origin))
	c, err := r.Checkpoint(ctx)
	if err != nil || c.Size != n {
		t.Fatalf("%+v, %v", c, err)
	}
	for i := 0; i < n; i += 397 {
		old, err := trusting(origin).Verify([]byte(entry(i)), receipts[i])
		if err != nil {
			t.Fatal(err)
		}
		proof, err := r.Consistency(ctx, c.Tree, old.Checkpoint.Size)
		if err == nil {
			err = tlog.Follow(old.Checkpoint, c, proof)
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, err := r.Entry(ctx, c.Tree, receipts[i].Index); err != nil || string(e) != entry(i) {
			t.Fatalf("entry %d: %q, %v", i, e, err)
		}
	}
}

// hides is a source without some files.
type hides struct {
	tlog.Source
	path string
}

func (h hides) Get(ctx context.Context, path string, max int) ([]byte, error) {
	if path == h.path {
		return nil, fmt.Errorf("%s: %w", path, tlog.ErrNotFound)
	}
	return h.Source.Get(ctx, path, max)
}

// TestDroppedPartialTiles: a log may drop a partial tile once the full one is there.
func TestDroppedPartialTiles(t *testing.T) {
	storage := tlog.NewMem()
	l := open(t, storage, nil)
	fill(t, l, 0, 250)
	old, err := tlog.NewReader(storage.Source(), trusting(origin)).Checkpoint(ctx)
	if err != nil || old.Size != 250 {
		t.Fatalf("%+v, %v", old, err)
	}
	for _, path := range []string{"tile/0/000.p/250", "tile/entries/000.p/250"} {
		r := tlog.NewReader(hides{storage.Source(), path}, trusting(origin))
		if _, err := r.Entry(ctx, old.Tree, 7); tlog.ReasonOf(err) != tlog.ReasonMissing || !errors.Is(err, tlog.ErrNotFound) {
			t.Errorf("%s, without the full one: %v", path, err)
		}
	}
	fill(t, l, 250, 260)
	for _, path := range []string{"tile/0/000.p/250", "tile/entries/000.p/250"} {
		if _, err := storage.Files.Get(ctx, path, 1<<20); !errors.Is(err, tlog.ErrNotFound) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
	for _, path := range []string{"tile/0/000.p/250", "tile/entries/000.p/250"} {
		r := tlog.NewReader(hides{storage.Source(), path}, trusting(origin))
		if entries, err := r.Entries(ctx, old.Tree, 7); err != nil || len(entries) != 243 {
			t.Errorf("%s: %d entries, %v", path, len(entries), err)
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	storage := tlog.NewMem()
	l := open(t, storage, quick())
	submit(t, l, entry(0))
	r := tlog.NewReader(storage.Source(), trusting(origin))
	c, err := r.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	huge := tlog.Tree{Origin: origin, Size: tlog.MaxSize + 1}
	for _, err := range []error{
		second(r.Leaf(ctx, c.Tree, 1)), second(r.Leaf(ctx, c.Tree, -1)), second(r.Entry(ctx, c.Tree, 1)), second(r.Inclusion(ctx, huge, 0)),
		second(r.Consistency(ctx, c.Tree, 2)), second(r.Consistency(ctx, c.Tree, -1)), second(r.Consistency(ctx, huge, 1)), second(r.Receipt(ctx, c, 5)),
	} {
		if tlog.ReasonOf(err) != tlog.ReasonIndex {
			t.Errorf("%v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestOptions(t *testing.T) {
	w := newWitness(t, "w1")
	for name, o := range map[string]*tlog.Options{
		"negative batch":     {MaxBatch: -1},
		"negative entries":   {MaxEntries: -1},
		"unreachable":        {WitnessThreshold: 1},
		"one witness, twice": {Witnesses: []tlog.Cosigner{w, w}, WitnessThreshold: 2},
		"no witness":         {Witnesses: []tlog.Cosigner{nil}},
		"a log as a witness": {Witnesses: []tlog.Cosigner{lying{key: logSigner(origin).Key()}}},
	} {
		if _, err := tlog.Open(ctx, tlog.NewMem(), logSigner(origin), o); !errors.Is(err, tlog.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := tlog.Open(ctx, tlog.Storage{}, logSigner(origin), nil); !errors.Is(err, tlog.ErrInvalid) {
		t.Errorf("no storage: %v", err)
	}
	if _, err := tlog.Open(ctx, tlog.NewMem(), witnessSigner("w1"), nil); !errors.Is(err, tlog.ErrInvalid) {
		t.Errorf("a witness as a log: %v", err)
	}
	if _, err := tlog.NewWitness(logSigner(origin), &tlog.WitnessOptions{Logs: trusting(origin).Logs, Head: heads()}); !errors.Is(err, tlog.ErrInvalid) {
		t.Errorf("a log as a witness: %v", err)
	}
	if _, err := tlog.NewWitness(witnessSigner("w1"), &tlog.WitnessOptions{Head: heads()}); !errors.Is(err, tlog.ErrInvalid) {
		t.Errorf("a witness without logs: %v", err)
	}
}

// slow signs after it was let to.
type slow struct {
	dsse.Signer
	may chan struct{}
}

func (s slow) Sign(ctx context.Context, message []byte) ([]byte, error) {
	<-s.may
	return s.Signer.Sign(ctx, message)
}

func TestLookupAndWaiting(t *testing.T) {
	k := key(origin)
	may := make(chan struct{}, 10)
	signer, err := tlog.NewLogSigner(origin, k.Public(), slow{k, may})
	if err != nil {
		t.Fatal(err)
	}
	may <- struct{}{} // the empty tree
	l, err := tlog.Open(ctx, tlog.NewMem(), signer, &tlog.Options{MaxDelay: -1, MaxPending: 1})
	if err != nil {
		t.Fatal(err)
	}
	leaf := tlog.LeafHash([]byte(entry(0)))
	if _, err := l.Lookup(ctx, leaf); !errors.Is(err, tlog.ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := l.Submit(gone, []byte(entry(0))); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that is gone: %v", err)
	}
	if _, err := l.Submit(ctx, []byte(entry(1))); !errors.Is(err, tlog.ErrUnavailable) {
		t.Errorf("more than may wait: %v", err)
	}
	may <- struct{}{}
	if r, err := l.Submit(ctx, []byte(entry(0))); err != nil || r.Index != 0 {
		t.Errorf("the same entry, while it waits: %+v, %v", r, err)
	}
	if r, err := l.Lookup(ctx, leaf); err != nil || r.Index != 0 {
		t.Errorf("after: %+v, %v", r, err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
}
