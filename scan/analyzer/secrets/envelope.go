package secrets

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/attest/dsse"
)

// PayloadType says of an envelope that it holds a bundle of rules.
const PayloadType = "application/vnd.stella.secret-rules.v1+json"

// Open reads and compiles a bundle in a DSSE envelope that at least the threshold of the
// trusted keys signed. What nobody signed, a payload of another type and what too few signed
// are refused before a byte of the bundle is read. An error wraps ErrMismatch with how many
// signed, and ErrInvalid, ErrUnsupported or ErrLimit as [Parse].
func Open(envelope []byte, trust dsse.Trust) (*Rules, error) {
	e, err := dsse.Decode(envelope)
	if err != nil {
		return nil, fmt.Errorf("signed rules: %w", err)
	}
	v, err := trust.Verify(e, PayloadType)
	if err != nil {
		return nil, fmt.Errorf("signed rules: %w", err)
	}
	if len(v.Payload) > MaxBundle {
		return nil, fmt.Errorf("signed rules: %d bytes, at most %d: %w", len(v.Payload), MaxBundle, ErrLimit)
	}
	r, err := parseJSON("signed by "+fmt.Sprint(v.Keys), v.Payload)
	if err != nil {
		return nil, err
	}
	r.signers = v.Keys
	return r, nil
}

// Sign puts the bundle into an envelope that every signer has signed, for [Open]. The
// examples are run before: rules that do not do what they say are signed by nobody.
func (r *Rules) Sign(ctx context.Context, signers ...dsse.Signer) ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("sign rules %s: %w", r.Name(), err)
	}
	e, err := dsse.Sign(ctx, PayloadType, r.canonical, signers...)
	if err != nil {
		return nil, fmt.Errorf("sign rules %s: %w", r.Name(), err)
	}
	return e.Encode()
}
