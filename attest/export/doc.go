// Package export makes of a scan what others can use and check: documents in their
// formats, signed, logged, bundled, kept under their digests, and pushed to where they
// are wanted (Export Center).
//
// An export is known by its scan and format. What it is made of is fixed when it is
// asked for: the digests of what it tells, the key that signs it, the version of this
// tool; their digest is its Key. Making it again, after whatever crash, gives the same
// bytes, and there is one row that points to them. Until a newer one is finished the
// older one is served.
package export

import "github.com/stella-ops/stella/internal/fault"

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrNotFound    error = fault.NotFound
	ErrConflict    error = fault.Conflict
	ErrForbidden   error = fault.Forbidden
	ErrUnavailable error = fault.Unavailable
	ErrLimit       error = fault.Limit
	ErrMismatch    error = fault.Mismatch
)
