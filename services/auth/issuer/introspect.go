package issuer

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/token"
	"github.com/stella-ops/stella/store/account"
)

// keyPrefix begins an API key: "stella_", its public ID, "_", its secret part.
const keyPrefix = "stella_"

// notActive is what is said of everything else (RFC 7662, section 2.2).
var notActive = map[string]any{"active": false}

// introspect says what a token is worth (RFC 7662). The caller proves who it is, and is
// told of tokens of its own tenant alone; a client of no tenant, such as a service of the
// installation, of all.
func (s *Server) introspect(x *exchange) error {
	c, err := s.enter(x, "/introspect")
	if err != nil {
		return err
	}
	if c.Public {
		return errClient()
	}
	text, err := x.form.need("token", maxToken)
	if err != nil {
		return err
	}
	claims, err := s.Introspect(x.r.Context(), text)
	switch {
	case errors.Is(err, fault.Unauthenticated):
		return x.answer(http.StatusOK, notActive)
	case err != nil:
		return err
	case c.Tenant != "" && c.Tenant != claims.Tenant:
		return x.answer(http.StatusOK, notActive)
	}
	out := map[string]any{}
	if err := decode(encode(claims), &out); err != nil {
		return err
	}
	out["active"], out["token_type"] = true, "DPoP"
	if claims.JKT == "" {
		out["token_type"] = "Bearer"
	}
	return x.answer(http.StatusOK, out)
}

// Introspect says what an access token or an API key of this server is worth now, for
// doors of the same process; who asks is theirs to check. Of an API key, Client is "" and
// ID the public part. Errors wrap Unauthenticated for what is worth nothing, and
// Unavailable.
func (s *Server) Introspect(ctx context.Context, text string) (*token.Claims, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	if strings.HasPrefix(text, keyPrefix) {
		return s.apiKey(ctx, text)
	}
	claims, err := s.access(ctx, text)
	if err == nil {
		err = s.still(ctx, claims)
	}
	return claims, err
}

func errWorth(what string) error {
	return fmt.Errorf("%s: it is worth nothing: %w", what, fault.Unauthenticated)
}

// still refuses a token whose client, tenant or person is not in any more.
func (s *Server) still(ctx context.Context, t *token.Claims) error {
	c, err := s.Store.Client(ctx, t.Client)
	if err == nil && c.Disabled {
		return errWorth("a token")
	}
	if err == nil && t.Tenant != "" {
		err = s.subjectIn(ctx, t.Tenant, t.Subject)
	}
	if errors.Is(err, fault.NotFound) {
		return errWorth("a token")
	}
	return err
}

// subjectIn refuses the subject of a tenant: NotFound where it is disabled, or its tenant
// is. A subject that is no user of the tenant is a program.
func (s *Server) subjectIn(ctx context.Context, tenant, subject string) error {
	if err := s.tenantIn(ctx, tenant); err != nil {
		return err
	}
	u, err := s.Store.User(ctx, tenant, subject)
	switch {
	case errors.Is(err, fault.NotFound):
		return nil
	case err == nil && u.Disabled:
		return account.ErrNotFound
	}
	return err
}

// apiKey says what an API key is worth.
func (s *Server) apiKey(ctx context.Context, text string) (*token.Claims, error) {
	id, secret, ok := strings.Cut(strings.TrimPrefix(text, keyPrefix), "_")
	if !ok || id == "" || len(text) > 256 {
		return nil, errWorth("an API key")
	}
	k, err := s.Store.APIKey(ctx, id)
	if errors.Is(err, fault.NotFound) {
		return nil, errWorth("an API key")
	}
	if err != nil {
		return nil, fmt.Errorf("an API key: %w", err)
	}
	now := s.now()
	if subtle.ConstantTimeCompare(hashOf(secret), k.Hash) != 1 || !now.Before(k.Expires) || !k.Revoked.IsZero() {
		return nil, errWorth("an API key")
	}
	if err := s.subjectIn(ctx, k.Tenant, k.Subject); errors.Is(err, fault.NotFound) {
		return nil, errWorth("an API key")
	} else if err != nil {
		return nil, fmt.Errorf("an API key: %w", err)
	}
	scopes := intersect(k.Scopes)
	if u, err := s.Store.User(ctx, k.Tenant, k.Subject); err == nil {
		scopes = intersect(k.Scopes, u.Scopes)
	} else if !errors.Is(err, fault.NotFound) {
		return nil, fmt.Errorf("an API key: %w", err)
	}
	return &token.Claims{Issuer: s.Issuer, Subject: k.Subject, ID: k.ID, Tenant: k.Tenant, Scopes: scopes, Issued: k.Created, Expires: k.Expires}, nil
}

// APIKey says who sends an API key. Errors are those of Introspect.
func (s *Server) APIKey(ctx context.Context, text string) (*auth.Identity, error) {
	if !strings.HasPrefix(text, keyPrefix) {
		return nil, errWorth("an API key")
	}
	c, err := s.Introspect(ctx, text)
	if err != nil {
		return nil, err
	}
	return &auth.Identity{Tenant: c.Tenant, Subject: c.Subject, Scopes: c.Scopes, Proof: auth.ProofAPIKey}, nil
}

// revoke ends a token (RFC 7009): an access token by itself, a refresh token with all that
// came of the same grant.
func (s *Server) revoke(x *exchange) error {
	c, err := s.enter(x, "/revoke")
	if err != nil {
		return err
	}
	text, err := x.form.need("token", maxToken)
	if err != nil {
		return err
	}
	ctx, now := x.r.Context(), s.now()
	r := &account.Revocation{Before: now, By: c.ID, Reason: "the client asked for it"}
	if claims, err := s.access(ctx, text); err == nil {
		if claims.Client != c.ID {
			return refuse(codeUnauthorized, "the token is of another client")
		}
		r.Kind, r.ID, r.Tenant, r.Until = account.RevokeToken, claims.ID, claims.Tenant, claims.Expires.Add(keySkew)
	} else if !errors.Is(err, fault.Unauthenticated) {
		return err
	} else {
		g, err := s.Store.Take(ctx, account.KindRefresh, hashOf(text))
		switch {
		case errors.Is(err, fault.Conflict) && g != nil && g.Client == c.ID:
			// It was used, and what came of it is meant as well.
		case errors.Is(err, fault.NotFound), errors.Is(err, fault.Conflict):
			return x.done() // it is over already
		case err != nil:
			return err
		}
		r.Kind, r.ID, r.Tenant, r.Until = account.RevokeFamily, g.Family, g.Tenant, s.spent(now)
	}
	if err := s.end(ctx, r); err != nil {
		return err
	}
	return x.done()
}

// spent is when the last token that was given until now is over.
func (s *Server) spent(now time.Time) time.Time { return now.Add(s.lifetime() + keySkew) }
