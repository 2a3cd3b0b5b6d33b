// Package post sends the requests of channels: through the one network door, once, without
// redirections and proxies, with bounded answers, and with errors that say whether the
// receiver may have the message and never what is secret.
package post

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/stella-ops/stella/internal/netguard"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/notify"
)

// Client sends requests. The zero value is ready: public addresses alone. It is safe for
// concurrent use while it is not changed.
type Client struct {
	// Transport sends. Nil: the strict door for targets of notifications, see Door.
	Transport http.RoundTripper
	Now       func() time.Time // nil is time.Now; for Retry-After
	Timeout   time.Duration    // of one request with its answer; 0 is DefaultTimeout
	UserAgent string           // "" is "stella"
}

// DefaultTimeout is how long a request may take, MaxAnswer how many bytes of an answer are
// read.
const (
	DefaultTimeout = 20 * time.Second
	MaxAnswer      = 64 << 10
)

// The least speed of an answer's body, once it was waited for that long.
const (
	minRate    = 1 << 10 // bytes a second
	rateWindow = 5 * time.Second
)

// Request is one request. Method "" is POST.
type Request struct {
	Method string
	URL    string
	Header http.Header
	Body   []byte // not to be changed any more: a connection that broke off can still read it
	// ShowHost lets errors name the URL's scheme and host. Never its path and query; and
	// not even the host where the URL is a secret, which is the default.
	ShowHost bool
}

// Answer is what came back, of whatever status. Body is cut at MaxAnswer; Digest is of
// what was read.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Digest string
	Took   time.Duration
	// Cut says that Body is not all of it: it is too long, too slow, or broke off. The
	// status is the receiver's all the same.
	Cut bool
}

// Door returns the transport through the strict door: public addresses, and hosts that are
// listed. Each request has a connection of its own. An error wraps fault.Invalid for an
// entry that is none.
func Door(allow ...string) (http.RoundTripper, error) {
	return through(netguard.Target(allow...))
}

func through(p *netguard.Policy) (http.RoundTripper, error) {
	door, err := p.Door()
	if err != nil {
		return nil, err
	}
	return door.Transport(&netguard.TransportOptions{Once: true, MinRate: minRate, RateWindow: rateWindow})
}

// Do sends a request. An error is a *notify.Failure: no answer came.
//
// Sent is No while no connection stood, or nothing was to be sent; once one did, nobody
// knows. What is refused before anything was dialled, by the door or for its form, is
// permanent.
func (c *Client) Do(ctx context.Context, r *Request) (*Answer, error) {
	rt, err := c.transport()
	if err != nil {
		return nil, notSent(r, err)
	}
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var line wire
	req, err := c.request(httptrace.WithClientTrace(ctx, line.trace()), r)
	if err != nil {
		return nil, notSent(r, err)
	}
	if err := outer.Err(); err != nil {
		return nil, &notify.Failure{Sent: notify.No, Reason: at(r) + "the attempt was ended before it began", Err: err}
	}
	began := c.now()
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return nil, line.failure(r, err, outer)
	}
	defer resp.Body.Close()
	a := &Answer{Status: resp.StatusCode, Header: resp.Header}
	if a.Status != http.StatusSwitchingProtocols { // what follows that one is no answer
		// A body that does not heed the context is closed under its reader.
		stop := context.AfterFunc(ctx, func() { resp.Body.Close() })
		a.Body, a.Cut = read(resp.Body)
		stop()
	}
	a.Digest, a.Took = sum.Of(a.Body), c.now().Sub(began)
	return a, nil
}

// read reads what is to be read of an answer.
func read(body io.Reader) (text []byte, cut bool) {
	text, err := io.ReadAll(io.LimitReader(body, MaxAnswer+1))
	if len(text) > MaxAnswer {
		return text[:MaxAnswer], true
	}
	return text, err != nil
}

func (c *Client) transport() (http.RoundTripper, error) {
	if c.Transport != nil {
		return c.Transport, nil
	}
	return Door()
}

func (c *Client) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// request builds a request that nothing underneath can send twice: it has a connection of
// its own, and a body that cannot be had again.
func (c *Client) request(ctx context.Context, r *Request) (*http.Request, error) {
	u, err := netguard.ParseTarget(r.URL)
	if err != nil {
		return nil, err
	}
	method := r.Method
	if method == "" {
		method = http.MethodPost
	}
	req := (&http.Request{
		Method: method, URL: u, Host: u.Host, Header: http.Header{}, Close: true,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(r.Body)), Body: http.NoBody,
	}).WithContext(ctx)
	if len(r.Body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(r.Body))
	}
	agent := c.UserAgent
	if agent == "" {
		agent = "stella"
	}
	req.Header.Set("User-Agent", agent)
	req.Header.Set("Accept-Encoding", "identity") // an answer cannot unfold
	for name, values := range r.Header {
		if err := field(name, values); err != nil {
			return nil, err
		}
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	return req, nil
}

// wire notes how far a request came. Hooks are called on several goroutines.
type wire struct{ asked, stood atomic.Bool }

func (w *wire) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { w.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { w.stood.Store(true) },
	}
}

// failure judges the error of a round trip.
func (w *wire) failure(r *Request, err error, outer context.Context) *notify.Failure {
	f := failure(r, err, outer)
	if w.stood.Load() || !w.asked.Load() && f.Sent != notify.No {
		f.Sent = ""
	} else {
		f.Sent = notify.No
	}
	return f
}
