package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/stella-ops/stella/store/cache"
)

// CacheDriver returns a cache in the store's own database. It loses a key before
// its time only where the database itself is set back to a backup, of which its
// epoch does not tell. Closing it leaves the store open.
func (r *Root) CacheDriver() cache.Driver { return &sqlCache{root: r} }

type sqlCache struct {
	root   *Root
	closed atomic.Bool
}

func (c *sqlCache) open(what string) error {
	if c.closed.Load() {
		return fmt.Errorf("%s: the cache is closed: %w", what, ErrUnavailable)
	}
	return nil
}

func (c *sqlCache) write(ctx context.Context, what string, f func(*tx) error) error {
	if err := c.open(what); err != nil {
		return err
	}
	return c.root.write(ctx, Scope{Role: RoleRelay}, what, f)
}

// Add stores a value under a new key. Keys are bytes: not every engine's text
// takes all of them.
func (c *sqlCache) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	added := false
	err := c.write(ctx, "add to the cache", func(tx *tx) error {
		n, err := tx.exec(`INSERT INTO transport.cache (key, value, expires_us) VALUES ($1, $2, $3)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_us = excluded.expires_us WHERE transport.cache.expires_us <= $4`,
			[]byte(key), present(value), tx.now+ttl.Microseconds(), tx.now)
		added = n == 1
		return err
	})
	return added && err == nil, err
}

// Get returns the value of a key.
func (c *sqlCache) Get(ctx context.Context, key string) ([]byte, error) {
	if err := c.open("read the cache"); err != nil {
		return nil, err
	}
	var value []byte
	err := c.root.read(ctx, Scope{Role: RoleRelay}, "read the cache", func(tx *tx) error {
		err := tx.get(`SELECT value FROM transport.cache WHERE key = $1 AND expires_us > $2`, []any{[]byte(key), tx.now}, &value)
		if isNoRows(err) {
			return fmt.Errorf("key %.80q: %w", key, ErrNotFound)
		}
		return err
	})
	return value, err
}

// Delete removes a key.
func (c *sqlCache) Delete(ctx context.Context, key string) error {
	return c.write(ctx, "delete from the cache", func(tx *tx) error {
		_, err := tx.exec(`DELETE FROM transport.cache WHERE key = $1`, []byte(key))
		return err
	})
}

// Epoch is always the same.
func (c *sqlCache) Epoch(ctx context.Context) (string, error) {
	if err := errors.Join(ctx.Err(), c.open("epoch of the cache")); err != nil {
		return "", err
	}
	return "in the store", nil
}

// Close ends the use of the cache: the store is closed by whoever opened it.
func (c *sqlCache) Close() error { c.closed.Store(true); return nil }
