package scanhttp

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/scan"
)

// The defaults of a Client.
const (
	DefaultTimeout  = 2 * time.Minute
	DefaultAttempts = 4
)

// Client asks a [Handler] for the scans of the tenant that its token names. It is
// a scan.Store and a scan.Jobs. URL is required. A Client is safe for concurrent
// use and must not be copied or changed after its first call.
//
// What may be repeated without another effect is, where no answer came or the
// service was unavailable: all calls but Claim and Fail, whose callers have ways
// of their own to repeat. A submission has an idempotency key for that.
//
// Only answers of the service itself say that something is not found or in
// conflict; from any other server, such as a gateway, they are ErrUnavailable.
type Client struct {
	// URL is where the service is, such as https://scanner.example. It may have a
	// path, and must not have a query or user information.
	URL string
	// Transport sends requests. Nil: one of the client's own, which checks
	// certificates with the system's roots, and uses no proxy and no cookies.
	// Redirects are never followed.
	Transport http.RoundTripper
	// Token gives what is sent as a bearer token, before each attempt. Nil sends
	// none.
	Token func(context.Context) (string, error)
	// Timeout bounds one attempt, with its answer. Default: DefaultTimeout.
	Timeout time.Duration
	// Attempts bounds how often a call is tried. Default: DefaultAttempts.
	Attempts int

	once   sync.Once
	caller *httpjson.Caller
}

var (
	_ scan.Store = (*Client)(nil)
	_ scan.Jobs  = (*Client)(nil)
	_ States     = (*Client)(nil)
)

// do sends a request until it has an answer, and hands that to read, which may
// be nil.
func (c *Client) do(ctx context.Context, q httpjson.Call, read func(*http.Response) error) error {
	c.once.Do(func() {
		c.caller = &httpjson.Caller{
			Service: "scanner", Root: base, URL: c.URL, Transport: c.Transport, Token: c.Token,
			Timeout: cmp.Or(c.Timeout, DefaultTimeout), Attempts: cmp.Or(max(c.Attempts, 0), DefaultAttempts),
		}
	})
	return c.caller.Do(ctx, q, read)
}

// into reads an answer as JSON. right says whether it is about what was asked for.
func into[T any](v *T, right func(*T) bool) func(*http.Response) error {
	return httpjson.Into(v, MaxAnswer, right)
}

// noScan refuses what no scan is called; it never becomes part of a path.
func noScan(what, id string) error {
	if isID(id) {
		return nil
	}
	return fmt.Errorf("%s: scan job %.80q: %w", what, id, fault.NotFound)
}
