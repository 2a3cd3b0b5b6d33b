package tlog

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard"
)

// DefaultTimeout is how long one request may take, with its answer.
const DefaultTimeout = 30 * time.Second

// HTTPOptions are the details of a client; nil means the defaults.
type HTTPOptions struct {
	// Transport sends requests. Nil: one that reaches public addresses only. Redirects
	// are never followed.
	Transport http.RoundTripper
	// Timeout bounds one request with its answer; 0 means DefaultTimeout.
	Timeout time.Duration
}

// client sends requests below one URL.
type client struct {
	base      *url.URL
	transport http.RoundTripper
	timeout   time.Duration
}

func newClient(rawURL string, opt *HTTPOptions) (*client, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("URL of a log or witness: want http or https, a host and a path alone: %w", fault.Invalid)
	}
	if opt == nil {
		opt = &HTTPOptions{}
	}
	c := &client{base: u, transport: opt.Transport, timeout: opt.Timeout}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	if c.transport == nil {
		door, err := netguard.Service().Door()
		if err != nil {
			return nil, err
		}
		if c.transport, err = door.Transport(nil); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// answer is what a server said, whole.
type answer struct {
	status      int
	contentType string
	body        []byte
}

// send sends a request and reads at most max bytes of the answer.
func (c *client) send(ctx context.Context, method, path string, body []byte, max int) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	target := c.base.JoinPath(path)
	req, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %v: %w", method, target, err, fault.Invalid)
	}
	req.Header.Set("Accept-Encoding", "gzip, identity")
	if body != nil {
		req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		if kind := fault.KindOf(err); kind != "" {
			return nil, fmt.Errorf("%s %s: %w", method, target, err)
		}
		return nil, fmt.Errorf("%s %s: %w: %w", method, target, err, fault.Unavailable)
	}
	defer resp.Body.Close()
	in, err := decoded(resp)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, target, err)
	}
	b, err := io.ReadAll(io.LimitReader(in, int64(max)+1))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %w", method, target, err, fault.Unavailable)
	}
	if len(b) > max {
		return nil, tooLarge(target.String(), max, len(b))
	}
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return &answer{status: resp.StatusCode, contentType: mediaType, body: b}, nil
}

// decoded returns the content of an answer. Logs may send gzip unasked.
func decoded(resp *http.Response) (io.Reader, error) {
	switch e := strings.ToLower(resp.Header.Get("Content-Encoding")); e {
	case "", "identity":
		return resp.Body, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(resp.Body)
		if err != nil {
			return nil, fmt.Errorf("gzip: %v: %w", err, fault.Unavailable)
		}
		return z, nil
	default:
		return nil, fmt.Errorf("content encoding %.20q: %w", e, fault.Unsupported)
	}
}

// refusal gives an answer that is not the wanted one its kind.
func (a *answer) refusal(what string) error {
	kind := fault.Invalid
	switch {
	case a.status == http.StatusNotFound || a.status == http.StatusGone:
		kind = fault.NotFound
	case a.status == http.StatusUnauthorized:
		kind = fault.Unauthenticated
	case a.status == http.StatusForbidden:
		kind = fault.Forbidden
	case a.status == http.StatusConflict:
		kind = fault.Conflict
	case a.status == http.StatusUnprocessableEntity:
		kind = fault.Mismatch
	case a.status >= 500 || a.status == http.StatusTooManyRequests || a.status == http.StatusRequestTimeout:
		kind = fault.Unavailable
	}
	return fmt.Errorf("%s: the server answers %d: %w", what, a.status, kind)
}

// NewHTTPSource returns what a log shows below a URL (tlog-tiles), such as
// "https://log.example/2026".
func NewHTTPSource(rawURL string, opt *HTTPOptions) (Source, error) {
	c, err := newClient(rawURL, opt)
	if err != nil {
		return nil, err
	}
	return httpSource{c}, nil
}

type httpSource struct{ c *client }

func (s httpSource) Checkpoint(ctx context.Context) ([]byte, error) {
	return s.Get(ctx, checkpointPath, MaxCheckpoint)
}

func (s httpSource) Get(ctx context.Context, path string, max int) ([]byte, error) {
	a, err := s.c.send(ctx, http.MethodGet, path, nil, max)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, a.refusal("read " + path)
	}
	return a.body, nil
}
