// Package client gets access tokens from an authorization server and sends them with
// requests. A [Client] speaks for one program: as itself with a key of its own
// ([Client.Credentials]), or for a person, who agrees on a page of the server
// ([Client.Device], [Client.Browser]). What it gets is bound to a key (DPoP, RFC 9449)
// that the caller keeps; [Transport] proves that key with every request.
//
// [Folder] keeps keys and refresh tokens in files that only their owner reads. Neither
// tokens nor keys are ever part of an error.
package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/dpop"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid         error = fault.Invalid
	ErrUnsupported     error = fault.Unsupported
	ErrUnauthenticated error = fault.Unauthenticated // log in again
	ErrForbidden       error = fault.Forbidden
	ErrNotFound        error = fault.NotFound
	ErrUnavailable     error = fault.Unavailable
	ErrLimit           error = fault.Limit
	ErrMismatch        error = fault.Mismatch
)

// Client is a program as an authorization server knows it. Server and ID are required. It
// is safe for concurrent use and must not be copied or changed after its first call.
type Client struct {
	// Server is what Metadata found out.
	Server *Server
	// ID is the client's, as it is registered.
	ID string
	// Key is what tokens are bound to. Nil asks for tokens that are bound to nothing, which
	// servers give out for development alone.
	Key *dpop.Key
	// Auth proves who the client is. Nil is a public client, which proves nothing.
	Auth Authenticator
	// Base sends requests; redirects are not followed. Nil: a transport of the package's
	// own, which checks certificates with the system's roots and uses no proxy.
	Base http.RoundTripper
	// Insecure allows pages at http that are not on this machine.
	Insecure bool
	// Now is the clock; nil is time.Now. Key has one of its own.
	Now func() time.Time

	nonces nonces
	sleep  func(context.Context, time.Duration) error // nil sleeps
}

func (c *Client) now() time.Time {
	if c.Now != nil {
		return c.Now().Round(0)
	}
	return time.Now().Round(0) // of the wall: the monotonic clock stands still while a machine sleeps
}

func (c *Client) pause(ctx context.Context, d time.Duration) error {
	if c.sleep != nil {
		return c.sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// ownTransport is the transport of who names none.
var ownTransport = sync.OnceValue(func() http.RoundTripper {
	return &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout: 90 * time.Second, MaxIdleConnsPerHost: 8, MaxResponseHeaderBytes: 64 << 10,
	}
})

func base(rt http.RoundTripper) http.RoundTripper {
	if rt != nil {
		return rt
	}
	return ownTransport()
}

// ready says what the client lacks.
func (c *Client) ready(what string) error {
	switch {
	case c.Server == nil:
		return fmt.Errorf("%s: the client has no server: %w", what, fault.Invalid)
	case c.ID == "":
		return fmt.Errorf("%s at %s: the client has no id: %w", what, c.Server.Issuer, fault.Invalid)
	}
	return nil
}

// has says that the server has an endpoint.
func (c *Client) has(what, endpoint string) error {
	if endpoint == "" {
		return fmt.Errorf("%s at %s: its metadata names no such endpoint: %w", what, c.Server.Issuer, fault.Unsupported)
	}
	return nil
}
