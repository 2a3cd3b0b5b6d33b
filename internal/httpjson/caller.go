package httpjson

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
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// The bounds of the wait between two attempts, which doubles each time.
const (
	minWait = 100 * time.Millisecond
	maxWait = 30 * time.Second
)

// maxRequest bounds the body of a request where its limit is zero.
const maxRequest = 1 << 20

// Caller is the client of one API. It is safe for concurrent use and must not be
// copied or changed after its first call.
type Caller struct {
	// Service names the service in errors, Root is the path that all paths begin
	// with.
	Service, Root string
	// URL is where the service is. It may have a path, and must not have a query or
	// user information.
	URL string
	// Transport sends requests. Nil: one of the caller's own, which checks
	// certificates with the system's roots, and uses no proxy and no cookies.
	// Redirects are never followed.
	Transport http.RoundTripper
	// Token gives what is sent as a bearer token, before each attempt. Nil sends
	// none.
	Token func(context.Context) (string, error)
	// Timeout bounds one attempt, with its answer; Attempts how often a call is
	// tried. Both are required.
	Timeout  time.Duration
	Attempts int

	once sync.Once
	base string
	bad  error
	own  http.RoundTripper
}

// Call is one call of the API.
type Call struct {
	What   string // for errors
	Method string
	Path   string // below the API's root
	Query  url.Values
	Header map[string]string
	Body   any
	Raw    []byte // instead of Body; Header says of what type
	Limit  int    // of the encoded body; 0 means 1 MiB
	Want   int    // the status of success
	Also   []int  // further statuses of success
	Again  bool   // may be repeated without another effect
}

func (c *Caller) prepare() {
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
		c.bad = fmt.Errorf("URL of the %s: want https://HOST or http://HOST, with or without a path, and no user, query or fragment: %w", c.Service, fault.Invalid)
		return
	}
	c.base = strings.TrimSuffix(u.String(), "/")
}

// Do sends a request until it has an answer, and hands that to read, which may
// be nil.
func (c *Caller) Do(ctx context.Context, q Call, read func(*http.Response) error) error {
	c.once.Do(c.prepare)
	if c.bad != nil {
		return fmt.Errorf("%s: %w", q.What, c.bad)
	}
	body := q.Raw
	if q.Body != nil {
		var err error
		if body, err = Encode(q.Body); err != nil {
			return fmt.Errorf("%s: %w", q.What, err)
		}
	}
	if most := cmp.Or(q.Limit, maxRequest); len(body) > most {
		return &fault.LimitError{What: "bytes of a request", Where: q.What, Max: int64(most), Seen: int64(len(body))}
	}
	attempts := 1
	if q.Again {
		attempts = c.Attempts
	}
	for n := 1; ; n++ {
		err := c.try(ctx, q, body, read)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", q.What, ctx.Err())
		}
		if n >= attempts || !errors.Is(err, fault.Unavailable) || !sleep(ctx, wait(n, err)) {
			return fmt.Errorf("%s: %w", q.What, err)
		}
	}
}

// wait is how long to wait after attempt n.
func wait(n int, err error) time.Duration {
	var r *Remote
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
func (c *Caller) try(ctx context.Context, q Call, body []byte, read func(*http.Response) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	address := c.base + c.Root + q.Path
	if len(q.Query) > 0 {
		address += "?" + q.Query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, q.Method, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the request: %v: %w", err, fault.Invalid)
	}
	r.Header.Set("Accept", "application/json, application/problem+json")
	r.Header.Set("User-Agent", "stella")
	if q.Body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range q.Header {
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
	if resp.StatusCode != q.Want && !slices.Contains(q.Also, resp.StatusCode) {
		return ReadError(resp)
	}
	if read != nil {
		return read(resp)
	}
	io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<10)) // so that the connection is used again
	return nil
}
