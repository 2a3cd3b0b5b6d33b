// Package feed reads what publishers publish: it has the doors of
// [advisory.Source] and the shapes that most sources are made of.
//
// # Doors
//
// A [Client] asks over the network, mirrors first, through a policy that judges
// each address when it is dialled. A [Dir] is a folder laid out as
// <host>/<path>: a mirror's copy, or an offline bundle that was unpacked. A
// [Recorder] stands before another door and writes what passes into such a
// folder; [Copy] does that for all that a source fetches. A [Chain] is several
// doors, one after another.
//
// # Shapes
//
// [Files] is a list of addresses with one document each, [Archive] a zip or tar
// with one document a member, [Index] a list of documents that change one by
// one. A source embeds one and adds Describe and Parse:
//
//	type source struct{ feed.Archive }
//
// Sources of other shapes use [Read], [Spool] and [State].
package feed

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that doors and shapes return, for [errors.Is].
var (
	ErrNotFound    error = fault.NotFound    // the publisher has no such address, a folder no such file
	ErrUnavailable error = fault.Unavailable // the same call may succeed later
	ErrForbidden   error = fault.Forbidden   // the policy, or the publisher, does not allow it
	ErrLimit       error = fault.Limit       // a bound was reached
	ErrInvalid     error = fault.Invalid     // not an address, or an answer that breaks its protocol
	ErrUnsupported error = fault.Unsupported // a kind of archive or compression that is not read
)

// Limits of what is read.
const (
	MaxAnswer    = 4 << 30   // bytes of an answer, where the request says nothing
	MaxDocument  = 256 << 20 // bytes of a document, unpacked
	MaxMembers   = 2_000_000 // members of an archive
	MaxUnpacked  = 64 << 30  // bytes of an archive's members
	MaxRatio     = 1000      // unpacked bytes for each packed one, over 1 MiB
	MaxState     = 1 << 20   // bytes of a source's state
	MaxList      = 256 << 20 // bytes of the list of an index
	MaxEntries   = 2_000_000 // entries of such a list
	MaxSingles   = 2_000     // documents that are fetched one by one where all come in an archive too
	MaxRedirects = 5         // hops of one request
	MaxResumes   = 20        // times that one body is taken up again
)
