package scan

import (
	"context"

	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrNotFound    error = fault.NotFound
	ErrLimit       error = fault.Limit
	ErrMismatch    error = fault.Mismatch // content is not what its digest says
	ErrConflict    error = fault.Conflict
	ErrFenced      error = fault.Fenced      // another holder has the job, or it ended
	ErrUnavailable error = fault.Unavailable // the same call may succeed later
)

// Cache keeps what was computed from layers and images whose identity was
// verified. Values are immutable: a key always stands for the same bytes, so
// a cache may forget anything at any time. Implementations are safe for
// concurrent use and check what they read: a damaged entry is one that is not
// there. Package filecache has one on disk.
type Cache interface {
	// Get returns the value of key, or an error wrapping ErrNotFound.
	Get(ctx context.Context, key string) ([]byte, error)
	// Put keeps value under key. The cache does not keep the slice.
	Put(ctx context.Context, key string, value []byte) error
}
