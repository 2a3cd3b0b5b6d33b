package tlog

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// Source is what a log shows to readers, over a network or not. Nothing of it is
// believed unverified. It is safe for concurrent use.
type Source interface {
	// Checkpoint returns the published checkpoint. The error wraps ErrNotFound where
	// there is none yet.
	Checkpoint(ctx context.Context) ([]byte, error)
	// Get returns a file of at most max bytes, as [Files] does.
	Get(ctx context.Context, path string, max int) ([]byte, error)
}

// Source returns what readers see of the storage.
func (s Storage) Source() Source { return storageSource{s} }

type storageSource struct{ s Storage }

func (s storageSource) Checkpoint(ctx context.Context) ([]byte, error) {
	text, err := s.s.Head.Load(ctx)
	if err != nil {
		return nil, err
	}
	if text != nil {
		h, err := decodeHead(text)
		if err != nil {
			return nil, err
		}
		if h.Published != nil {
			return h.Published, nil
		}
	}
	return nil, fmt.Errorf("checkpoint: the log has published none: %w", fault.NotFound)
}

func (s storageSource) Get(ctx context.Context, path string, max int) ([]byte, error) {
	return s.s.Files.Get(ctx, path, max)
}
