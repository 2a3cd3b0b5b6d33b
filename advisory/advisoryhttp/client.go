package advisoryhttp

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
)

// The defaults of a Client.
const (
	DefaultTimeout  = 2 * time.Minute
	DefaultAttempts = 4
)

// Client asks a [Handler]. URL is required. A Client is safe for concurrent use
// and must not be copied or changed after its first call. Calls that only read
// are repeated where no answer came or the service was unavailable.
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

func (c *Client) do(ctx context.Context, q httpjson.Call, read func(*http.Response) error) error {
	c.once.Do(func() {
		c.caller = &httpjson.Caller{
			Service: "advisories", Root: root, URL: c.URL, Transport: c.Transport, Token: c.Token,
			Timeout: cmp.Or(c.Timeout, DefaultTimeout), Attempts: cmp.Or(max(c.Attempts, 0), DefaultAttempts),
		}
	})
	return c.caller.Do(ctx, q, read)
}

// get reads JSON.
func (c *Client) get(ctx context.Context, what, path string, query url.Values, into any) error {
	return c.do(ctx, httpjson.Call{What: what, Method: http.MethodGet, Path: path, Query: query, Want: http.StatusOK, Again: true},
		func(resp *http.Response) error { return httpjson.ReadJSON(resp, MaxAnswer, into) })
}

// post sends and reads JSON. into may be nil.
func (c *Client) post(ctx context.Context, what, path string, body any, want int, into any) error {
	return c.do(ctx, httpjson.Call{What: what, Method: http.MethodPost, Path: path, Body: body, Want: want, Again: true}, func(resp *http.Response) error {
		if into == nil {
			return nil
		}
		return httpjson.ReadJSON(resp, MaxAnswer, into)
	})
}

// Head returns a head by its number, and the newest for 0, without its manifest.
// An error wraps ErrNotFound.
func (c *Client) Head(ctx context.Context, number int64) (*advisory.Head, error) {
	name := "current"
	if number != 0 {
		name = strconv.FormatInt(number, 10)
	}
	head := new(advisory.Head)
	if err := c.get(ctx, "read head "+name, "/heads/"+name, nil, head); err != nil {
		return nil, err
	}
	return head, nil
}

// Sources returns how every source stands.
func (c *Client) Sources(ctx context.Context) ([]advisory.SourceState, error) {
	var out struct {
		Sources []advisory.SourceState `json:"sources"`
	}
	err := c.get(ctx, "read the sources of advisories", "/sources", nil, &out)
	return out.Sources, err
}

// Approve releases a run that is held, in the name of the token's subject.
func (c *Client) Approve(ctx context.Context, source string, run int64) error {
	return c.post(ctx, "approve a run of "+source, "/sources/"+url.PathEscape(source)+"/approve", Approval{run}, http.StatusNoContent, nil)
}

// Advisory returns what is known under an id now. An error wraps ErrNotFound
// where nothing is.
func (c *Client) Advisory(ctx context.Context, id string) (*Answer, error) {
	out := new(Answer)
	if err := c.get(ctx, "read advisory "+id, "/"+url.PathEscape(id), nil, out); err != nil {
		return nil, err
	}
	return out, nil
}

// Manifest returns the manifest of a snapshot; see snapshot.Cache.
func (c *Client) Manifest(ctx context.Context, digest string) ([]byte, error) {
	return c.bytes(ctx, "read the manifest of snapshot "+digest, "/snapshots/"+digest, digest, "application/json", MaxAnswer)
}

// Object returns a segment or overlay of a snapshot; see snapshot.Cache.
func (c *Client) Object(ctx context.Context, digest string) ([]byte, error) {
	return c.bytes(ctx, "read object "+digest, "/objects/"+digest, digest, "application/octet-stream", MaxObject)
}

func (c *Client) bytes(ctx context.Context, what, path, digest, mediaType string, limit int64) (out []byte, err error) {
	if !isDigest(digest) {
		return nil, fmt.Errorf("%.200s: it is not a digest: %w", what, fault.Invalid)
	}
	err = c.do(ctx, httpjson.Call{What: what, Method: http.MethodGet, Path: path, Want: http.StatusOK, Again: true}, func(resp *http.Response) error {
		out, err = httpjson.ReadTyped(resp, mediaType, limit)
		return err
	})
	return out, err
}
