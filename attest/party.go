package attest

import (
	"context"
	"errors"
	"fmt"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/attest/tlog"
)

// Log is a transparency log: a log of package tlog in this process, see [Embedded], or
// one elsewhere. Nothing that it says is believed before it is verified. It is safe for
// concurrent use.
type Log interface {
	// Name is the log's, such as its origin. It must stay the same.
	Name() string
	// Enter has the signature of an envelope, which has exactly one, entered, and
	// returns the entry with its proof. Entering it again gives the same entry, perhaps
	// with a newer proof. An error wraps ErrUnavailable where trying later may help.
	Enter(ctx context.Context, r *rekor.Record) (*bundle.Entry, error)
}

// Stamper is a timestamp authority (RFC 3161). It is safe for concurrent use.
type Stamper interface {
	// Name is the authority's. It must stay the same.
	Name() string
	// Stamp returns a token over message, in DER. An error wraps ErrUnavailable where
	// trying later may help.
	Stamp(ctx context.Context, message []byte) ([]byte, error)
}

// Embedded is a log of package tlog as a Log: its entries have the form of Rekor v2, so
// that whoever knows the log's key can check them with any Sigstore client. It verifies
// nothing of what it enters: give it what an Attestor verified.
type Embedded struct{ Log *tlog.Log }

// Name returns the log's origin.
func (l *Embedded) Name() string { return l.Log.Origin() }

// Enter submits the record's entry. A log whose witnesses are away has the entry, and
// proves it without them: that is ErrUnavailable, so that it is asked again.
func (l *Embedded) Enter(ctx context.Context, r *rekor.Record) (*bundle.Entry, error) {
	body, err := r.Body()
	if err != nil {
		return nil, err
	}
	receipt, err := l.Log.Submit(ctx, body)
	if err != nil {
		return nil, fmt.Errorf("log %s: %w", l.Name(), err)
	}
	tree, err := tlog.ParseTree(receipt.Checkpoint)
	if err != nil {
		return nil, err
	}
	e := &bundle.Entry{
		LogIndex: receipt.Index, LogID: l.Log.Key().FullID(), Kind: rekor.Kind, Version: rekor.Version, Body: body,
		Proof: &bundle.Proof{LogIndex: receipt.Index, TreeSize: tree.Size, RootHash: tree.Root, Checkpoint: string(receipt.Checkpoint)},
	}
	for _, h := range receipt.Proof {
		e.Proof.Hashes = append(e.Proof.Hashes, h)
	}
	return e, nil
}

// record is what log entries about an envelope must be about, signed by a key.
func record(e *dsse.Envelope, k *dsse.PublicKey) *rekor.Record {
	return &rekor.Record{Envelope: e, PublicKey: k.DER()}
}

var errNoParty = errors.New("there is none here")

// Authority is a timestamp authority elsewhere as a Stamper.
type Authority struct{ Client *timestamp.Client }

// Name returns where the authority is.
func (a *Authority) Name() string { return a.Client.URL }

// Stamp asks for a token.
func (a *Authority) Stamp(ctx context.Context, message []byte) ([]byte, error) {
	token, _, err := a.Client.Stamp(ctx, message)
	return token, err
}
