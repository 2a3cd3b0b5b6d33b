package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
)

// Credentials is the source of a program that acts for itself (client_credentials, RFC
// 6749 §4.4). It needs Auth. Without scopes the server gives those that the client may have.
func (c *Client) Credentials(scopes ...string) Source {
	form := withScopes(scopes)
	return &cache{now: c.now, fetch: func(ctx context.Context, _ *Token) (*Token, error) {
		return c.grant(ctx, "get a token", "client_credentials", form)
	}}
}

func withScopes(scopes []string) url.Values {
	form := url.Values{}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	return form
}

// Vault keeps a token where whoever renews it is alone.
type Vault interface {
	// Update calls f with the token that is kept, and keeps the one that f returns. While f
	// runs nobody else's does, in any process. It returns the token that is kept then.
	Update(ctx context.Context, f func(*Token) (*Token, error)) (*Token, error)
}

// Refresh is the source of a session that a person began: it renews the token of a vault,
// whose refresh token the server exchanges each time (RFC 9700 §4.14). Whoever shares the
// vault shares one refresh. The error wraps ErrUnauthenticated once the session is over.
//
// A refresh is not tried again where its answer was lost: servers take the second use of
// a refresh token for a theft.
func (c *Client) Refresh(v Vault) Source {
	return &cache{now: c.now, fetch: func(ctx context.Context, refused *Token) (*Token, error) {
		return v.Update(ctx, func(kept *Token) (*Token, error) {
			if kept.fresh(c.now()) && (refused == nil || refused.Access != kept.Access) {
				return kept, nil
			}
			if kept == nil || kept.Refresh == "" {
				return nil, fmt.Errorf("renew the session at %s: there is no refresh token: %w", c.issuer(), fault.Unauthenticated)
			}
			next, err := c.grant(ctx, "renew the session", "refresh_token", url.Values{"refresh_token": {kept.Refresh}})
			if err != nil {
				return nil, err
			}
			if next.Refresh == "" { // RFC 6749 §6: the old one holds on
				next.Refresh = kept.Refresh
			}
			if len(next.Scopes) == 0 {
				next.Scopes = kept.Scopes
			}
			return next, nil
		})
	}}
}

func (c *Client) issuer() string {
	if c.Server == nil {
		return ""
	}
	return c.Server.Issuer
}

// Revoke ends a session: the refresh token of t, and with it all that came of it (RFC
// 7009), or else its access token.
func (c *Client) Revoke(ctx context.Context, t *Token) error {
	const what = "revoke a token"
	if err := c.ready(what); err != nil {
		return err
	}
	form := url.Values{"token": {t.Refresh}, "token_type_hint": {"refresh_token"}}
	if t.Refresh == "" {
		form = url.Values{"token": {t.Access}, "token_type_hint": {"access_token"}}
	}
	_, err := c.post(ctx, what, c.Server.Revocation, form)
	return err
}

// Memory is a vault that ends with the process. The zero value holds nothing.
type Memory struct {
	mu    sync.Mutex
	token *Token
}

// NewMemory returns a vault that holds a token.
func NewMemory(t *Token) *Memory { return &Memory{token: t} }

// Update implements Vault.
func (m *Memory) Update(_ context.Context, f func(*Token) (*Token, error)) (*Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, err := f(m.token)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, errors.New("a vault was given no token")
	}
	m.token = t
	return t, nil
}
