package tlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// Follow returns nil if the proof shows that a newer checkpoint of a log contains the
// older one. Both must have been verified. An error is an [*Error]: with
// [ReasonRollback] where the newer one is smaller, [ReasonSplitView] where it does not
// contain the older one, [ReasonOrigin] where it is of another log.
func Follow(old, new *Checkpoint, proof []Hash) error {
	if old.Origin != new.Origin {
		return &Error{Reason: ReasonOrigin, What: "checkpoint", Detail: fmt.Sprintf("%q after %q", new.Origin, old.Origin)}
	}
	return VerifyConsistency(old.Size, new.Size, old.Root, new.Root, proof)
}

// Monitor follows one log and remembers its newest checkpoint in a head. It is safe
// for concurrent use, also by several processes that share the head.
type Monitor struct {
	reader *Reader
	head   Head
}

// NewMonitor returns a monitor. The first checkpoint that it ever sees is believed as
// far as the reader's policy says so; each later one must contain it.
func NewMonitor(r *Reader, h Head) *Monitor { return &Monitor{reader: r, head: h} }

// Last returns the checkpoint that is remembered, not verified again; nil where there
// is none.
func (m *Monitor) Last(ctx context.Context) (*Checkpoint, error) {
	c, _, err := m.last(ctx)
	return c, err
}

func (m *Monitor) last(ctx context.Context) (*Checkpoint, []byte, error) {
	record, err := m.head.Load(ctx)
	if err != nil || record == nil {
		return nil, nil, err
	}
	t, err := ParseTree(record)
	if err != nil {
		return nil, nil, fmt.Errorf("what the monitor remembers: %w", err)
	}
	return &Checkpoint{Tree: t, Text: record}, record, nil
}

// Update reads the log's newest checkpoint, checks that it contains the one that is
// remembered, and remembers it. After an error that one is kept. Errors are those of
// [Reader.Checkpoint] and [Follow].
func (m *Monitor) Update(ctx context.Context) (*Checkpoint, error) {
	for {
		old, record, err := m.last(ctx)
		if err != nil {
			return nil, err
		}
		c, err := m.reader.Checkpoint(ctx)
		if err != nil {
			return nil, err
		}
		if old != nil {
			if err := m.follow(ctx, old, c); err != nil {
				return nil, err
			}
			if sameTree(old.Tree, c.Tree) {
				return c, nil
			}
		}
		switch err := m.head.Swap(ctx, record, c.Text); {
		case err == nil:
			return c, nil
		case !errors.Is(err, fault.Conflict):
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// follow proves one checkpoint from the other by the log's tiles.
func (m *Monitor) follow(ctx context.Context, old, c *Checkpoint) error {
	var proof []Hash
	if old.Origin == c.Origin && old.Size < c.Size {
		var err error
		if proof, err = m.reader.Consistency(ctx, c.Tree, old.Size); err != nil {
			return err
		}
	}
	return Follow(old, c, proof)
}
