// Package vex decides between what suppliers say about vulnerabilities in their
// products: by authority, never by votes.
//
// A [Statement] is what one document says about one vulnerability and some
// products, verbatim and with its provenance. [Query.Select] finds, among
// statements, the claims about one package of one image, and says of every other
// one why it does not apply. [Judge.Resolve] decides between claims, given whom an
// organisation believes ([Trust]) and a time. Both are pure: the same input gives
// the same result in whatever order it comes, on every machine.
//
// How a decision is made:
//
//  1. A claim counts when its issuer is known by a verified signature, or may speak
//     unsigned; when the product is within the issuer's authority; when it is
//     complete; and when its time has come. A claim that lowers risk ends with its
//     validity. One that raises it does not.
//  2. An issuer's newer claim replaces its older ones.
//  3. Within a tier, claims are joined over {none, affected, safe, both}, as in
//     Belnap's logic: nothing is counted, so copies do not matter. Both means
//     affected, and disputed.
//  4. The highest tier that says anything decides. A lower one may raise doubt; it
//     cannot lower the risk.
//
// "fixed" counts only where the claim names the version that is there.
// "under_investigation" informs, takes back an issuer's earlier assurance, and
// decides nothing.
//
// Sources: OpenVEX specification 0.2.0; CSAF 2.0 §4.5 (profile VEX) and §3.2.3.9
// (product status); CycloneDX 1.6 vulnerabilities[].analysis; CISA, "Minimum
// Requirements for Vulnerability Exploitability eXchange", April 2023; N. Belnap,
// "A useful four-valued logic", 1977.
package vex

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package and its sub-packages return, for
// [errors.Is].
var (
	ErrInvalid         error = fault.Invalid
	ErrUnsupported     error = fault.Unsupported
	ErrNotFound        error = fault.NotFound
	ErrConflict        error = fault.Conflict
	ErrUnauthenticated error = fault.Unauthenticated
	ErrForbidden       error = fault.Forbidden
	ErrUnavailable     error = fault.Unavailable
	ErrLimit           error = fault.Limit
	ErrFenced          error = fault.Fenced
	ErrMismatch        error = fault.Mismatch
)
