// Package ingest runs sources of VEX: it has them fetched, keeps every document
// before anybody reads it, has its signature checked, has it read, and keeps what it
// says. It also decides: after each change it resolves what was released, and
// commits a head with the decisions that follow.
//
// # What a crash leaves
//
// A run has its source by a lease. Documents are committed before they are read, and
// what they say before the run ends; the source's state moves in the transaction
// that ends the run. So a run that dies anywhere is made up for by the next one: it
// reads the documents that nobody has read, without fetching them again, and fetches
// from the state of before. A run whose lease is over is fenced: none of its writes
// happens. A head is committed with its decisions and its events, or not at all; one
// that was decided while another head was committed, or while the trust changed, is
// refused.
//
// # What a failure leaves
//
// A document that cannot be read, whose signature is bad, or which contradicts what
// its publisher said under the same id and version, takes back what the one before
// it said to lower risk, and nothing else. One whose signature could not be checked
// for want of something does the same, and is read again with the next run.
package ingest

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for [errors.Is].
var (
	ErrInvalid     error = fault.Invalid
	ErrConflict    error = fault.Conflict    // somebody else has the source, or made a head
	ErrFenced      error = fault.Fenced      // somebody else has the source by now
	ErrUnavailable error = fault.Unavailable // the publisher or the store is away; try again
	ErrLimit       error = fault.Limit
	ErrNotFound    error = fault.NotFound
)
