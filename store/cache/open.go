package cache

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/redact"
)

type opener = func(context.Context, *url.URL) (Driver, error)

// builtIn are the schemes that need no import.
var builtIn = map[string]opener{"mem": openMem}

var schemes struct {
	sync.Mutex
	open map[string]opener
}

// Register makes a driver known to Open. Drivers call it from init. It panics
// when the scheme is taken.
func Register(scheme string, open func(ctx context.Context, u *url.URL) (Driver, error)) {
	schemes.Lock()
	defer schemes.Unlock()
	if schemes.open == nil {
		schemes.open = map[string]opener{}
	}
	if schemes.open[scheme] != nil || builtIn[scheme] != nil {
		panic("cache: scheme " + scheme + " is registered twice")
	}
	schemes.open[scheme] = open
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
	u, err := url.Parse(rawURL)
	if err != nil {
		// The parser's reason may quote a password.
		return nil, fmt.Errorf("open cache: the URL cannot be parsed: want mem: or scheme://user:password@host:port/…, with special characters in user and password as %%XX: %w", fault.Invalid)
	}
	known := maps.Clone(builtIn)
	schemes.Lock()
	maps.Copy(known, schemes.open)
	schemes.Unlock()
	open := known[u.Scheme]
	if open == nil {
		return nil, fmt.Errorf("open cache: scheme %q: want one of %s, or import the package of its driver, such as store/cache/valkeycache: %w",
			u.Scheme, strings.Join(slices.Sorted(maps.Keys(known)), ", "), fault.Unsupported)
	}
	d, err := open(ctx, u)
	if err != nil {
		password, _ := u.User.Password()
		return nil, redact.Error(fmt.Errorf("open cache %s: %w", u.Redacted(), err), password)
	}
	return New(d), nil
}

// Query returns the query of a driver's URL. A key that is not known is an error
// that lists those that are, and so is one that is given twice.
func Query(u *url.URL, known ...string) (url.Values, error) {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("query of the URL: want key=value pairs joined by '&': %w", fault.Invalid)
	}
	for _, key := range slices.Sorted(maps.Keys(q)) {
		if !slices.Contains(known, key) {
			have := "there are none"
			if len(known) > 0 {
				have = "there are " + strings.Join(known, ", ")
			}
			return nil, fmt.Errorf("query key %q of the URL: %s: %w", key, have, fault.Invalid)
		}
		if len(q[key]) > 1 {
			return nil, fmt.Errorf("query key %q of the URL is given twice: %w", key, fault.Invalid)
		}
	}
	return q, nil
}

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
