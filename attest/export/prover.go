package export

import (
	"context"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/intoto"
)

// Signer signs statements about scans. An attest.Signer is one, and so is whatever asks one
// elsewhere. It is safe for concurrent use.
type Signer interface {
	// Current returns the id of the key that signs a tenant's statements of a type from
	// now on. An error wraps ErrNotFound where there is none.
	Current(ctx context.Context, tenant, predicateType string) (string, error)
	// Sign makes a statement and signs it, or finds the signature that was made of it
	// before by the same key.
	Sign(ctx context.Context, c attest.Caller, o attest.Order) (*attest.Signed, error)
}

// Attestor has envelopes kept, timestamped and logged. An attest.Attestor is one, and so is
// whatever asks one elsewhere. It is safe for concurrent use.
type Attestor interface {
	// Attest returns what is kept of an envelope, and its bundle with the proofs that there
	// are.
	Attest(ctx context.Context, tenant string, envelope []byte, o *attest.AttestOptions) (*attest.Attestation, *bundle.Bundle, error)
}

// Prover has statements about a scan signed and attested. Signer and Attestor are
// required.
type Prover struct {
	Signer   Signer
	Attestor Attestor
	Caller   attest.Caller
	// Verdict is the digest of the verdict that statements of a decision follow from; ""
	// for the one that holds.
	Verdict string
	// Logged asks for the log's proof of each, and KeyID says which key signs; "" for the
	// current one.
	Logged bool
	KeyID  string
}

// Prove returns the bundles of statements of the given types about a scan, in their
// order, and what is kept of each. Doing it over gives the same statements and
// signatures, and what is there of the proofs.
func (p *Prover) Prove(ctx context.Context, scanID string, predicates []string) ([]bundle.Item, []*attest.Attestation, error) {
	var items []bundle.Item
	var list []*attest.Attestation
	for _, predicate := range predicates {
		o := attest.Order{ScanID: scanID, Predicate: predicate, KeyID: p.KeyID}
		if kind := intoto.KindOf(predicate); kind != intoto.SPDX && kind != intoto.CycloneDX {
			o.Digest = p.Verdict
		}
		signed, err := p.Signer.Sign(ctx, p.Caller, o)
		if err != nil {
			return nil, nil, err
		}
		a, b, err := p.Attestor.Attest(ctx, p.Caller.Tenant, signed.Encoded, &attest.AttestOptions{ScanID: scanID, Logged: p.Logged})
		if err != nil {
			return nil, nil, err
		}
		items, list = append(items, bundle.Item{Bundle: b}), append(list, a)
	}
	return items, list, nil
}
