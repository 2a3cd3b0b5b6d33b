package notifyhttp

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/notify"
)

// The defaults of a Client.
const (
	DefaultTimeout  = 2 * time.Minute
	DefaultAttempts = 4
)

// Client asks a [Handler] and, by Timeline, a [TimelineHandler], as the tenant that its
// token names. URL is required. A Client
// is safe for concurrent use and must not be copied or changed after its first call.
//
// Where no answer came or the service was unavailable, a call is repeated if doing it over
// gives the same. Changes of settings, tests and replays are tried once.
//
// Only answers of the service itself say that something is not found; from any other
// server, such as a gateway, that is ErrUnavailable.
type Client struct {
	// URL is where the service is, such as https://notify.example. It may have a path,
	// and must not have a query or user information.
	URL string
	// Transport sends requests. Nil: one of the client's own, which checks certificates
	// with the system's roots, and uses no proxy and no cookies. Redirects are never
	// followed.
	Transport http.RoundTripper
	// Token gives what is sent as a bearer token, before each attempt. Nil sends none.
	Token func(context.Context) (string, error)
	// Timeout bounds one attempt, with its answer. Default: DefaultTimeout.
	Timeout time.Duration
	// Attempts bounds how often a call is tried. Default: DefaultAttempts.
	Attempts int

	once           sync.Once
	caller, longer *httpjson.Caller
}

// maxLong bounds what is read for a long time.
const maxLong = 24 * time.Hour

func (c *Client) prepare() {
	of := func(timeout time.Duration) *httpjson.Caller {
		return &httpjson.Caller{
			Service: "notifier", Root: root, URL: c.URL, Transport: c.Transport, Token: c.Token, Timeout: timeout, Attempts: cmp.Or(max(c.Attempts, 0), DefaultAttempts),
		}
	}
	c.caller, c.longer = of(cmp.Or(c.Timeout, DefaultTimeout)), of(maxLong)
}

// do sends a request until it has an answer, and hands that to read.
func (c *Client) do(ctx context.Context, q httpjson.Call, read func(*http.Response) error) error {
	c.once.Do(c.prepare)
	return c.caller.Do(ctx, q, read)
}

// long is do for an answer that is bounded by ctx alone.
func (c *Client) long(ctx context.Context, q httpjson.Call, read func(*http.Response) error) error {
	c.once.Do(c.prepare)
	return c.longer.Do(ctx, q, read)
}

func (c *Client) get(ctx context.Context, what, path string, query url.Values, read func(*http.Response) error) error {
	return c.do(ctx, httpjson.Call{What: what, Method: http.MethodGet, Path: path, Query: query, Want: http.StatusOK, Again: true}, read)
}

// into reads an answer as JSON. right says whether it is about what was asked for.
func into[T any](v *T, right func(*T) bool) func(*http.Response) error {
	return httpjson.Into(v, MaxAnswer, right)
}

// name makes an id part of a path. Nothing else is looked up or asked for.
func name(what, id string) (string, error) {
	if !isName(id) {
		return "", noSuch(what, id)
	}
	return url.PathEscape(id), nil
}

// from asks for the page after an entry.
func from(after string) url.Values {
	query := url.Values{}
	if after != "" {
		query.Set("after", after)
	}
	return query
}

// Preview asks what an event would bring: which rules tell of it, to whom and when, with
// what would be sent, and why others do not. Nothing is sent or kept.
func (c *Client) Preview(ctx context.Context, q *PreviewRequest) ([]notify.Preview, error) {
	var list previewList
	call := httpjson.Call{What: "preview", Method: http.MethodPost, Path: "/notify/preview", Body: q, Want: http.StatusOK, Again: true}
	if err := c.do(ctx, call, into(&list, func(l *previewList) bool { return l.Previews != nil })); err != nil {
		return nil, err
	}
	out := []notify.Preview{}
	for _, p := range list.Previews {
		if p.MediaType != "" {
			p.Preview.Payload = &notify.Payload{MediaType: p.MediaType, Body: []byte(p.Text), Notes: p.Notes}
		}
		out = append(out, p.Preview)
	}
	return out, nil
}

// Test has a test message sent by an endpoint, to a receiver there or, where that is "",
// to the endpoint's own. It returns the delivery that is queued.
func (c *Client) Test(ctx context.Context, endpoint, to string) (*notify.Delivery, error) {
	segment, err := name("endpoint", endpoint)
	if err != nil {
		return nil, err
	}
	d := new(notify.Delivery)
	q := httpjson.Call{What: "test endpoint " + endpoint, Method: http.MethodPost, Path: "/notify/endpoints/" + segment + "/test", Body: trial{to}, Want: http.StatusAccepted}
	if err := c.do(ctx, q, into(d, func(d *notify.Delivery) bool { return d.ID != "" && d.Endpoint == endpoint })); err != nil {
		return nil, err
	}
	return d, nil
}

// States tells how endpoints do.
func (c *Client) States(ctx context.Context) ([]notify.EndpointState, error) {
	var list stateList
	err := c.get(ctx, "list how endpoints do", "/notify/endpoint-states", nil, into(&list, func(l *stateList) bool { return l.Endpoints != nil }))
	return list.Endpoints, err
}

// Incident returns what somebody is to take note of, without the link for that.
func (c *Client) Incident(ctx context.Context, id string) (*notify.Incident, error) {
	segment, err := name("incident", id)
	if err != nil {
		return nil, err
	}
	i := new(notify.Incident)
	if err := c.get(ctx, "read incident "+id, "/notify/incidents/"+segment, nil, into(i, func(i *notify.Incident) bool { return i.ID == id })); err != nil {
		return nil, err
	}
	return i, nil
}

// Acknowledge notes that the caller takes care of an incident. The incident that is
// returned says who was first.
func (c *Client) Acknowledge(ctx context.Context, id, note string) (*notify.Incident, error) {
	segment, err := name("incident", id)
	if err != nil {
		return nil, err
	}
	i := new(notify.Incident)
	q := httpjson.Call{What: "acknowledge " + id, Method: http.MethodPost, Path: "/notify/incidents/" + segment + "/acknowledge", Body: taking{note}, Want: http.StatusOK, Again: true}
	if err := c.do(ctx, q, into(i, func(i *notify.Incident) bool { return i.ID == id && !i.Acknowledged.IsZero() })); err != nil {
		return nil, err
	}
	return i, nil
}
