package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

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
	wrote  string // what the user gave, for errors
	ref    Reference
	base   url.URL // scheme and host
	wire   http.RoundTripper
	idle   func()
	client *http.Client // over auth
	auth   *auth
	tags   atomic.Bool // the registry has no referrers API
}

// newSession finds out how the registry is spoken to: encrypted or not, and
// which credentials it asks for, if any.
func newSession(ctx context.Context, wrote string, ref Reference, set *settings) (*session, error) {
	s := &session{set: set, wrote: wrote, ref: ref, wire: set.Transport, idle: func() {}}
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

// handshake finds out whether the registry is encrypted, and what it asks for.
// Without encryption is tried only where that is allowed, and only after it.
func (s *session) handshake(ctx context.Context) error {
	schemes := []string{"https"}
	if s.set.PlainHTTP || isLoopbackHost(s.ref.Registry) {
		schemes = append(schemes, "http")
	}
	for attempt := 1; ; attempt++ {
		var err error
		for _, scheme := range schemes {
			s.base = url.URL{Scheme: scheme, Host: s.ref.Registry}
			if err = s.ping(ctx); err == nil {
				return nil
			}
			if !fallsBack(err) {
				break
			}
		}
		err = fmt.Errorf("registry %s: %w", s.ref.Registry, err)
		if again, err := s.again(ctx, err, attempt); !again {
			return err
		}
	}
}

// fallsBack tells a server that is not there under encryption from one that is,
// and refuses.
func fallsBack(err error) bool {
	var a *answer
	return errors.Is(err, errNoTLS) || errors.Is(err, fault.Unavailable) && !errors.As(err, &a)
}

// ping asks for /v2/ and keeps the challenge. A challenge that another origin
// answered, after a redirect, is met without credentials.
func (s *session) ping(ctx context.Context) error {
	u := s.base
	u.Path = "/v2/"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("%s: %w", u.Host, fault.Invalid)
	}
	resp, err := netguard.Client(s.wire).Do(req)
	if err != nil {
		return wireError(err)
	}
	defer func() {
		io.CopyN(io.Discard, resp.Body, maxSmall) // so that the connection can be used again
		resp.Body.Close()
	}()
	challenge := &transport.Challenge{}
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized:
		if challenge, err = readChallenge(ctx, s.ref.Registry, resp); err != nil {
			return err
		}
	default:
		return statusError(resp)
	}
	s.auth = &auth{
		inner: s.wire, origin: netguard.Origin(&s.base), ref: s.ref, challenge: challenge, actions: s.set.actions,
		lookup: s.set.Credentials, foreign: netguard.Origin(resp.Request.URL) != netguard.Origin(&s.base),
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
		return nil, fmt.Errorf("http://%s: refused, without encryption only registries on this machine are spoken to unless plain http is asked for: %w", req.URL.Host, fault.Forbidden)
	}
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept-Encoding", "identity") // bytes as they are stored, whatever the transport
	return c.inner.RoundTrip(req)
}
