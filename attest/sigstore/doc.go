// Package sigstore verifies Sigstore bundles whose key is in a short-lived
// certificate, and makes such signatures. It is an adapter to sigstore-go and a
// module of its own, so that who needs no certificates links none of it.
//
// # What a verification says
//
// Whom to believe is in a [TrustRoot], which is read from a file: nothing here
// asks a network, for a trust root least of all. A [Verifier] takes the steps of
// sigstore-go one by one. A step that fails is the reason that an [Error] names;
// where a step checks several things, they are looked at once more to name the
// one that failed. The library decides, its error texts decide nothing. The
// order is: form, artifact, signature, log, time, certificate, identity.
//
// These are checked in addition to what the library checks, or before it:
//
//   - Every entry of a log that the trust root names must verify; the library
//     passes over entries whose signed timestamp is wrong. Thresholds count
//     distinct public keys of logs and distinct sources of time.
//   - Timestamps are verified by package timestamp as well, which reads the whole
//     token strictly. One that is of nobody whom the trust root names does not
//     count; one that is bad otherwise is a reason to refuse.
//   - An entry without a time of its own (Rekor v2) is only good if the log's key
//     was valid at every time of the signature.
//   - A managed key that has a validity needs a time that is inside it.
//   - The certificate is no authority's, may sign, is for code signing, and has one
//     subject alternative name and one issuer.
//   - A chain in a bundle has no root in it. What else it has beside the first
//     certificate is not used: intermediates are the trust root's.
//   - A payload that says it is an in-toto statement is read strictly, by package
//     intoto.
//
// Where the trust root names logs of certificates (ctlogs), the certificate must
// have a signed timestamp (SCT) of one of them; where it names none, SCTs are not
// looked at. A signature that nobody expects is refused: [Policy] must name
// identities or keys. [Verifier.VerifyBundle] alone takes no policy; it is for
// callers who compare the identity themselves.
//
// A panic in the library is an error, [ReasonFailed].
//
// Sources: Sigstore bundle 0.1 to 0.3 and trusted root 0.1
// (github.com/sigstore/protobuf-specs), Fulcio's certificate specification and
// its API v2, RFC 5280, RFC 6962, RFC 3161, C2SP tlog-checkpoint.
package sigstore

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for errors.Is. Each Reason is of
// one kind.
var (
	ErrInvalid         error = fault.Invalid
	ErrUnsupported     error = fault.Unsupported
	ErrLimit           error = fault.Limit
	ErrMismatch        error = fault.Mismatch // not signed by whom it must be, or not so that it can be believed
	ErrUnauthenticated error = fault.Unauthenticated
	ErrUnavailable     error = fault.Unavailable
)

// The limits of bundles and trust roots.
const (
	MaxBundle     = 64 << 20 // bytes
	MaxTrustRoot  = 4 << 20  // bytes
	MaxEntries    = 32       // of logs in a bundle
	MaxTimestamps = 32       // of authorities in a bundle
	MaxChain      = 10       // certificates in a bundle, or of one authority
	MaxAuthority  = 256      // logs or authorities of one sort in a trust root
	MaxIdentity   = 4 << 10  // bytes of an issuer, and of a subject
)
