package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
)

// maxAnswer bounds what an authorization server answers, in bytes; callTimeout one call.
const (
	maxAnswer   = 1 << 20
	callTimeout = 30 * time.Second
)

// Server is what an authorization server says about itself (RFC 8414). Endpoints that it
// does not have are "".
type Server struct {
	Issuer        string   `json:"issuer"`
	Token         string   `json:"token_endpoint"`
	Authorization string   `json:"authorization_endpoint,omitempty"`
	Pushed        string   `json:"pushed_authorization_request_endpoint,omitempty"` // RFC 9126
	Device        string   `json:"device_authorization_endpoint,omitempty"`         // RFC 8628
	Revocation    string   `json:"revocation_endpoint,omitempty"`                   // RFC 7009
	Grants        []string `json:"grant_types_supported,omitempty"`
	Scopes        []string `json:"scopes_supported,omitempty"`
	DPoP          []string `json:"dpop_signing_alg_values_supported,omitempty"` // RFC 9449
	// IssuerInAnswers says that answers to a browser name their issuer (RFC 9207).
	IssuerInAnswers bool `json:"authorization_response_iss_parameter_supported,omitzero"`
}

// Options are the details of reading metadata; nil is the zero value.
type Options struct {
	// Base is as that of a Client.
	Base http.RoundTripper
	// Insecure allows http to what is no loopback address.
	Insecure bool
}

// Metadata asks an issuer what it is. The issuer must call itself exactly as it was
// called, and it and its endpoints must be https; http is taken for loopback addresses
// alone. Where the issuer has no such document the error wraps ErrNotFound.
func Metadata(ctx context.Context, issuer string, o *Options) (*Server, error) {
	if o == nil {
		o = new(Options)
	}
	what := fmt.Sprintf("read the metadata of %.200q", issuer)
	u, err := parseOrigin(issuer, o.Insecure)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	at := *u
	at.Path = "/.well-known/oauth-authorization-server" + strings.TrimSuffix(u.Path, "/") // RFC 8414 §3
	out := new(Server)
	if err := getJSON(ctx, &at, o.Base, out); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if out.Issuer != issuer {
		return nil, fmt.Errorf("%s: %w", what, &fault.MismatchError{What: "issuer", Want: issuer, Got: clip(out.Issuer)})
	}
	for name, endpoint := range map[string]string{
		"token_endpoint": out.Token, "authorization_endpoint": out.Authorization, "pushed_authorization_request_endpoint": out.Pushed,
		"device_authorization_endpoint": out.Device, "revocation_endpoint": out.Revocation,
	} {
		if endpoint == "" && name != "token_endpoint" {
			continue
		}
		e, err := parseOrigin(endpoint, o.Insecure)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", what, name, err)
		}
		if e.Scheme != "https" && u.Scheme == "https" {
			return nil, fmt.Errorf("%s: %s is not https as the issuer is: %w", what, name, fault.Forbidden)
		}
	}
	return out, nil
}

// Discover finds the authorization server of a service: the issuer that the service's own
// metadata names (RFC 9728), or else the service itself. service is its address.
func Discover(ctx context.Context, service string, o *Options) (*Server, error) {
	if o == nil {
		o = new(Options)
	}
	u, err := parseOrigin(service, o.Insecure)
	if err != nil {
		return nil, fmt.Errorf("find the authorization server of %.200q: %w", service, err)
	}
	var resource struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
	}
	at := *u
	at.Path = "/.well-known/oauth-protected-resource" + strings.TrimSuffix(u.Path, "/")
	err = getJSON(ctx, &at, o.Base, &resource)
	same := strings.TrimSuffix(resource.Resource, "/") == strings.TrimSuffix(service, "/")
	switch {
	case err == nil && same && len(resource.Servers) > 0:
		return Metadata(ctx, resource.Servers[0], o)
	case err == nil && !same: // RFC 9728 §3.3
		return nil, fmt.Errorf("find the authorization server of %s: %w", service, &fault.MismatchError{What: "resource", Want: service, Got: clip(resource.Resource)})
	case err != nil && !errors.Is(err, fault.NotFound) && !errors.Is(err, fault.Unauthenticated) && !errors.Is(err, fault.Forbidden): // a door that shows nothing has none
		return nil, fmt.Errorf("find the authorization server of %s: %w", service, err)
	}
	return Metadata(ctx, strings.TrimSuffix(service, "/"), o)
}

// getJSON reads a document of metadata.
func getJSON(ctx context.Context, at *url.URL, rt http.RoundTripper, into any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	r.Header.Set("Accept", "application/json")
	resp, err := base(rt).RoundTrip(r)
	if err != nil {
		return unanswered(err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s: the server answered 404: %w", at, fault.NotFound)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %w", at, httpjson.ReadError(resp))
	}
	if err := httpjson.ReadJSON(resp, maxAnswer, into); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return nil
}

// unanswered is the error of a request that has no answer.
func unanswered(err error) error {
	if fault.KindOf(err) != "" {
		return fmt.Errorf("no answer: %w", err)
	}
	return fmt.Errorf("no answer: %w: %w", err, fault.Unavailable)
}

// parseOrigin reads the address of a server that credentials may be sent to.
func parseOrigin(text string, insecure bool) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" {
		return nil, fmt.Errorf("want https://HOST, with or without a path, and no user, query or fragment: %w", fault.Invalid)
	}
	if u.Scheme == "https" || u.Scheme == "http" && (insecure || isLoopback(u.Hostname())) {
		return u, nil
	}
	if u.Scheme == "http" {
		return nil, fmt.Errorf("http to %s would show credentials to whoever is in between: want https: %w", u.Host, fault.Forbidden)
	}
	return nil, fmt.Errorf("scheme %.20q: want https: %w", u.Scheme, fault.Invalid)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// clip bounds what others wrote, and takes out of it what could command a terminal.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0x9f || r >= 0x200e && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, s)
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:297], "") + "…"
	}
	return s
}
