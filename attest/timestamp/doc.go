// Package timestamp asks timestamp authorities for proofs of time, and verifies
// them (RFC 3161, RFC 5816).
//
// A token says that the authority saw the digest of a message at a time. It is a
// time from somebody else: whoever signs cannot choose it, so it decides whether
// a certificate or a key was good when a signature was made, also years later
// when both have expired.
//
// [Verify] believes an [Authority] and nothing in the token: a certificate that a
// token brings with it only shows the way to those that are trusted. Everything
// has to hold: the token is strict DER; it is one SignedData of one signer over
// a TSTInfo; the message's digest is by SHA-256, SHA-384 or SHA-512; the
// signature covers the signed attributes exactly as they are written; the
// attributes name content, digest and the signer's certificate; that certificate
// has the one extended key usage timeStamping, marked critical, and leads to the
// authority's last certificate, with all of them valid at the stamped time; the
// stamped time is within the authority's window. Every failure is an [Error]
// with a [Reason].
//
// # What is not checked
//
// Certificates' revocation lists are not read: verification is offline. An
// authority that was broken into is taken out of the list of trusted ones, and
// one that retired gets a window that ends. The TSA's name inside a token is a
// hint and is ignored. Accuracy is given back, and decides nothing.
//
// # Why tokens are read here
//
// The usual library, github.com/digitorus/timestamp with its pkcs7, is what this
// package's tests make tokens with, and what its fuzzer compares with. Its
// verification is not used, because it
//
//   - rewrites BER as DER by a recursion without a bound, in time that grows with
//     the square of the depth: 128 KB take two seconds; older versions panic on two
//     bytes;
//   - verifies attributes as it encodes them anew, not as they were signed;
//   - ignores errors of reading SignedData, takes several signers, attributes that
//     occur twice, and whatever follows the TSTInfo;
//   - believes whichever certificate in the token has the signer's name and number,
//     and looks neither at its digest in the attributes nor at its usage;
//   - does not look at the type of the content;
//   - checks no signature at all where the token has no certificates.
package timestamp

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for errors.Is. Each Reason is of
// one kind.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrUnavailable error = fault.Unavailable
	ErrForbidden   error = fault.Forbidden
	ErrLimit       error = fault.Limit
	ErrMismatch    error = fault.Mismatch
)

// The limits of tokens.
const (
	MaxToken        = 64 << 10 // bytes of a token or a response
	MaxDepth        = 24       // of nested elements
	MaxElements     = 8 << 10  // in a token
	MaxCertificates = 16       // in a token, or of an authority
	MaxAuthorities  = 64
	MinRSA          = 2048 // bits of an authority's key
	MaxRSA          = 8192 // bits of an authority's key
)
