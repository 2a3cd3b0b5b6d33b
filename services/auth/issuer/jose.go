package issuer

import (
	"context"
	"fmt"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/internal/jws"
	"github.com/stella-ops/stella/services/auth/jwks"
	"github.com/stella-ops/stella/services/auth/token"
	"github.com/stella-ops/stella/store/account"
)

// The bounds of what is presented.
const (
	clockSkew     = 10 * time.Second // of clients and other issuers
	assertionLife = 5 * time.Minute
	maxJTI        = 128
)

// mint signs an access token, and returns its jti, too.
func (s *Server) mint(ctx context.Context, c *account.Client, g *granted, jkt string, now, until time.Time) (text, id string, err error) {
	key, kid, err := s.signer(ctx)
	if err != nil {
		return "", "", err
	}
	id = newID()
	text, err = token.Sign(&token.Claims{
		Issuer: s.Issuer, Subject: g.Subject, Audience: []string{g.Resource}, Issued: now, Expires: until, ID: id,
		Client: c.ID, Scopes: g.Scopes, Tenant: g.Tenant, Family: g.Family, JKT: jkt, AuthTime: g.AuthTime, Act: g.Act,
	}, key, kid)
	return text, id, err
}

// errAssertion is why an assertion proves nothing. It is for the operator alone.
func errAssertion(why string) error {
	return fmt.Errorf("client assertion: %s: %w", why, fault.Unauthenticated)
}

// assertionSubject reads whose an assertion says it is, before that is proved.
func assertionSubject(text string) (string, error) {
	m, err := jws.Parse(text, jws.Algorithms())
	if err != nil {
		return "", err
	}
	claims, err := jws.Object(m.Payload, "the payload", assertionClaims...)
	if err != nil {
		return "", err
	}
	sub, ok := jws.String(claims["sub"])
	if !ok || sub == "" || len(sub) > account.MaxID {
		return "", errAssertion("it has no sub")
	}
	return sub, nil
}

var assertionClaims = []string{"iss", "sub", "aud", "exp", "iat", "nbf", "jti"}

// checkAssertion checks that a client signed an assertion for this server, just now, and
// once (RFC 7523, and its revision: the audience is the issuer, as one string, since an
// assertion for another server must not pass here).
func (s *Server) checkAssertion(ctx context.Context, c *account.Client, text string) error {
	m, err := jws.Parse(text, jws.Algorithms())
	if err != nil {
		return err
	}
	if h := m.Header; h.Key != nil || h.Refers || h.Type != "" && !jws.IsType(h.Type, "jwt") && !jws.IsType(h.Type, "client-authentication+jwt") {
		return errAssertion("its header")
	}
	if err := verifiedBy(m, c.Keys); err != nil {
		return err
	}
	claims, err := jws.Object(m.Payload, "the payload", assertionClaims...)
	if err != nil {
		return err
	}
	for name, want := range map[string]string{"iss": c.ID, "sub": c.ID, "aud": s.Issuer} {
		if got, ok := jws.String(claims[name]); !ok || !jws.Equal(got, want) {
			return errAssertion("its " + name)
		}
	}
	now := s.now()
	expires, ok := jws.Time(claims["exp"])
	if !ok || !now.Before(expires) || expires.After(now.Add(assertionLife+clockSkew)) {
		return errAssertion("its exp")
	}
	for _, name := range []string{"iat", "nbf"} {
		if v, there := claims[name]; there {
			if at, ok := jws.Time(v); !ok || at.After(now.Add(clockSkew)) {
				return errAssertion("its " + name)
			}
		}
	}
	id, ok := jws.String(claims["jti"])
	if !ok || id == "" || len(id) > maxJTI {
		return errAssertion("its jti")
	}
	fresh, err := s.Replay.Add(ctx, "assertion:"+digestOf(c.ID+"\x00"+id), nil, expires.Sub(now)+clockSkew)
	if err != nil {
		return unavailable("remember an assertion", err)
	}
	if !fresh {
		return errAssertion("it was used before")
	}
	return nil
}

// verifiedBy checks a signature by the keys of a set: by the one that the header names,
// or where it names none by any.
func verifiedBy(m *jws.Message, set []byte) error {
	keys, err := jwks.Parse(set)
	if err != nil {
		return err
	}
	for _, k := range keys.Keys() {
		if m.Header.KeyID != "" && m.Header.KeyID != k.ID {
			continue
		}
		if m.Verify(jws.Key{ID: k.ID, Algorithm: k.Algorithm, Public: k.Public}) == nil {
			return nil
		}
	}
	return errAssertion("no key of the client verifies it")
}

// access verifies an access token of this server, for any of its audiences. The error
// wraps Unauthenticated for one that is not good.
func (s *Server) access(ctx context.Context, text string) (*token.Claims, error) {
	var c *token.Claims
	err := errAssertion("no audience")
	for _, v := range s.verifiers {
		if c, err = v.Verify(ctx, text); err == nil {
			break
		}
	}
	return c, err
}

func unavailable(what string, err error) error {
	return fmt.Errorf("%s: %w: %w", what, err, fault.Unavailable)
}
