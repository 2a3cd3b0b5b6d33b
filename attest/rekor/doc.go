// Package rekor makes and checks the bodies of transparency log entries in the
// forms of Rekor: what a log vouches for is that it has seen one signature, by
// one key, over one digest. A [Record] says which, and is compared with an entry
// as a whole: a valid entry of the right log that is about anything else, be it
// the same payload signed again, proves nothing (CVE-2026-22703).
//
// Written is hashedrekord 0.0.2, the only kind of Rekor v2, as canonical JSON: for
// an envelope the digest is that of its pre-authentication encoding. Checked are
// that, dsse 0.0.2 of early Rekor v2, and hashedrekord 0.0.1, dsse 0.0.1 and
// intoto 0.0.2 of Rekor v1.
//
// Whether the entry is in a log is not decided here, nor whether the signature is
// good. The first is proved over the body's leaf hash, the second by package dsse.
//
// # Keys
//
// The hash of an entry is that of the key's algorithm. P-256 and P-384 (SHA-256
// and SHA-384) work with all Sigstore clients and public Rekor v2 logs: rekor-tiles
// 2.3.0 takes these requests, and sigstore-go 1.3.0 bundles with these entries.
//
// Ed25519 is entered as PKIX_ED25519_PH with SHA-512, while the signature of an
// envelope is plain Ed25519: that is the entry that sigstore-go and cosign rebuild
// when they verify such an envelope, and the only one that they accept. A public
// Rekor v2 log refuses it, because it verifies the signature itself and as
// Ed25519ph; a log of this SDK verifies the envelope and takes it. A monitor that
// verifies signatures of entries has to know this.
//
// RSA is entered as RSA-PSS, which is what package dsse verifies. sigstore-go
// takes PKCS #1 v1.5 for granted, so it does not accept these.
package rekor

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrLimit       error = fault.Limit
	ErrMismatch    error = fault.Mismatch // an entry that is about something else
)

// The kind and version of the entries that are written.
const (
	Kind    = "hashedrekord"
	Version = "0.0.2"
)
