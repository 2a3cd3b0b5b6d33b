package snapshot

import (
	"context"

	"github.com/stella-ops/stella/advisory"
)

// Text implements [advisory.View].
func (s *Snapshot) Text(context.Context, advisory.Ref) (*advisory.Text, error) {
	return &advisory.Text{}, nil
}

// Named implements [advisory.View].
func (s *Snapshot) Named(context.Context, string) ([]advisory.Ref, error) { return nil, nil }

// Signals implements [advisory.View].
func (s *Snapshot) Signals(context.Context, string) ([]advisory.Signal, error) { return nil, nil }
