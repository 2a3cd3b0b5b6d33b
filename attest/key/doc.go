// Package key opens signing keys wherever they are kept, and says which keys
// may sign what and when.
//
// [Open] takes a reference and gives a [Key], which is a dsse.Signer:
//
//	cosign.key, ./dir/k.pem    a file: PKCS #8, encrypted or not, keys of cosign, SEC 1, PKCS #1
//	env:NAME                   the same text in an environment variable
//	agent:SHA256:… agent:NAME  a key of the SSH agent, by fingerprint or comment
//	NAME://…                   a key management service, by the program sigstore-kms-NAME
//
// Whatever else is a crypto.Signer becomes a Key by [FromCrypto].
//
// # What is promised of signatures
//
// What a Key signs is verified with its public key before it is handed out: a
// device, an agent or a service that lies, or that holds another key by now, is
// an error and never a signature.
//
// Signatures by keys that were read from texts are deterministic for Ed25519 and
// ECDSA (RFC 6979): the same message gives the same bytes. Those of RSA are not,
// and those of devices, agents and services may not be, except for Ed25519; see
// [Key.Deterministic]. Who needs one signature per message keeps the first that
// was made.
//
// RSA signs by PSS, which is how package dsse verifies it. A plugin whose RSA keys
// sign by PKCS #1 v1.5, as most do, is refused when it signs; its ECDSA keys are
// good.
//
// # Rings
//
// A [Ring] lists public keys with the time from which and until which each may
// sign, what it may sign, and whether it was revoked. It is data for a trust
// root: it names no files, and has no secrets in it.
package key

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid
	ErrUnsupported     error = fault.Unsupported
	ErrNotFound        error = fault.NotFound
	ErrConflict        error = fault.Conflict
	ErrUnauthenticated error = fault.Unauthenticated // no password, or not the right one
	ErrForbidden       error = fault.Forbidden
	ErrUnavailable     error = fault.Unavailable
	ErrLimit           error = fault.Limit
	ErrMismatch        error = fault.Mismatch // a signature that is not the key's
)

// The limits of keys and of the work that their texts ask for.
const (
	MaxText       = 16 << 10       // bytes of a key's PEM
	MaxIterations = 10_000_000     // of PBKDF2
	MaxScrypt     = 256 << 20      // bytes of memory that scrypt takes, which is 128·N·r
	MaxParallel   = 16             // scrypt's p
	MaxSalt       = 1 << 10        // bytes
	MaxPluginText = 1 << 20        // bytes of a plugin's answer, and of what it logs
	MaxMessage    = 64<<20 + 1<<12 // bytes to be signed: what an envelope holds
	// MaxAgentMessage is what OpenSSH's agent takes, which is given messages and not
	// their digests.
	MaxAgentMessage = 255 << 10
	MaxAgentKeys    = 256       // keys of an agent that are looked at
	MaxRing         = 256 << 10 // bytes of an encoded ring
	MaxRingKeys     = 64
	MaxPurposes     = 64  // of a key
	MaxPurpose      = 512 // bytes of a purpose
	MaxReason       = 256 // bytes of the reason of a revocation
)
