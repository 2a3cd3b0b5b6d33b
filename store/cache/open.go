package cache

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/scheme"
)

var drivers = scheme.Registry[Driver]{
	What: "cache", Form: "mem: or scheme://user:password@host:port/…", Drivers: "store/cache/valkeycache",
	BuiltIn: map[string]scheme.Opener[Driver]{"mem": openMem},
}

// Register makes a driver known to Open. Drivers call it from init. It panics
// when the scheme is taken.
func Register(name string, open func(ctx context.Context, u *url.URL) (Driver, error)) {
	drivers.Register(name, open)
}

// Open opens the cache that a URL names. "mem:" is built in: it is in memory,
// and nothing outside of the returned Cache can reach it, so one process alone is
// protected. "?keys=" and "?bytes=" bound what it holds, by default 1000000 and
// 268435456; Add is refused with ErrUnavailable when it is full of keys that have
// not expired. Other schemes need their driver imported, such as
//
//	import _ "github.com/stella-ops/stella/store/cache/valkeycache"
//
// The error for an unknown scheme or query key lists those that exist. Errors
// never show the URL's password.
func Open(ctx context.Context, rawURL string) (*Cache, error) {
	d, err := drivers.Open(ctx, rawURL)
	if err != nil {
		return nil, err
	}
	return New(d), nil
}

// Query returns the query of a driver's URL. A key that is not known is an error
// that lists those that are, and so is one that is given twice.
func Query(u *url.URL, known ...string) (url.Values, error) { return scheme.Query(u, known...) }

func openMem(_ context.Context, u *url.URL) (Driver, error) {
	q, err := Query(u, "keys", "bytes")
	if err != nil {
		return nil, err
	}
	if u.Host != "" || u.Path != "" || u.Opaque != "" {
		return nil, fmt.Errorf("memory has no address: want mem: alone: %w", fault.Invalid)
	}
	var limits MemLimits
	for key, to := range map[string]*int64{"keys": &limits.Keys, "bytes": &limits.Bytes} {
		if s := q.Get(key); s != "" {
			if *to, err = strconv.ParseInt(s, 10, 64); err != nil || *to <= 0 {
				return nil, fmt.Errorf("%s=%q: want a whole number above 0: %w", key, s, fault.Invalid)
			}
		}
	}
	return NewMem(limits), nil
}
