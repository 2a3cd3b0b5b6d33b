// Package bundle reads and writes Sigstore bundles, and JSON Lines of bundles and
// DSSE envelopes (the in-toto attestation framework's bundle). It verifies
// nothing: what it returns is what a stranger wrote.
//
// Read are the versions 0.1, 0.2 and 0.3 of application/vnd.dev.sigstore.bundle,
// in both spellings of the media type; written is 0.3 in the newer one, as
// canonical JSON (RFC 8785), so that equal bundles are equal bytes.
//
// The text is read by the rules of proto JSON, narrowed where they allow one
// message many meanings:
//
//   - A member that occurs twice and one that is not known are refused, as
//     sigstore-go and cosign do. Members have their lowerCamelCase names; the
//     snake_case ones that proto JSON allows beside them are unknown here.
//   - null is the same as an absent member, but not as an element of an array.
//   - Bytes are base64 of either alphabet, padded or not. Mixed alphabets and
//     bits that say nothing are refused; line breaks too in what is signed and in
//     signatures. Elsewhere tools put them in, and nothing hangs on them.
//   - 64-bit integers are strings or numbers in plain decimal digits, within
//     their range, and not negative.
//   - Hashes of a log are SHA-256, so they have 32 bytes.
//
// Of the format's own rules these are held to: one signature in an envelope; an
// inclusion promise for each entry in version 0.1 and an inclusion proof with a
// checkpoint from 0.2 on; no certificate chain in 0.3; no entry of a log twice; and
// where both a key hint and the envelope's key id are there, they are the same.
package bundle

import (
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported // a version that is not known, or what version 0.3 cannot say
	ErrLimit       error = fault.Limit
	ErrMismatch    error = fault.Mismatch // lines that are not those of the digest
)

// The limits of a bundle. Those of envelopes are in package dsse.
const (
	MaxBundle      = dsse.MaxEnvelope + 24<<20 // bytes of an encoded bundle, and of a line
	MaxEntries     = 32
	MaxBody        = 4 << 20 // bytes of an entry's body
	MaxHashes      = 64      // in an inclusion proof
	MaxCheckpoint  = 64 << 10
	MaxLogID       = 64 // bytes
	MaxName        = 64 // bytes of an entry's kind or version
	MaxPromise     = 4 << 10
	MaxTimestamps  = 32
	MaxTimestamp   = 64 << 10 // bytes of a timestamp
	MaxCerts       = 16
	MaxCertificate = 64 << 10 // bytes of a certificate
	MaxHint        = 1 << 10  // bytes of a key hint
)

// mediaTypeBase is what the media types of all versions begin with.
const mediaTypeBase = "application/vnd.dev.sigstore.bundle"

// MediaType is the media type of the bundles that are written.
const MediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
