package advisoryhttp

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
)

// The defaults of a Client.
const (
	DefaultTimeout  = 2 * time.Minute
	DefaultAttempts = 4
)

// Client asks a [Handler]. URL is required. A Client is safe for concurrent use
// and must not be copied or changed after its first call.
//
// Where no answer came or the service was unavailable, a call is repeated, but for
// Approve: a run that is approved is held no longer, so a second attempt would be
// refused although the first one did it.
//
// Only answers of the service itself say that something is not found; from any
// other server, such as a gateway, that is ErrUnavailable.
type Client struct {
	// URL is where the service is, such as https://concelier.example. It may have
	// a path, and must not have a query or user information.
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

// do sends a request until it has an answer, and hands that to read, which may
// be nil.
func (c *Client) do(ctx context.Context, q httpjson.Call, read func(*http.Response) error) error {
	c.once.Do(func() {
		c.caller = &httpjson.Caller{
			Service: "advisories", Root: root, URL: c.URL, Transport: c.Transport, Token: c.Token,
			Timeout: cmp.Or(c.Timeout, DefaultTimeout), Attempts: cmp.Or(max(c.Attempts, 0), DefaultAttempts),
		}
	})
	return c.caller.Do(ctx, q, read)
}

func (c *Client) get(ctx context.Context, what, path string, query url.Values, read func(*http.Response) error) error {
	return c.do(ctx, httpjson.Call{What: what, Method: http.MethodGet, Path: path, Query: query, Want: http.StatusOK, Again: true}, read)
}

func (c *Client) post(ctx context.Context, what, path string, query url.Values, body any, read func(*http.Response) error) error {
	return c.do(ctx, httpjson.Call{What: what, Method: http.MethodPost, Path: path, Query: query, Body: body, Limit: MaxBody, Want: http.StatusOK, Again: true}, read)
}

// into reads an answer as JSON. right says whether it is about what was asked for.
func into[T any](v *T, right func(*T) bool) func(*http.Response) error {
	return httpjson.Into(v, MaxAnswer, right)
}

// bytes reads what has a digest.
func (c *Client) bytes(ctx context.Context, what, path, digest, mediaType string, limit int64) (out []byte, err error) {
	if !sum.Is(digest) {
		return nil, fmt.Errorf("%.200s: it is not a digest: %w", what, fault.NotFound)
	}
	err = c.do(ctx, httpjson.Call{What: what, Method: http.MethodGet, Path: path + digest, Want: http.StatusOK, Again: true}, func(resp *http.Response) error {
		out, err = httpjson.ReadTyped(resp, mediaType, limit)
		return err
	})
	return out, err
}

// segment makes an id part of a path. Nothing else is looked up or asked for.
func segment(what, id string) (string, error) {
	if !isText(id, maxName) || id == "." || id == ".." {
		return "", fmt.Errorf("%s %.80q: %w", what, id, fault.NotFound)
	}
	return url.PathEscape(id), nil
}
