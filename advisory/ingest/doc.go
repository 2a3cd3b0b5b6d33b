// Package ingest runs sources: it has them fetched, keeps every document before
// anybody reads it, has it read, keeps what it says, and releases the result or
// holds it where a human should look first. It also makes heads of what was
// released.
//
// # What a crash leaves
//
// A run has its source by a lease. Documents are committed before they are read,
// and what they say before the run ends; the source's state moves in the
// transaction that ends the run. So a run that dies anywhere is made up for by
// the next one: it reads the documents that nobody has read, without fetching
// them again, and fetches from the state of before. What runs store becomes
// current only with a run that is released, all at once. A run whose lease is
// over is fenced: none of its writes happens.
//
// # When a run is held
//
// A feed may be emptied or set back, by mistake or on purpose. A run is compared
// with what is released; beyond the [Limits] it is held, the data of before stays
// current, and [advisory.SourceState] says why, until somebody approves it or a
// later run is within the limits.
package ingest

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for [errors.Is].
var (
	ErrInvalid     error = fault.Invalid
	ErrConflict    error = fault.Conflict    // somebody else has the source, or made a head
	ErrFenced      error = fault.Fenced      // somebody else has the source by now
	ErrUnavailable error = fault.Unavailable // the publisher or the store is away; try again
	ErrLimit       error = fault.Limit
)
