// Package cache keeps small values for a while and says, atomically, whether a
// key is new: for nonces, replay protection and rate limits. It is no store: it
// may lose everything, and says so by another [Cache.Epoch].
//
// When the backend is away every call fails; a caller that protects something
// must then refuse. Package cachetest proves a driver.
package cache

import (
	"context"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrNotFound    error = fault.NotFound
	ErrUnavailable error = fault.Unavailable // the backend is away, or full: refuse
	ErrLimit       error = fault.Limit
)

// The bounds of a key, in bytes, and of a value.
const (
	MaxKey   = 512
	MaxValue = 64 << 10
)

// Driver is a backend. Methods are safe for concurrent use; errors wrap the
// kinds of this package.
type Driver interface {
	// Add stores value under key for ttl and reports true, or reports false and
	// changes nothing when the key is there and has not expired. Of any number of
	// concurrent calls for a new key exactly one reports true.
	Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error)
	// Get returns the value of a key, or an error wrapping ErrNotFound when it
	// is not there or has expired.
	Get(ctx context.Context, key string) ([]byte, error)
	// Delete removes a key. One that is not there is no error.
	Delete(ctx context.Context, key string) error
	// Epoch returns a value that changes when the backend may have lost keys
	// before their time. It makes one where there is none.
	Epoch(ctx context.Context) (string, error)
	// Close frees what the driver holds.
	Close() error
}
