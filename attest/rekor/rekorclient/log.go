package rekorclient

import (
	"context"
	"errors"
	"fmt"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/tlog"
)

// Log is a log elsewhere as an Attestor needs it: entering a record again gives its
// entry again. Client is required. It is safe for concurrent use.
type Log struct {
	Client *Client
	// Reader reads the log's tiles, for the proof of an entry that the log has already.
	// Nil: such an entry is an error, which matches ErrConflict.
	Reader *tlog.Reader
}

// Name returns where the log is.
func (l *Log) Name() string { return l.Client.URL }

// Enter enters a record, and returns its entry with a proof of which nothing was
// verified.
func (l *Log) Enter(ctx context.Context, r *rekor.Record) (*bundle.Entry, error) {
	e, err := l.Client.Add(ctx, r)
	var had *DuplicateError
	if !errors.As(err, &had) || l.Reader == nil {
		return e, err
	}
	if e, err = l.find(ctx, r, had.LogIndex); err != nil {
		return nil, fmt.Errorf("log %s has the entry, as it says at index %d: %w", l.Name(), had.LogIndex, err)
	}
	return e, nil
}

// find makes the proof of an entry of the log's tiles. The index is the log's word: the
// leaf there must be that of the record.
func (l *Log) find(ctx context.Context, r *rekor.Record, index int64) (*bundle.Entry, error) {
	body, err := r.Body()
	if err != nil {
		return nil, err
	}
	c, err := l.Reader.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	leaf, err := l.Reader.Leaf(ctx, c.Tree, index)
	if err != nil {
		return nil, err
	}
	if leaf != tlog.LeafHash(body) {
		return nil, fmt.Errorf("another entry is there: %w", ErrMismatch)
	}
	receipt, err := l.Reader.Receipt(ctx, c, index)
	if err != nil {
		return nil, err
	}
	e := &bundle.Entry{
		LogIndex: index, LogID: c.Key.FullID(), Kind: rekor.Kind, Version: rekor.Version, Body: body,
		Proof: &bundle.Proof{LogIndex: index, TreeSize: c.Size, RootHash: c.Root, Checkpoint: string(receipt.Checkpoint)},
	}
	for _, h := range receipt.Proof {
		e.Proof.Hashes = append(e.Proof.Hashes, h)
	}
	return e, nil
}
