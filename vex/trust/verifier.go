package trust

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/format"
)

// Options say how signatures are checked. Nil means the zero Options.
type Options struct {
	// At is the time as of which OpenPGP signatures are checked. Where it is zero
	// they are unchecked: nothing could be said about their terms.
	At time.Time
	// Sigstore checks bundles whose key is in a certificate; nil leaves them
	// unchecked.
	Sigstore Sigstore
}

// Sigstore checks bundles whose key is in a certificate, against roots of its own.
// It is safe for concurrent use.
type Sigstore interface {
	// VerifyBundle returns the payload of a bundle's envelope, with the certificate's
	// identity as the only one of Keys: "sigstore:ISSUER|SUBJECT". An error that wraps
	// ErrMismatch says that the bundle is not what it claims; another one that this
	// could not be found out.
	VerifyBundle(ctx context.Context, bundle []byte) (*dsse.Verified, error)
}

// Verifier checks who signed a document by the keys of a trust document. It is a
// vex.Verifier, and safe for concurrent use.
type Verifier struct {
	at       time.Time
	sigstore Sigstore
	pem, pgp []ranked
	mu       sync.Mutex // OpenPGP keys keep what was found out about them
}

var _ vex.Verifier = (*Verifier)(nil)

// ranked is a key with the rank of its issuer.
type ranked struct {
	*Key
	tier int
}

// before reports whether a key decides rather than another one.
func (k *ranked) before(other *ranked) bool {
	switch {
	case other == nil:
		return true
	case k.tier != other.tier:
		return k.tier < other.tier
	case k.Issuer != other.Issuer:
		return k.Issuer < other.Issuer
	}
	return k.Identity < other.Identity
}

// Verifier returns what checks signatures by the document's keys.
func (d *Document) Verifier(opts *Options) *Verifier {
	if opts == nil {
		opts = &Options{}
	}
	v := &Verifier{at: opts.At, sigstore: opts.Sigstore}
	tiers := map[string]int{}
	for _, i := range d.Issuers {
		tiers[i.ID] = i.Tier
	}
	for i := range d.Keys {
		k := ranked{Key: &d.Keys[i], tier: tiers[d.Keys[i].Issuer]}
		if k.public != nil {
			v.pem = append(v.pem, k)
		} else if k.entity != nil {
			v.pgp = append(v.pgp, k)
		}
	}
	return v
}

// Verify checks a document's envelope, or else its detached signature; the package
// says what its states mean. Of an envelope Payload is what it holds whenever that
// can be read, so that a document that nobody could check can count as one without
// a signature; an in-toto statement is returned whole, and Attested reads it. An
// error comes from Options.Sigstore alone.
func (v *Verifier) Verify(ctx context.Context, doc *vex.Document) (vex.Verification, error) {
	switch format.Detect(doc.Content) {
	case format.Envelope:
		return v.envelope(doc.Content), nil
	case format.Bundle:
		return v.bundle(ctx, doc.Content)
	}
	if len(doc.Proof) == 0 {
		return vex.Verification{}, nil
	}
	return v.detached(doc.Content, doc.Proof), nil
}

// Attested reads the payload of an envelope that holds an in-toto statement: what it
// says is about its subjects. An error wraps ErrInvalid, ErrUnsupported or ErrLimit.
func Attested(payload []byte) (*intoto.Statement, error) {
	return intoto.Decode(intoto.PayloadType, payload)
}

func unchecked(payload []byte, format string, args ...any) vex.Verification {
	return vex.Verification{Signature: vex.Unchecked, Why: fmt.Sprintf(format, args...), Payload: payload}
}

func bad(payload []byte, format string, args ...any) vex.Verification {
	return vex.Verification{Signature: vex.Bad, Why: fmt.Sprintf(format, args...), Payload: payload}
}
