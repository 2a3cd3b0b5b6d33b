package queue

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/redact"
)

var schemes struct {
	sync.Mutex
	open map[string]func(context.Context, *url.URL) (Driver, error)
}

// Register makes a driver known to Open. Drivers call it from init. It panics
// when the scheme is taken.
func Register(scheme string, open func(ctx context.Context, u *url.URL) (Driver, error)) {
	schemes.Lock()
	defer schemes.Unlock()
	if schemes.open == nil {
		schemes.open = map[string]func(context.Context, *url.URL) (Driver, error){"mem": openMem}
	}
	if schemes.open[scheme] != nil {
		panic("queue: scheme " + scheme + " is registered twice")
	}
	schemes.open[scheme] = open
}

// Open opens the queue that a URL names. "mem:" is built in, see below; other
// schemes need their driver imported, such as
//
//	import _ "github.com/stella-ops/stella/store/queue/valkeyqueue"
//
// "mem:" is a queue in memory that nothing outside of the returned Queue can
// reach. "?messages=" and "?bytes=" bound what it holds, by default 100000 and
// 268435456; publishing more is refused with ErrLimit.
//
// The error for an unknown scheme or query key lists those that exist. Errors
// never show the URL's user and password.
func Open(ctx context.Context, rawURL string) (*Queue, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		// The parser's reason may quote a password.
		return nil, fmt.Errorf("open queue: the URL cannot be parsed: want scheme://user:password@host:port/…, with special characters in user and password as %%XX: %w", fault.Invalid)
	}
	schemes.Lock()
	open := schemes.open[u.Scheme]
	names := slices.AppendSeq([]string{"mem"}, maps.Keys(schemes.open))
	schemes.Unlock()
	if open == nil && u.Scheme == "mem" {
		open = openMem
	}
	if open == nil {
		slices.Sort(names)
		return nil, fmt.Errorf("open queue: scheme %q: want one of %s, or import the package of its driver, such as store/queue/valkeyqueue or store/queue/natsqueue: %w",
			u.Scheme, strings.Join(slices.Compact(names), ", "), fault.Unsupported)
	}
	d, err := open(ctx, u)
	if err != nil {
		secret, ok := u.User.Password()
		if !ok {
			secret = u.User.Username() // may be a token
		}
		return nil, redact.Error(fmt.Errorf("open queue %s: %w", withoutUser(u), err), secret)
	}
	return New(d), nil
}

// withoutUser returns a URL that can be shown.
func withoutUser(u *url.URL) string {
	shown := *u
	shown.User = nil
	return shown.String()
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

// Warnings says what an operator should know about the backend, such as that it
// may lose what it acknowledged. Nil means nothing.
func (q *Queue) Warnings() []string {
	if w, ok := q.driver.(interface{ Warnings() []string }); ok {
		return w.Warnings()
	}
	return nil
}
