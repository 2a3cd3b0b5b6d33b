package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard"
)

// maxSmall bounds every answer that is neither manifest nor blob: pings, tokens
// and errors. It is below the registry library's own bound for tokens.
const maxSmall = 48 << 10

// session speaks to one registry about one repository.
type session struct {
	set    *settings
	ref    Reference
	base   url.URL // scheme and host
	wire   http.RoundTripper
	idle   func()
	client *http.Client // over auth
	auth   *auth
}

// newSession finds out how the registry is spoken to: encrypted or not, and
// which credentials it asks for, if any.
func newSession(ctx context.Context, ref Reference, set *settings) (*session, error) {
	s := &session{set: set, ref: ref, wire: set.Transport, idle: func() {}}
	if s.wire == nil {
		tr, err := set.Network.Transport(ref.Registry)
		if err != nil {
			return nil, err
		}
		if c, ok := tr.(interface{ CloseIdleConnections() }); ok {
			s.idle = c.CloseIdleConnections
		}
		s.wire = tr
	}
	s.wire = &checked{inner: s.wire, plain: set.PlainHTTP, agent: set.UserAgent}
	if err := s.handshake(ctx); err != nil {
		s.idle()
		return nil, err
	}
	s.client = netguard.Client(s.auth)
	return s, nil
}

// handshake asks for /v2/ and keeps the challenge. A challenge that another
// origin answered, after a redirect, is met without credentials.
func (s *session) handshake(ctx context.Context) error {
	var opts []name.Option
	if s.set.PlainHTTP || isLoopbackHost(s.ref.Registry) {
		opts = append(opts, name.Insecure)
	}
	reg, err := name.NewRegistry(s.ref.Registry, opts...)
	if err != nil {
		return fmt.Errorf("registry %s: %w", s.ref.Registry, fault.Invalid)
	}
	p := &ping{inner: s.wire, host: s.ref.Registry}
	var challenge *transport.Challenge
	for attempt := 1; ; attempt++ {
		challenge, err = transport.Ping(ctx, reg, p)
		if err == nil {
			break
		}
		err = fmt.Errorf("registry %s: %w", s.ref.Registry, p.refused(wireError(err)))
		if again, waitErr := s.again(ctx, err, attempt); !again {
			return waitErr
		}
	}
	s.base = url.URL{Scheme: "https", Host: s.ref.Registry}
	if challenge.Insecure {
		s.base.Scheme = "http"
	}
	s.auth = &auth{
		inner: s.wire, origin: netguard.Origin(&s.base), ref: s.ref,
		challenge: challenge, lookup: s.set.Credentials, foreign: p.foreign.Load(),
	}
	return nil
}

func (s *session) close() { s.idle() }

// checked is the wire of a session. It names the client, holds plain http to
// where it is allowed, and never sends credentials over it elsewhere.
type checked struct {
	inner http.RoundTripper
	plain bool
	agent string
}

func (c *checked) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" && !c.plain && !isLoopbackHost(req.URL.Host) {
		return nil, &local{fmt.Errorf("http://%s: refused, without encryption only registries on this machine are spoken to unless plain http is asked for: %w", req.URL.Host, fault.Forbidden)}
	}
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept-Encoding", "identity") // bytes as they are stored, whatever the transport
	return c.inner.RoundTrip(req)
}

// ping is the wire of the first request. It bounds the answer, and notes whether
// the challenge came from another origin.
type ping struct {
	inner   http.RoundTripper
	host    string
	foreign atomic.Bool
	wait    atomic.Int64 // seconds that the registry asked to wait
}

func (p *ping) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := checkHops(req); err != nil {
		return nil, err
	}
	resp, err := p.inner.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusUnauthorized && !strings.EqualFold(req.URL.Host, p.host) {
		p.foreign.Store(true)
	}
	p.wait.Store(int64(retryAfter(resp.Header)))
	resp.Body = small(resp.Body)
	return resp, nil
}

// refused adds to a refusal how long the registry asked to wait.
func (p *ping) refused(err error) error {
	var a *answer
	if errors.As(err, &a) {
		a.retryAfter = int(p.wait.Load())
	}
	return err
}

// checkHops holds the redirects of the registry library's own clients to the
// rules of ours.
func checkHops(req *http.Request) error {
	var via []*http.Request
	for r := req; r.Response != nil && r.Response.Request != nil; r = r.Response.Request {
		via = append(via, r.Response.Request)
	}
	if len(via) == 0 {
		return nil
	}
	slices.Reverse(via)
	if err := netguard.CheckRedirect(req, via); err != nil {
		return &local{err}
	}
	return nil
}

// small ends a body after maxSmall bytes.
func small(rc io.ReadCloser) io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(rc, maxSmall), rc}
}
