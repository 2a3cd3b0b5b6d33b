package image

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/netguard"
)

// auth presents what the registry asks for, to the registry's origin and to
// nobody else. A token that is refused is renewed once.
type auth struct {
	inner   http.RoundTripper
	origin  string // that may see credentials
	ref     Reference
	lookup  Credentials
	actions string // what a token is asked for: "pull" or "pull,push"
	foreign bool   // the challenge is another origin's: no credentials for it

	mu        sync.Mutex
	challenge *transport.Challenge
	header    string // Authorization, "" before the first answer to a challenge
	renewals  int
}

// RoundTrip sends a request. One with a body has GetBody, to be sent again. Its
// errors have no credentials in their text.
func (a *auth) RoundTrip(req *http.Request) (*http.Response, error) {
	if netguard.Origin(req.URL) != a.origin || netguard.LeftOrigin(req) {
		return a.inner.RoundTrip(without(req))
	}
	header, generation, err := a.current(req.Context())
	if err != nil {
		closeBody(req)
		return nil, err
	}
	resp, err := a.inner.RoundTrip(with(req, header))
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	renewed, err := a.renew(req.Context(), resp, generation)
	if err == nil && renewed == header {
		return resp, nil
	}
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	req = with(req, renewed)
	if req.Body != nil && req.Body != http.NoBody {
		if req.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	return a.inner.RoundTrip(req)
}

// closeBody does what a transport does with the body of a request, sent or not.
func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

func with(req *http.Request, header string) *http.Request {
	req = without(req)
	if header != "" {
		req.Header.Set("Authorization", header)
	}
	return req
}

func without(req *http.Request) *http.Request {
	req = req.Clone(req.Context())
	req.Header.Del("Authorization")
	return req
}

// current returns the header for the next request, answering the registry's
// challenge when that has not been done.
func (a *auth) current(ctx context.Context) (header string, generation int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.header == "" && a.challenge.Scheme != "" {
		err = a.answer(ctx)
	}
	return a.header, a.renewals, err
}

// renew answers the challenge again after a refusal, unless another request did
// so meanwhile.
func (a *auth) renew(ctx context.Context, resp *http.Response, generation int) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if generation != a.renewals {
		return a.header, nil
	}
	a.renewals++
	if a.challenge.Scheme == "" { // a registry that asks only where it matters
		c, err := readChallenge(ctx, a.ref.Registry, resp)
		if err != nil || c.Scheme == "" {
			return a.header, err
		}
		a.challenge = c
	}
	err := a.answer(ctx)
	return a.header, err
}

// readChallenge parses the challenge of an answer. The registry library's parser
// is reached through its ping only, so the ping gets the answer we have.
func readChallenge(ctx context.Context, registry string, resp *http.Response) (*transport.Challenge, error) {
	reg, err := name.NewRegistry("challenge.invalid") // not asked, and not tried without encryption
	var c *transport.Challenge
	if err == nil {
		c, err = transport.Ping(ctx, reg, answered{&http.Response{
			StatusCode: http.StatusUnauthorized, Header: resp.Header, Body: http.NoBody,
		}})
	}
	if err != nil {
		return nil, fmt.Errorf("registry %s: its authentication challenge cannot be read: %w", registry, fault.Invalid)
	}
	return c, nil
}

type answered struct{ resp *http.Response }

func (a answered) RoundTrip(*http.Request) (*http.Response, error) { return a.resp, nil }

// answer looks up credentials and sets the header that the challenge asks for.
func (a *auth) answer(ctx context.Context) error {
	var cred Credential
	if !a.foreign {
		var err error
		if cred, err = a.lookup(ctx, a.ref.Registry, a.ref.Repository); err != nil {
			return err
		}
	}
	switch {
	case cred.RegistryToken != "":
		return a.bearer(cred.RegistryToken)
	case strings.EqualFold(a.challenge.Scheme, "bearer"):
		token, err := a.exchange(ctx, cred)
		if err != nil {
			return fmt.Errorf("token for %s: %w", a.ref.Registry, err)
		}
		return a.bearer(token)
	case strings.EqualFold(a.challenge.Scheme, "basic"):
		if cred.Username != "" || cred.Password != "" {
			a.header = "Basic " + base64.StdEncoding.EncodeToString([]byte(cred.Username+":"+cred.Password))
		}
		return nil
	}
	return fmt.Errorf("registry %s asks for the authentication scheme %q, which is not spoken: %w", a.ref.Registry, clip(a.challenge.Scheme), fault.Unsupported)
}

func (a *auth) bearer(token string) error {
	if token == "" || strings.IndexFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) >= 0 {
		return fmt.Errorf("token for %s: it is not a token68: %w", a.ref.Registry, fault.Invalid)
	}
	a.header = "Bearer " + token
	return nil
}

// exchange gets a token from the realm that the registry names.
func (a *auth) exchange(ctx context.Context, cred Credential) (string, error) {
	realm, err := a.realm()
	if err != nil {
		return "", err
	}
	// The realm was judged above, and the door judges its address when it is
	// dialled. The library would judge literal addresses by its own rule, which
	// knows no private registries, unless the realm is the registry.
	host, err := name.NewRegistry(realm.Host)
	if err != nil {
		return "", fmt.Errorf("realm %s://%s: %w", realm.Scheme, clip(realm.Host), fault.Invalid)
	}
	challenge := *a.challenge
	challenge.Insecure = realm.Scheme == "http"
	scope := "repository:" + a.ref.Repository + ":" + a.actions
	tr := &tokenWire{inner: a.inner, origin: netguard.Origin(realm)}
	token, err := transport.Exchange(ctx, host, cred.authenticator(), tr, []string{scope}, &challenge)
	switch {
	case err != nil:
		return "", tokenError(realm, err)
	case token.AccessToken != "":
		return token.AccessToken, nil
	}
	return token.Token, nil
}

// realm judges where the registry sends us for a token.
func (a *auth) realm() (*url.URL, error) {
	u, err := url.Parse(a.challenge.Parameters["realm"])
	if err != nil || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("the registry's realm is not a URL of a host: %w", fault.Invalid)
	}
	at := fmt.Sprintf("realm %s://%s", clip(u.Scheme), clip(u.Host))
	switch {
	case u.Scheme == "https", netguard.Origin(u) == a.origin:
		return u, nil
	case u.Scheme != "http":
		return nil, fmt.Errorf("%s: refused, only http and https are spoken: %w", at, fault.Forbidden)
	case isLoopbackHost(u.Host) && isLoopbackHost(a.ref.Registry):
		return u, nil
	}
	return nil, fmt.Errorf("%s: refused, credentials go to another host only over https: %w", at, fault.Forbidden)
}

// tokenWire carries token requests. A realm that redirects to another origin is
// refused: nothing may be taken there, and a token from there would be a
// stranger's.
type tokenWire struct {
	inner  http.RoundTripper
	origin string
}

func (t *tokenWire) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.inner.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if to, err := resp.Location(); resp.StatusCode/100 == 3 && err == nil && netguard.Origin(to) != t.origin {
		resp.Body.Close()
		return nil, fmt.Errorf("it redirects to %s://%s: refused, tokens come from the realm only: %w", clip(to.Scheme), clip(to.Host), fault.Forbidden)
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxSmall)
	return resp, nil
}

// tokenError says why there is no token, without what the realm answered.
func tokenError(realm *url.URL, err error) error {
	at := "realm " + realm.Scheme + "://" + realm.Host
	var large *http.MaxBytesError
	var wire *url.Error
	var status *transport.Error
	switch {
	case errors.As(err, &large):
		return &fault.LimitError{What: "bytes of a token answer", Where: at, Max: large.Limit}
	case errors.As(err, &wire), errors.As(err, &status):
		return fmt.Errorf("%s: %w", at, wireError(err))
	}
	return fmt.Errorf("%s: its answer has no usable token: %w", at, fault.Invalid)
}
