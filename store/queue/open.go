package queue

import (
	"context"
	"net/url"

	"github.com/stella-ops/stella/internal/scheme"
)

var drivers = scheme.Registry[Driver]{
	What: "queue", Form: "mem: or scheme://user:password@host:port/…", Drivers: "store/queue/valkeyqueue or store/queue/natsqueue",
	BuiltIn: map[string]scheme.Opener[Driver]{"mem": openMem},
	Tokens:  true,
}

// Register makes a driver known to Open. Drivers call it from init. It panics
// when the scheme is taken.
func Register(name string, open func(ctx context.Context, u *url.URL) (Driver, error)) {
	drivers.Register(name, open)
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
// never show the URL's password.
func Open(ctx context.Context, rawURL string) (*Queue, error) {
	d, err := drivers.Open(ctx, rawURL)
	if err != nil {
		return nil, err
	}
	return New(d), nil
}

// Query returns the query of a driver's URL. A key that is not known is an error
// that lists those that are, and so is one that is given twice.
func Query(u *url.URL, known ...string) (url.Values, error) { return scheme.Query(u, known...) }

// Warnings says what an operator should know about the backend, such as that it
// may lose what it acknowledged. Nil means nothing.
func (q *Queue) Warnings() []string {
	if w, ok := q.driver.(interface{ Warnings() []string }); ok {
		return w.Warnings()
	}
	return nil
}
