package feed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard"
)

// Options are the details of a [Client]; the zero value and nil are the
// defaults.
type Options struct {
	// Network is the guarded transport's policy.
	Network Network
	// Transport replaces the guarded transport, and all that Network says.
	Transport http.RoundTripper
	// Mirrors are asked before the publishers, in order, always.
	Mirrors []Mirror
	// MirrorsOnly says that publishers are never asked.
	MirrorsOnly bool
	// Hosts say how to treat hosts, by their names as in URLs. Those of
	// DefaultHosts hold where a host has no entry.
	Hosts map[string]Host
	// Attempts is how often a request is sent until it is answered; 0 means 4.
	// A mirror that another place stands behind is asked twice.
	Attempts int
	// Backoff is the pause before the second attempt; each further one is twice
	// as long. 0 means a second.
	Backoff time.Duration
	// MaxWait is the longest pause that a publisher may ask for; 0 means two
	// minutes. One that asks for more is unavailable.
	MaxWait time.Duration
	// UserAgent is what the client calls itself; "" means "stella".
	UserAgent string
	// Sleep waits, and Now is the clock that dates of answers are compared
	// with; nil means the real ones.
	Sleep func(context.Context, time.Duration) error
	Now   func() time.Time
}

// Host is how to treat one host.
type Host struct {
	// Header is sent with every request to the host, and to no other: keys and
	// the like.
	Header http.Header
	// Pace is the least time between two requests.
	Pace time.Duration
	// Busy are statuses that mean "later", beside 408, 425, 429 and 5xx.
	Busy []int
}

// DefaultHosts returns what is known of publishers: NVD takes five requests in
// 30 seconds from who has no key, and answers others with 403.
//
// Source: https://nvd.nist.gov/developers/start-here.
func DefaultHosts() map[string]Host {
	return map[string]Host{"services.nvd.nist.gov": {Pace: 6 * time.Second, Busy: []int{http.StatusForbidden}}}
}

// Client is the door to the network. It is safe for concurrent use.
//
// A request goes to the mirrors that have its address, and then to the
// publisher. A mirror that cannot be reached is passed over for a minute, unless
// nobody else has the address. What fails for now is sent again, after pauses that double, or as
// long as the answer asks for. A body that breaks is taken up where it broke
// (RFC 9110, 14.2), if it is certain that it is still the same; else reading it
// ends with an error. An answer whose end cannot be told from a broken
// connection is refused. Only http and https are spoken, redirects are followed
// five times and never from https to http, and bodies are left as they are
// stored.
type Client struct {
	opts    Options
	http    *http.Client
	mirrors []mirror
	mu      sync.Mutex
	next    map[string]time.Time // when a host or mirror may be asked again
}

// NewClient returns a client. An error wraps ErrInvalid: a mirror or host that
// cannot be one.
func NewClient(opts *Options) (*Client, error) {
	c := &Client{next: map[string]time.Time{}}
	if opts != nil {
		c.opts = *opts
	}
	o := &c.opts
	if o.Attempts <= 0 {
		o.Attempts = 4
	}
	if o.Backoff <= 0 {
		o.Backoff = time.Second
	}
	if o.MaxWait <= 0 {
		o.MaxWait = 2 * time.Minute
	}
	if o.UserAgent == "" {
		o.UserAgent = "stella"
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	var hosts []string
	for _, m := range o.Mirrors {
		made, err := m.compile()
		if err != nil {
			return nil, err
		}
		c.mirrors = append(c.mirrors, made)
		hosts = append(hosts, made.base.Host)
	}
	rt := o.Transport
	if rt == nil {
		var err error
		if rt, err = o.Network.transport(hosts); err != nil {
			return nil, fmt.Errorf("open the network: %w", err)
		}
	}
	c.http = netguard.Client(&polite{inner: rt, client: c})
	return c, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Open asks for one address; see [advisory.Door].
func (c *Client) Open(ctx context.Context, r advisory.Request) (*advisory.Response, error) {
	u, err := parseURL(r.URL)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", shown(r.URL), err)
	}
	if r.Max <= 0 {
		r.Max = MaxAnswer
	}
	places := c.places(u.String())
	if len(places) == 0 {
		return nil, fmt.Errorf("open %s: no mirror has it, and publishers are not asked: %w", u.Redacted(), fault.Forbidden)
	}
	var failures []error
	for i, p := range places {
		if i < len(places)-1 && c.rests(p) {
			failures = append(failures, fmt.Errorf("%s: it could not be reached a moment ago: %w", p.url.Redacted(), fault.Unavailable))
			continue
		}
		attempts := c.opts.Attempts
		if i < len(places)-1 {
			attempts = min(attempts, 2)
		}
		resp, err := c.open(ctx, p, r, attempts)
		if err == nil {
			return resp, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("open %s: %w", u.Redacted(), ctx.Err())
		}
		c.rest(p, err)
		failures = append(failures, fmt.Errorf("%s: %w", p.url.Redacted(), err))
	}
	last := failures[len(failures)-1]
	if rest := failures[:len(failures)-1]; len(rest) > 0 {
		return nil, fmt.Errorf("open %w (before: %v)", last, errors.Join(rest...))
	}
	return nil, fmt.Errorf("open %w", last)
}

// parseURL reads an address that may be asked for.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, fmt.Errorf("it is not a URL: %w", fault.Invalid)
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "":
		return nil, fmt.Errorf("only http and https addresses of a host are asked for: %w", fault.Invalid)
	case u.User != nil:
		return nil, fmt.Errorf("it carries user information: %w", fault.Invalid)
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// shown is a URL as errors show it.
func shown(s string) string {
	if u, err := url.Parse(s); err == nil {
		s = u.Redacted()
	}
	return strings.ToValidUTF8(s[:min(len(s), 200)], "")
}

// polite adds the headers of a host, and keeps its pace.
type polite struct {
	inner  http.RoundTripper
	client *Client
}

// RoundTrip waits its turn and sends the request.
func (p *polite) RoundTrip(r *http.Request) (*http.Response, error) {
	host := p.client.host(r.URL.Hostname())
	if err := p.client.turn(r.Context(), r.URL.Hostname(), host.Pace); err != nil {
		return nil, err
	}
	if len(host.Header) > 0 {
		r = r.Clone(r.Context())
		for name, values := range host.Header {
			r.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	return p.inner.RoundTrip(r)
}

// host returns how to treat a host.
func (c *Client) host(name string) Host {
	if h, ok := c.opts.Hosts[name]; ok {
		return h
	}
	return DefaultHosts()[name]
}

// turn waits until a host may be asked.
func (c *Client) turn(ctx context.Context, host string, pace time.Duration) error {
	if pace <= 0 {
		return nil
	}
	c.mu.Lock()
	now := c.opts.Now()
	at := c.next[host]
	if at.Before(now) {
		at = now
	}
	c.next[host] = at.Add(pace)
	c.mu.Unlock()
	if wait := at.Sub(now); wait > 0 {
		return c.opts.Sleep(ctx, wait)
	}
	return nil
}
