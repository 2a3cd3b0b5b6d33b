package scanhttp

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
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

// The bounds of the wait between two attempts, which doubles each time.
const (
	minWait = 100 * time.Millisecond
	maxWait = 30 * time.Second
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

	once sync.Once
	base string
	bad  error
	own  http.RoundTripper
}

var (
	_ scan.Store = (*Client)(nil)
	_ scan.Jobs  = (*Client)(nil)
)

// request is one call of the API.
type request struct {
	what   string // for errors
	method string
	path   string // below /api/v1/scans
	query  url.Values
	header map[string]string
	body   any
	limit  int // of the encoded body
	want   int // the status of success
	again  bool
}

func (c *Client) prepare() {
	c.own = c.Transport
	if c.own == nil {
		c.own = &http.Transport{
			ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 90 * time.Second,
			MaxIdleConns: 16, MaxIdleConnsPerHost: 16, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
		}
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		// The URL may hold a password, so the error does not repeat it.
		c.bad = fmt.Errorf("URL of the scanner: want https://HOST or http://HOST, with or without a path, and no user, query or fragment: %w", fault.Invalid)
		return
	}
	c.base = strings.TrimSuffix(u.String(), "/")
}

// do sends a request until it has an answer, and hands that to read, which may
// be nil.
func (c *Client) do(ctx context.Context, q request, read func(*http.Response) error) error {
	c.once.Do(c.prepare)
	if c.bad != nil {
		return fmt.Errorf("%s: %w", q.what, c.bad)
	}
	var body []byte
	if q.body != nil {
		var err error
		if body, err = httpjson.Encode(q.body); err != nil {
			return fmt.Errorf("%s: %w", q.what, err)
		}
		if len(body) > cmp.Or(q.limit, MaxBody) {
			return &fault.LimitError{What: "bytes of a request", Where: q.what, Max: int64(cmp.Or(q.limit, MaxBody)), Seen: int64(len(body))}
		}
	}
	attempts := 1
	if q.again {
		attempts = cmp.Or(max(c.Attempts, 0), DefaultAttempts)
	}
	for n := 1; ; n++ {
		err := c.try(ctx, q, body, read)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", q.what, ctx.Err())
		}
		if n >= attempts || !errors.Is(err, fault.Unavailable) || !sleep(ctx, wait(n, err)) {
			return fmt.Errorf("%s: %w", q.what, err)
		}
	}
}

// wait is how long to wait after attempt n.
func wait(n int, err error) time.Duration {
	var r *httpjson.Remote
	if errors.As(err, &r) && r.RetryAfter > 0 {
		return min(r.RetryAfter, maxWait)
	}
	d := min(minWait<<min(n-1, 10), maxWait)
	return d/2 + rand.N(d/2) // clients that failed together do not return together
}

// sleep reports whether there is time for another attempt afterwards.
func sleep(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// try sends a request once. Where no answer came, the error wraps ErrUnavailable.
func (c *Client) try(ctx context.Context, q request, body []byte, read func(*http.Response) error) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.Timeout, DefaultTimeout))
	defer cancel()
	address := c.base + root + q.path
	if len(q.query) > 0 {
		address += "?" + q.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, q.method, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the request: %v: %w", err, fault.Invalid)
	}
	r.Header.Set("Accept", "application/json, application/problem+json")
	r.Header.Set("User-Agent", "stella")
	if q.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	if c.Token != nil {
		token, err := c.Token(ctx)
		if err != nil {
			return fmt.Errorf("get a token: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.own.RoundTrip(r)
	if err != nil {
		if fault.KindOf(err) != "" { // a transport that knows why
			return fmt.Errorf("no answer: %w", err)
		}
		return fmt.Errorf("no answer: %w: %w", err, fault.Unavailable)
	}
	defer resp.Body.Close()
	if resp.StatusCode != q.want {
		return httpjson.ReadError(resp)
	}
	if read != nil {
		return read(resp)
	}
	io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<10)) // so that the connection is used again
	return nil
}

// into reads an answer as JSON and checks it.
func into[T any](v *T, check func(*T) bool) func(*http.Response) error {
	return func(resp *http.Response) error {
		var fresh T
		if err := httpjson.ReadJSON(resp, MaxAnswer, &fresh); err != nil {
			return err
		}
		if check != nil && !check(&fresh) {
			return fmt.Errorf("the server's answer is not about what was asked for: %w", fault.Unavailable)
		}
		*v = fresh
		return nil
	}
}

// noScan refuses what no scan is called; it never becomes part of a path.
func noScan(what, id string) error {
	if isID(id) {
		return nil
	}
	return fmt.Errorf("%s: scan job %.80q: %w", what, id, fault.NotFound)
}
