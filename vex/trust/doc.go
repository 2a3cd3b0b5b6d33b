// Package trust reads whom an organisation believes, and checks who signed a
// document.
//
// A trust document lists issuers and their keys. It is YAML, or JSON, which is
// YAML too:
//
//	issuers:
//	  - id: redhat
//	    tier: 1
//	    products: ["pkg:rpm/redhat/**", "cpe:2.3:*:redhat:*"]
//	    sources: [redhat-vex]
//	    unsigned: [affected, under_investigation]
//	    max_age: 730
//	keys:
//	  - name: Red Hat Product Security
//	    issuer: redhat
//	    openpgp: |
//	      -----BEGIN PGP PUBLIC KEY BLOCK-----
//	      …
//
// The members of an issuer are those of vex.Issuer; products are patterns, see
// vex.Pattern. A key has a name, its issuer, and is given as "pem", a block
// "PUBLIC KEY" of Ed25519, ECDSA on P-256 or P-384, or RSA, or as "openpgp", an
// armoured block with one key. A key with "revoked", which says why, is no longer
// its issuer's. Who speaks for an issuer follows from its keys; "identities" adds
// those that are no key, such as "sigstore:ISSUER|SUBJECT".
//
// # What a verification says
//
//   - verified: a key of the document made the signature.
//   - bad: the signature says that it is of a key of the document, and that key did
//     not make it, or is revoked. What the document says counts as nothing.
//   - unchecked: it is of keys that nobody gave, has no form that is read, or was
//     made when it could not be, such as after its key's end. The document counts as
//     one that has none.
//
// A key's id in an envelope is a stranger's hint: it says which key was meant, and
// so tells bad from unchecked, but verifies nothing. A signature of one key is
// enough; of several the one decides whose issuer has the highest rank, and among
// equals the first by its id: whoever of a lower rank adds a signature to a document
// takes nothing from it.
//
// OpenPGP signatures count if their key was valid when they were made and was not
// revoked for a reason that makes it doubtful since; when that was is the
// signature's word. A key that was stolen is thus revoked here, or in the key
// itself, and not left to expire.
package trust

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrLimit       error = fault.Limit
)

// The limits of a trust document and of signatures.
const (
	MaxDocument    = 4 << 20 // bytes
	MaxKeys        = 10_000
	MaxDiagnostics = 100      // after which reading ends
	MaxProof       = 64 << 10 // bytes of a detached signature
	MaxBundle      = 64 << 20 // bytes of a sigstore bundle
)
