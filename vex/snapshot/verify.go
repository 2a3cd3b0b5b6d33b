package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

func newBits(n int64) []atomic.Uint32 { return make([]atomic.Uint32, (n+31)/32) }

// missing says of a file that is not there what kind of error that is.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%v: %w", err, fault.NotFound)
	}
	return err
}

// Verify reads everything, and checks that the snapshot is a set of the digest,
// neither more nor less, and that each statement is found by all of its names and by
// no other. It is for what came from somebody else. An error wraps ErrMismatch or
// ErrInvalid.
func (s *Snapshot) Verify(ctx context.Context, digest string) error {
	if s.Digest() != digest {
		return s.damaged(&fault.MismatchError{What: "digest", Want: digest, Got: s.Digest()})
	}
	ids := make([]string, 0, min(s.statements, 1<<16))
	index := map[string][]uint32{}
	for st, err := range s.All() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if n := len(ids); n > 0 && ids[n-1] >= st.ID {
			return s.damaged(fmt.Errorf("statement %s comes after %s: %w", st.ID, ids[n-1], fault.Invalid))
		}
		for _, name := range namesOf(st) {
			index[name] = append(index[name], uint32(len(ids)))
		}
		ids = append(ids, st.ID)
	}
	if got := vex.SetDigest(ids); got != digest {
		return s.damaged(&fault.MismatchError{What: "digest of the set", Want: digest, Got: got})
	}
	return s.verifyIndex(index)
}

// verifyIndex holds the index against one that was made afresh.
func (s *Snapshot) verifyIndex(index map[string][]uint32) error {
	names := slices.Sorted(maps.Keys(index))
	if len(names) != int(s.names) {
		return s.damaged(fmt.Errorf("it has %d names, and its statements %d: %w", s.names, len(names), fault.Invalid))
	}
	for i, want := range names {
		got, err := s.nameAt(uint32(i))
		if err != nil {
			return s.damaged(err)
		}
		list, err := s.postingsOf(uint32(i))
		if err != nil {
			return s.damaged(err)
		}
		if got != want || !slices.Equal(list, index[want]) {
			return s.damaged(fmt.Errorf("name %d is %.100q with %d statements, and should be %.100q with %d: %w", i, got, len(list), want, len(index[want]), fault.Invalid))
		}
	}
	return nil
}
