package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/store/blob"
)

// register is a References as a relational store is one.
type register struct {
	mu        sync.Mutex
	refs      map[string]int
	condemned map[string]bool
	fail      error // what Forget returns, once
}

func newRegister() *register { return &register{refs: map[string]int{}, condemned: map[string]bool{}} }

// Condemn implements blob.References.
func (r *register) Condemn(_ context.Context, digest string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refs[digest] > 0 {
		return false, nil
	}
	r.condemned[digest] = true
	return true, nil
}

// Forget implements blob.References.
func (r *register) Forget(_ context.Context, digest string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.fail; err != nil {
		r.fail = nil
		return err
	}
	delete(r.condemned, digest)
	return nil
}

// refer begins to refer to an object, unless it is condemned.
func (r *register) refer(digest string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.condemned[digest] {
		return false
	}
	r.refs[digest]++
	return true
}

func (r *register) drop(digest string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refs[digest]--
}

// aged is a driver whose listing says that all is old.
type aged struct{ blob.Driver }

func (a aged) List(ctx context.Context, prefix string) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		for info, err := range a.Driver.List(ctx, prefix) {
			info.Modified = info.Modified.Add(-48 * time.Hour)
			if !yield(info, err) {
				return
			}
		}
	}
}

// ancient is a driver that says that all is old.
type ancient struct{ aged }

func (a ancient) Stat(ctx context.Context, key string) (blob.Info, error) {
	info, err := a.Driver.Stat(ctx, key)
	info.Modified = info.Modified.Add(-48 * time.Hour)
	return info, err
}

func (s *suite) grace(t *testing.T) {
	d := s.open(t)
	b, old, refs := blob.New(d), blob.New(ancient{aged{d}}), newRegister()
	used, unused := put(t, b, []byte("used")), put(t, b, []byte("unused"))
	if err := b.Name(t.Context(), unused, "name"); err != nil {
		t.Fatal(err)
	}
	refs.refer(used.Digest)
	got, err := b.Collect(t.Context(), refs, time.Hour)
	if diff := cmp.Diff(blob.Collected{Seen: 2}, got); diff != "" || err != nil {
		t.Errorf("young objects: %v %s", err, diff)
	}
	got, err = old.Collect(t.Context(), refs, time.Hour)
	if diff := cmp.Diff(blob.Collected{Seen: 2, Deleted: 1, Bytes: 6}, got); diff != "" || err != nil {
		t.Errorf("old objects: %v %s", err, diff)
	}
	if diff := cmp.Diff([]string{"name", keyOf(used)}, keys(t, d, "")); diff != "" {
		t.Error(diff)
	}
	if len(refs.condemned) > 0 {
		t.Errorf("condemned for ever: %v", refs.condemned)
	}
	if _, err := b.Collect(t.Context(), refs, 0); !errors.Is(err, blob.ErrInvalid) {
		t.Errorf("without grace: %v", err)
	}
}

// putAgain: an object that was listed as old and put again since stays.
func (s *suite) putAgain(t *testing.T) {
	d, refs := s.open(t), newRegister()
	ref := put(t, blob.New(d), []byte("again"))
	got, err := blob.New(aged{d}).Collect(t.Context(), refs, time.Hour)
	if diff := cmp.Diff(blob.Collected{Seen: 1}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if !refs.refer(ref.Digest) {
		t.Error("it stayed condemned")
	}
}

// died: a collection that dies is gone on with by the next one.
func (s *suite) died(t *testing.T) {
	d, refs := s.open(t), newRegister()
	b := blob.New(ancient{aged{d}})
	ref := put(t, b, []byte("doomed"))
	refs.fail = errors.New("it died")
	if _, err := b.Collect(t.Context(), refs, time.Hour); !errors.Is(err, refs.fail) && err == nil {
		t.Fatal("a failed Forget is no error")
	}
	if refs.refer(ref.Digest) {
		t.Fatal("a condemned object was referred to")
	}
	// The object is gone and condemned: a writer puts it, and cannot refer to it
	// until the next collection.
	put(t, b, []byte("doomed"))
	if _, err := b.Collect(t.Context(), refs, time.Hour); err != nil {
		t.Fatal(err)
	}
	if !refs.refer(ref.Digest) {
		t.Error("it is condemned for ever")
	}
}

// race: writers put, refer and look, others drop, and a collection runs all the
// time. In the end each object that is referred to is there.
func (s *suite) race(t *testing.T) {
	d, refs := s.open(t), newRegister()
	b := blob.New(ancient{aged{d}}) // no grace at all: the worst case
	ctx, stop := context.WithCancel(t.Context())
	var wg, collector sync.WaitGroup
	var deleted atomic.Int64
	collector.Go(func() {
		for ctx.Err() == nil {
			got, err := b.Collect(ctx, refs, time.Hour)
			if err != nil && ctx.Err() == nil {
				t.Errorf("collect: %v", err)
				return
			}
			deleted.Add(int64(got.Deleted))
		}
	})
	const writers, rounds, objects = 4, 25, 5
	var kept atomic.Int64
	limit := time.Now().Add(time.Minute)
	for w := range writers {
		wg.Go(func() {
			// On a busy machine the writers may end before a collection began:
			// they go on, by whole turns, until it has taken something.
			for i := 0; i < rounds || i%rounds != 0 || deleted.Load() == 0 && time.Now().Before(limit); i++ {
				p := fmt.Appendf(nil, "object %d", (w+i)%objects)
				ref, err := keep(t.Context(), b, refs, p)
				if err != nil {
					t.Errorf("keep: %v", err)
					return
				}
				if err := b.Check(t.Context(), ref); err != nil {
					t.Errorf("what is referred to was lost: %v", err)
					return
				}
				kept.Add(1)
				refs.drop(ref.Digest)
			}
		})
	}
	wg.Wait()
	last, err := keep(t.Context(), b, refs, []byte("the last"))
	if err != nil {
		t.Fatal(err)
	}
	stop()
	collector.Wait()
	if _, err := b.Collect(t.Context(), refs, time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := b.Check(t.Context(), last); err != nil {
		t.Errorf("what is referred to was lost: %v", err)
	}
	t.Logf("%d objects were put and kept while %d were collected", kept.Load(), deleted.Load())
	if deleted.Load() == 0 {
		t.Error("nothing was collected meanwhile")
	}
}

// keep is what a writer does: put, refer, and put again what was taken before.
func keep(ctx context.Context, b *blob.Bucket, refs *register, p []byte) (blob.Ref, error) {
	for {
		ref, err := b.Put(ctx, bytes.NewReader(p))
		if err != nil && !errors.Is(err, blob.ErrNotFound) { // taken before Put looked
			return ref, err
		}
		if err != nil || !refs.refer(ref.Digest) {
			time.Sleep(time.Millisecond)
			continue
		}
		for {
			if _, err = b.Stat(ctx, ref); err == nil || !errors.Is(err, blob.ErrNotFound) {
				return ref, err
			}
			if _, err = b.Put(ctx, bytes.NewReader(p)); err != nil && !errors.Is(err, blob.ErrNotFound) {
				return ref, err
			}
		}
	}
}
