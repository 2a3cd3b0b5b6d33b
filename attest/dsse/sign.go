package dsse

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/stella-ops/stella/internal/fault"
)

// Signer makes signatures with one private key. [PrivateKey] is one; a key in a
// device or a service is another. It is safe for concurrent use.
type Signer interface {
	// KeyID is the hint that goes into the envelope: for keys of this package
	// the id of the public key.
	KeyID() string
	// Sign signs message, which it hashes itself where the algorithm needs it.
	Sign(ctx context.Context, message []byte) ([]byte, error)
}

// Sign puts payload into an envelope that every signer has signed. Signatures
// are sorted by key id, whatever the order of the signers.
func Sign(ctx context.Context, payloadType string, payload []byte, signers ...Signer) (*Envelope, error) {
	e := &Envelope{PayloadType: payloadType, Payload: payload}
	if err := e.Sign(ctx, signers...); err != nil {
		return nil, err
	}
	return e, nil
}

// Sign adds signatures to an envelope, which may have some already: those who
// must sign together need not meet. A signature under the same key id is
// replaced. Two signers with one key id, and no signers at all, are ErrInvalid.
// After an error e is as it was.
func (e *Envelope) Sign(ctx context.Context, signers ...Signer) error {
	if len(signers) == 0 {
		return fmt.Errorf("sign an envelope of type %q: no signers: %w", e.PayloadType, fault.Invalid)
	}
	message := PAE(e.PayloadType, e.Payload)
	added := make([]Signature, 0, len(signers)+len(e.Signatures))
	has := func(id string) bool {
		return slices.ContainsFunc(added, func(s Signature) bool { return s.KeyID == id })
	}
	for _, s := range signers {
		id := s.KeyID()
		if has(id) {
			return fmt.Errorf("sign an envelope of type %q: two signers with key id %q: %w", e.PayloadType, id, fault.Invalid)
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("sign an envelope of type %q: %w", e.PayloadType, err)
		}
		sig, err := s.Sign(ctx, message)
		if err != nil {
			return fmt.Errorf("sign an envelope of type %q with key %q: %w", e.PayloadType, id, err)
		}
		added = append(added, Signature{KeyID: id, Sig: sig})
	}
	for _, s := range e.Signatures {
		if !has(s.KeyID) {
			added = append(added, s)
		}
	}
	slices.SortStableFunc(added, func(a, b Signature) int { return cmp.Compare(a.KeyID, b.KeyID) })
	signed := &Envelope{PayloadType: e.PayloadType, Payload: e.Payload, Signatures: added}
	if err := signed.check(); err != nil {
		return err
	}
	e.Signatures = added
	return nil
}
