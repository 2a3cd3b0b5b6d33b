// Package attest proves what stella says: who signed which statement about what, and
// that a log which nobody can quietly rewrite has it.
//
// A [Signer] signs statements that it makes itself, of what is kept and read anew; it
// signs nothing that is handed to it. An [Attestor] takes envelopes of known signers,
// has them timestamped and logged, checks what it gets back, and keeps the proofs
// beside the envelope. A [Verifier] checks a bundle of all that against a [Trust],
// without a network. None of them believes another: each verifies what it is given.
//
// Everything that is made once is kept once: the signature of a payload by a key, the
// timestamp of a signature, the receipt of a log. Whatever dies, a redo finds them and
// gives the same bytes.
//
// Envelopes are package dsse's, statements package intoto's, bundles package bundle's,
// the log is package tlog's. Package export makes what is exported of scans; package
// kit carries everything into places without a network.
package attest

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrNotFound    error = fault.NotFound
	ErrConflict    error = fault.Conflict
	ErrForbidden   error = fault.Forbidden // the caller may not ask for this
	ErrUnavailable error = fault.Unavailable
	ErrLimit       error = fault.Limit
	ErrMismatch    error = fault.Mismatch // content is not what its digest or its signature says
)
