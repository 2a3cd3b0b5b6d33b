// Package dsse signs and verifies bytes in DSSE envelopes (Dead Simple Signing
// Envelope 1.0.2, github.com/secure-systems-lab/dsse).
//
// What is signed is the pre-authentication encoding of payload type and
// payload, so a signature says what kind of thing it was made for. What a
// verification hands on are the very bytes that were verified. A key id in an
// envelope is a hint of a stranger: it decides which key is tried first and
// nothing else. A threshold counts distinct public keys, never signatures or
// key ids.
//
// Signatures made here are deterministic: the same key and payload give the
// same bytes. Keys are Ed25519, ECDSA on P-256 and P-384 (DER signatures, RFC
// 6979) and, for verifying only, RSA-PSS. A key in a device or a service is an
// own [Signer].
package dsse

import (
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrLimit       error = fault.Limit
	ErrMismatch    error = fault.Mismatch // not signed by whom it must be, or not as what it is read
)

// The limits of an envelope.
const (
	MaxEnvelope    = 64 << 20 // bytes of an encoded envelope
	MaxPayloadType = 1 << 10  // bytes
	MaxKeyID       = 1 << 10  // bytes
	MaxSignatures  = 64
	MaxSignature   = 64 << 10 // bytes of one signature
	MaxTries       = 1 << 10  // pairs of signature and key that one verification tries
)

// ThresholdError says that too few of the trusted keys signed. It matches
// ErrMismatch under errors.Is.
type ThresholdError struct {
	Want       int // distinct public keys
	Got        int // distinct public keys that signed
	Trusted    int // distinct public keys that could have
	Signatures int // in the envelope
}

// Error says how many of how many signed.
func (e *ThresholdError) Error() string {
	return fmt.Sprintf("signed by %d of %d trusted keys, want %d (%d signatures)", e.Got, e.Trusted, e.Want, e.Signatures)
}

// Is reports whether target is ErrMismatch.
func (e *ThresholdError) Is(target error) bool { return target == fault.Mismatch }
