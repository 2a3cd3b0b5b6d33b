// Package csafprovider reads what providers of CSAF documents publish: by their
// metadata, ROLIE feeds and folders, with digests and OpenPGP signatures (CSAF 2.0,
// section 7).
//
// A document is held against its digest, against the publisher's namespace and
// against the label of its feed before it is passed on. Its signature is passed on
// beside it as [vex.Document.Proof]: who checks it knows the keys that are trusted,
// which those that the metadata name are not by that alone.
//
// A document's name is the path of its address. It is gone once no list has it, or a
// list of deletions says so; where a list has too many documents for their names to be
// kept, all are fetched anew when one has gone without being told.
package csafprovider

import (
	"github.com/stella-ops/stella/internal/csaf/retrieve"
	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrNotFound    error = fault.NotFound
	ErrForbidden   error = fault.Forbidden
	ErrUnavailable error = fault.Unavailable
	ErrLimit       error = fault.Limit
	ErrMismatch    error = fault.Mismatch
)

// The limits of a provider.
const (
	MaxLists   = retrieve.MaxLists     // feeds and folders
	MaxRefused = 100                   // documents that are refused before fetching ends
	MaxProof   = retrieve.MaxBeside    // bytes of a signature
	MaxNames   = retrieve.MaxNameBytes // bytes of names that the state has of one list
)
