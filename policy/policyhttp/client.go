package policyhttp

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/policy"
)

// The defaults of a Client.
const (
	DefaultTimeout  = 2 * time.Minute
	DefaultAttempts = 4
)

// Client asks a [Handler], as the tenant that its token names. URL is required. A
// Client is safe for concurrent use and must not be copied or changed after its first
// call.
//
// Where no answer came or the service was unavailable, a call is repeated: all may be.
// Except needs a key or an ID for that, and is tried once without either.
//
// Only answers of the service itself say that something is not found; from any other
// server, such as a gateway, that is ErrUnavailable. Whoever waits for a verdict takes
// every error for a refusal.
type Client struct {
	// URL is where the service is, such as https://policy.example. It may have a path,
	// and must not have a query or user information.
	URL string
	// Transport sends requests. Nil: one of the client's own, which checks
	// certificates with the system's roots, and uses no proxy and no cookies.
	// Redirects are never followed.
	Transport http.RoundTripper
	// Token gives what is sent as a bearer token, before each attempt. Nil sends none.
	Token func(context.Context) (string, error)
	// Timeout bounds one attempt, with its answer. Default: DefaultTimeout.
	Timeout time.Duration
	// Attempts bounds how often a call is tried. Default: DefaultAttempts.
	Attempts int

	once   sync.Once
	caller *httpjson.Caller
}

// do sends a request until it has an answer, and hands that to read.
func (c *Client) do(ctx context.Context, q httpjson.Call, read func(*http.Response) error) error {
	c.once.Do(func() {
		c.caller = &httpjson.Caller{
			Service: "policy gateway", Root: root, URL: c.URL, Transport: c.Transport, Token: c.Token,
			Timeout: cmp.Or(c.Timeout, DefaultTimeout), Attempts: cmp.Or(max(c.Attempts, 0), DefaultAttempts),
		}
	})
	return c.caller.Do(ctx, q, read)
}

func (c *Client) get(ctx context.Context, what, path string, query url.Values, read func(*http.Response) error) error {
	return c.do(ctx, httpjson.Call{What: what, Method: http.MethodGet, Path: path, Query: query, Want: http.StatusOK, Again: true}, read)
}

func (c *Client) post(ctx context.Context, what, path string, body any, read func(*http.Response) error) error {
	return c.do(ctx, httpjson.Call{What: what, Method: http.MethodPost, Path: path, Body: body, Limit: MaxBody, Want: http.StatusOK, Again: true}, read)
}

// into reads an answer as JSON. right says whether it is about what was asked for.
func into[T any](v *T, right func(*T) bool) func(*http.Response) error {
	return httpjson.Into(v, MaxAnswer, right)
}

// kept sends what makes something. repeated reports that it was there before.
func (c *Client) kept(ctx context.Context, q httpjson.Call, read func(*http.Response) error) (repeated bool, err error) {
	q.Want = http.StatusCreated
	err = c.do(ctx, q, func(resp *http.Response) error {
		repeated = resp.Header.Get(ReplayedHeader) == "true"
		return read(resp)
	})
	return repeated && err == nil, err
}

// name makes an id part of a path. Nothing else is looked up or asked for.
func name(what, id string) (string, error) {
	if !isName(id, maxName) {
		return "", fmt.Errorf("%s %.80q: %w", what, id, fault.NotFound)
	}
	return url.PathEscape(id), nil
}

// Verdict returns what holds about a scan, in one environment where one is given. An
// error is no verdict: it allows nothing.
func (c *Client) Verdict(ctx context.Context, scanID string, environment ...string) (*Standings, error) {
	if !isScan(scanID) {
		return nil, fmt.Errorf("scan %.80q: %w", scanID, fault.NotFound)
	}
	query := url.Values{}
	if len(environment) > 0 {
		query.Set("environment", environment[0])
	}
	out := new(Standings)
	err := c.get(ctx, "read what holds about "+scanID, "/scans/"+scanID+"/verdict", query, into(out, func(s *Standings) bool {
		return s.ScanID == scanID && s.Outcome.Rank() >= 0 && s.Allows == standingsOf(scanID, s.Verdicts, environment).Allows
	}))
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Verdicts lists the verdicts that there were about a scan, the newest first, from
// after, which is what the page before returned as next.
func (c *Client) Verdicts(ctx context.Context, scanID, after string) (list []policy.Decision, next string, err error) {
	if !isScan(scanID) {
		return nil, "", fmt.Errorf("scan %.80q: %w", scanID, fault.NotFound)
	}
	var page decisionPage
	err = c.get(ctx, "list verdicts about "+scanID, "/scans/"+scanID+"/verdicts", from(after), into(&page, func(p *decisionPage) bool { return p.Verdicts != nil }))
	return page.Verdicts, page.Next, err
}

func from(after string) url.Values {
	if after == "" {
		return nil
	}
	return url.Values{"after": {after}}
}

// Find returns a verdict by its key, as it was signed. It is verified.
func (c *Client) Find(ctx context.Context, key string) (body []byte, v *policy.Verdict, err error) {
	if !sum.Is(key) {
		return nil, nil, fmt.Errorf("verdict %.80q: %w", key, fault.NotFound)
	}
	err = c.get(ctx, "read verdict "+key, "/verdicts/"+key, nil, func(resp *http.Response) error {
		if body, err = httpjson.ReadTyped(resp, "application/json", MaxAnswer); err != nil {
			return err
		}
		if v, err = policy.DecodeVerdict(body); err != nil {
			return err
		}
		if v.Key() != key || v.Digest() != sum.Of(body) {
			return &fault.MismatchError{What: "key of a verdict", Want: key, Got: v.Key()}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return body, v, nil
}

// Trace returns the trace of a verdict, verified against it.
func (c *Client) Trace(ctx context.Context, v *policy.Verdict) (body []byte, err error) {
	err = c.get(ctx, "read the trace of a verdict", "/verdicts/"+v.Key()+"/trace", nil, func(resp *http.Response) error {
		if body, err = httpjson.ReadTyped(resp, "application/json", MaxTrace); err != nil {
			return err
		}
		if got := sum.Of(body); got != v.Trace {
			return &fault.MismatchError{What: "digest of a trace", Want: v.Trace, Got: got}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return body, nil
}

// Simulate asks what a policy would say about a scan.
func (c *Client) Simulate(ctx context.Context, s Simulation) (*Simulated, error) {
	out := new(Simulated)
	if err := c.post(ctx, "simulate about "+s.ScanID, "/policies/simulate", s, into(out, func(s *Simulated) bool { return s.Outcome.Rank() >= 0 && s.Verdict != nil })); err != nil {
		return nil, err
	}
	return out, nil
}

// Activations lists which policies were put in force, the newest first, from after,
// which is what the page before returned as next, 0 for the first.
func (c *Client) Activations(ctx context.Context, after int64) (list []policy.Activation, next int64, err error) {
	query := url.Values{}
	if after > 0 {
		query.Set("after", strconv.FormatInt(after, 10))
	}
	var page activationPage
	err = c.get(ctx, "list activations", "/policies/activations", query, into(&page, func(p *activationPage) bool { return p.Activations != nil }))
	return page.Activations, page.Next, err
}
