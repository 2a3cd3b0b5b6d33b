// Package cache keeps small values for a while and says, atomically, whether a
// key is new: for nonces, replay protection and rate limits. It is no store: it
// may lose everything, and says so by another [Cache.Epoch].
//
// When the backend is away every call fails; a caller that protects something
// must then refuse. Package cachetest proves a driver.
package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrUnsupported error = fault.Unsupported
	ErrNotFound    error = fault.NotFound
	ErrUnavailable error = fault.Unavailable // the backend is away, or full: refuse
	ErrLimit       error = fault.Limit
)

// The bounds of a key and a value, in bytes, and of the time that a key is kept.
const (
	MaxKey   = 512
	MaxValue = 64 << 10
	MinTTL   = time.Millisecond // what every backend can measure
	MaxTTL   = 30 * 24 * time.Hour
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

// Cache keeps values on one driver. Make it with Open or New. It is safe for
// concurrent use.
type Cache struct{ driver Driver }

// New returns a cache on d.
func New(d Driver) *Cache { return &Cache{d} }

// Close frees what the backend holds.
func (c *Cache) Close() error { return c.driver.Close() }

// Add stores value under key for ttl and reports true, or reports false and
// changes nothing when the key is there. Of any number of concurrent calls for a
// new key exactly one reports true; the key may be added again when ttl has
// passed, and not before. A ttl that is no whole number of milliseconds is
// rounded up.
//
// After an error the key may have been added: a caller that protects something
// refuses then. The error wraps ErrInvalid or ErrLimit where a bound of this
// package is broken, and ErrUnavailable where the backend is away or full.
func (c *Cache) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if err := checkKey(key); err != nil {
		return false, fmt.Errorf("add to the cache: %w", err)
	}
	if len(value) > MaxValue {
		return false, &fault.LimitError{What: "bytes of a value", Where: "add " + shown(key) + " to the cache", Max: MaxValue, Seen: int64(len(value))}
	}
	if ttl < MinTTL || ttl > MaxTTL {
		return false, fmt.Errorf("add %s to the cache for %v: want %v to %v: %w", shown(key), ttl, MinTTL, MaxTTL, fault.Invalid)
	}
	ttl = (ttl + time.Millisecond - 1).Truncate(time.Millisecond)
	added, err := c.driver.Add(ctx, key, value, ttl)
	if err != nil {
		return false, fmt.Errorf("add %s to the cache: %w", shown(key), err)
	}
	return added, nil
}

// Get returns the value of a key. The error wraps ErrNotFound where it was never
// added, has expired or was lost.
func (c *Cache) Get(ctx context.Context, key string) ([]byte, error) {
	err := checkKey(key)
	if err == nil {
		var value []byte
		if value, err = c.driver.Get(ctx, key); err == nil {
			return value, nil
		}
	}
	return nil, fmt.Errorf("get %s from the cache: %w", shown(key), err)
}

// Delete removes a key. One that is not there is no error.
func (c *Cache) Delete(ctx context.Context, key string) error {
	err := checkKey(key)
	if err == nil {
		err = c.driver.Delete(ctx, key)
	}
	if err != nil {
		return fmt.Errorf("delete %s from the cache: %w", shown(key), err)
	}
	return nil
}

// Epoch returns a value that changes when keys may have been lost before their
// time. Who hands out something that may be used once writes the epoch into it,
// and on its return calls Add first and Epoch after it: an epoch that was asked
// before Add says nothing of what was lost in between.
func (c *Cache) Epoch(ctx context.Context) (string, error) {
	s, err := c.driver.Epoch(ctx)
	if err != nil {
		return "", fmt.Errorf("epoch of the cache: %w", err)
	}
	return s, nil
}

func checkKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("empty key: %w", fault.Invalid)
	case len(key) > MaxKey:
		return &fault.LimitError{What: "bytes of a key", Where: shown(key), Max: MaxKey, Seen: int64(len(key))}
	}
	return nil
}

// shown is what errors say of a key: keys may be long, and hold any bytes.
func shown(key string) string { return fmt.Sprintf("%.80q", key) }
