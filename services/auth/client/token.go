package client

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// The types of tokens.
const (
	TypeDPoP   = "DPoP"
	TypeBearer = "Bearer"
)

// maxToken bounds a token, in bytes; maxLifetime what a server may say about how long one
// holds.
const (
	maxToken    = 16 << 10
	maxLifetime = 24 * time.Hour
)

// Token is what an authorization server gave out. Access and Refresh are secrets.
type Token struct {
	Access string `json:"access_token,omitempty"`
	Type   string `json:"token_type,omitempty"`
	// Renew is from when on another one is asked for, a little before Expires.
	Renew   time.Time `json:"renew,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	Refresh string    `json:"refresh_token,omitempty"` // "" where the server gives none
	Scopes  []string  `json:"scopes,omitempty"`
}

// String hides the secrets from whoever prints a token.
func (t Token) String() string {
	return fmt.Sprintf("%s token until %s", t.Type, t.Expires.UTC().Format(time.RFC3339))
}

// GoString is as String.
func (t Token) GoString() string { return t.String() }

func (t *Token) fresh(now time.Time) bool {
	return t != nil && t.Access != "" && (t.Renew.IsZero() || now.Before(t.Renew))
}

// Source gives access tokens. It is safe for concurrent use.
type Source interface {
	// Token returns a token that holds for a while. An error wraps ErrUnauthenticated
	// where somebody has to log in again.
	Token(ctx context.Context) (*Token, error)
	// Refused tells that a server refused a token: it is not given out again, if there is
	// a way to another one.
	Refused(t *Token)
}

// Static is a source of one token that is bound to no key, for development.
func Static(token string) Source {
	return fixed{&Token{Access: token, Type: TypeBearer}}
}

type fixed struct{ t *Token }

func (f fixed) Token(context.Context) (*Token, error) {
	if !isToken(f.t.Access) {
		return nil, fmt.Errorf("the token that was given is none: want printable ASCII without spaces, at most %d bytes: %w", maxToken, fault.Invalid)
	}
	return f.t, nil
}

func (fixed) Refused(*Token) {}

// cache gives out one token until shortly before its end. Whoever comes while another one
// is being fetched waits for that one.
type cache struct {
	now   func() time.Time
	fetch func(context.Context, *Token) (*Token, error) // gets the one that was refused, or nil

	mu      sync.Mutex
	token   *Token
	refused *Token
	flight  *flight
}

type flight struct {
	done  chan struct{}
	token *Token
	err   error
}

// fetchTimeout bounds one fetch, which does not end with the caller that began it.
const fetchTimeout = 2 * time.Minute

// Token implements Source.
func (c *cache) Token(ctx context.Context) (*Token, error) {
	c.mu.Lock()
	if c.token.fresh(c.now()) {
		defer c.mu.Unlock()
		return c.token, nil
	}
	f := c.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		c.flight = f
		go c.fly(context.WithoutCancel(ctx), f, c.refused)
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (c *cache) fly(ctx context.Context, f *flight, refused *Token) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	f.token, f.err = c.fetch(ctx, refused)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flight = nil
	if f.err == nil {
		c.token, c.refused = f.token, nil
	}
	close(f.done)
}

// Refused implements Source.
func (c *cache) Refused(t *Token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t != nil && c.token == t {
		c.token, c.refused = nil, t
	}
}

func isToken(s string) bool {
	return s != "" && len(s) <= maxToken && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
