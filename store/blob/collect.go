package blob

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
)

// Collected says what a collection did.
type Collected struct {
	Seen    int   // objects that are kept by digest
	Deleted int   // of them
	Bytes   int64 // that were freed
}

// Collect deletes what nothing refers to and what was last written more than
// grace ago, by this machine's clock against the backend's. It also removes what
// writers left half done before that. Names are never deleted.
//
// Each object is condemned first, so that nobody can begin to refer to it, looked
// at once more, deleted, and forgotten. A collection that dies leaves the object
// condemned; the next one goes on with it.
//
// Two things keep what is referred to. grace must be longer than a writer takes
// from the start of a Put until its reference is committed; and a writer asks Stat
// after that and puts the object again where it is gone, see [Bucket.Stat]. Only
// one collection may run at a time in a bucket.
func (b *Bucket) Collect(ctx context.Context, refs References, grace time.Duration) (Collected, error) {
	var done Collected
	if grace <= 0 {
		return done, fmt.Errorf("collect: grace %v: want more than 0: %w", grace, fault.Invalid)
	}
	before := time.Now().Add(-grace)
	if s, ok := b.driver.(sweeper); ok {
		if err := s.Sweep(ctx, before); err != nil {
			return done, fmt.Errorf("collect: remove what was left half done: %w", err)
		}
	}
	candidates, err := b.candidates(ctx, before, &done)
	if err != nil {
		return done, fmt.Errorf("collect: %w", err)
	}
	crashpoint.Hit(crashpoint.CollectListed)
	for _, info := range candidates {
		deleted, err := b.collect(ctx, refs, info, before)
		if err != nil {
			return done, fmt.Errorf("collect %s: %w", info.Key, err)
		}
		if deleted {
			done.Deleted++
			done.Bytes += info.Size
		}
	}
	return done, nil
}

// Prune removes the human names for which gone says that what they stand for is no more,
// and returns how many. It asks about each name in order, and removes nothing by itself:
// names outlive collections, so whoever deletes what gave them prunes afterwards.
func (b *Bucket) Prune(ctx context.Context, gone func(ctx context.Context, name string) (bool, error)) (int, error) {
	var names []string
	for info, err := range b.List(ctx, "") {
		if err != nil {
			return 0, fmt.Errorf("prune: %w", err)
		}
		if strings.HasPrefix(info.Key, content+"/") {
			continue
		}
		is, err := gone(ctx, info.Key)
		if err != nil {
			return 0, fmt.Errorf("prune: %s: %w", info.Key, err)
		}
		if is {
			names = append(names, info.Key)
		}
	}
	for i, name := range names {
		if err := b.Unname(ctx, name); err != nil {
			return i, fmt.Errorf("prune: %w", err)
		}
	}
	return len(names), nil
}

// sweeper is a driver that can remove what writers left half done.
type sweeper interface {
	// Sweep removes what was begun before a time and is not visible.
	Sweep(ctx context.Context, before time.Time) error
}

// candidates lists what is old enough. Objects under a wrong key are left alone:
// Verify reports them.
func (b *Bucket) candidates(ctx context.Context, before time.Time, done *Collected) ([]Info, error) {
	var out []Info
	for info, err := range b.List(ctx, content+"/") {
		if err != nil {
			return nil, err
		}
		done.Seen++
		if digestOf(info.Key) != "" && info.Modified.Before(before) {
			out = append(out, info)
		}
	}
	return out, nil
}

func (b *Bucket) collect(ctx context.Context, refs References, info Info, before time.Time) (bool, error) {
	digest := digestOf(info.Key)
	free, err := refs.Condemn(ctx, digest)
	if err != nil || !free {
		return false, err
	}
	// From here on the object is condemned: end that also where it stays.
	now, err := b.driver.Stat(ctx, b.prefix+info.Key)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		return false, refs.Forget(ctx, digest)
	case err != nil:
		return false, err
	case !now.Modified.Before(before): // it was put again
		return false, refs.Forget(ctx, digest)
	}
	crashpoint.Hit(crashpoint.CollectChecked)
	if err := b.driver.Delete(ctx, b.prefix+info.Key); err != nil {
		return false, err
	}
	return true, refs.Forget(ctx, digest)
}
