package issuer

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/token"
	"github.com/stella-ops/stella/store/account"
)

// The grants (RFC 6749, 8628, 8693).
const (
	grantClient   = "client_credentials"
	grantCode     = "authorization_code"
	grantRefresh  = "refresh_token"
	grantDevice   = "urn:ietf:params:oauth:grant-type:device_code"
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// allGrants are those that a client may have.
func allGrants() []string {
	return []string{grantCode, grantClient, grantRefresh, grantDevice, grantExchange}
}

// enter reads a request of a client: its form, who it is, and its proof of a key where it
// has one. A proof is used up after the client was let in.
func (s *Server) enter(x *exchange, path string) (*account.Client, error) {
	f, err := readForm(x.r)
	if err != nil {
		return nil, err
	}
	x.form = f
	c, err := s.client(x)
	if err != nil {
		return nil, err
	}
	x.proof, err = s.prove(x, path)
	return c, err
}

// prove checks the proof of a request, and returns the thumbprint of its key; "" where
// there is none. A proof counts before a grant is used up, so that who has to try again
// with another nonce still has the grant.
func (s *Server) prove(x *exchange, path string) (string, error) {
	fields := x.r.Header.Values(dpop.Header)
	if len(fields) == 0 {
		return "", nil
	}
	if len(fields) > 1 {
		return "", refuse(codeInvalidProof, "want exactly one DPoP header field")
	}
	ctx := x.r.Context()
	p, err := s.proofs.CheckProof(fields[0], x.r.Method, path)
	if err == nil {
		err = s.proofs.Record(ctx, p)
	}
	var e *dpop.Error
	if errors.As(err, &e) {
		if e.Code == dpop.CodeNonce {
			if err := s.offerNonce(x); err != nil {
				return "", err
			}
		}
		return "", refuse(e.Code, "%s", e.Why)
	}
	if err != nil {
		return "", err
	}
	if next := s.Nonces.Next(ctx, p.Nonce); next != "" {
		x.w.Header().Set(dpop.NonceHeader, next)
	}
	return p.JKT, nil
}

// offerNonce puts a nonce into the answer.
func (s *Server) offerNonce(x *exchange) error {
	nonce, err := s.Nonces.Issue(x.r.Context())
	if err != nil {
		return err
	}
	x.w.Header().Set(dpop.NonceHeader, nonce)
	return nil
}

// tokens is the token endpoint.
func (s *Server) tokens(x *exchange) error {
	c, err := s.enter(x, "/token")
	if err != nil {
		return err
	}
	grant, err := x.form.need("grant_type", maxText)
	if err != nil {
		return err
	}
	serve := map[string]func(*exchange, *account.Client) (*granted, error){
		grantClient: s.byClient, grantCode: s.byCode, grantRefresh: s.byRefresh, grantDevice: s.byDevice, grantExchange: s.byExchange,
	}[grant]
	if serve == nil {
		return refuse(codeUnsupportedGrant, "the grant type is not known here")
	}
	if !grants(c, grant) {
		return refuse(codeUnauthorized, "the client may not use this grant type")
	}
	if x.proof == "" && !c.Plain {
		if err := s.offerNonce(x); err != nil {
			return err
		}
		return refuse(codeInvalidProof, "tokens of this client are bound to a key: want a DPoP proof")
	}
	// Nothing is used up while nothing can be signed.
	if _, _, err := s.signer(x.r.Context()); err != nil {
		return err
	}
	g, err := serve(x, c)
	if err != nil {
		return err
	}
	return s.issue(x, c, g)
}

// granted is what a grant came to.
type granted struct {
	Subject  string
	Tenant   string
	Scopes   []string
	Resource string
	Family   string
	AuthTime time.Time
	Act      *token.Actor // who acts for the subject (RFC 8693, section 4.1)
	Until    time.Time    // no later than this; zero for no such bound
	Refresh  string       // a refresh token that goes with it
	Exchange bool
}

// answered is the answer of the token endpoint.
type answered struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
	IssuedType   string `json:"issued_token_type,omitempty"`
}

// issue makes the access token.
func (s *Server) issue(x *exchange, c *account.Client, g *granted) error {
	now := s.now()
	until := now.Add(s.lifetime())
	if !g.Until.IsZero() && g.Until.Before(until) {
		until = g.Until
	}
	a := answered{TokenType: "Bearer", RefreshToken: g.Refresh, Scope: strings.Join(g.Scopes, " "), ExpiresIn: int(until.Sub(now) / time.Second)}
	if x.proof != "" {
		a.TokenType = "DPoP"
	}
	if g.Exchange {
		a.IssuedType = typeAccess
	}
	if a.ExpiresIn < 1 {
		return refuse(codeInvalidGrant, "what the token would come of is over")
	}
	text, id, err := s.mint(x.r.Context(), c, g, x.proof, now, until)
	if err != nil {
		return err
	}
	a.AccessToken = text
	e := &account.Entry{Tenant: g.Tenant, Time: now, Action: "token.issued", Subject: g.Subject, Client: c.ID, Detail: "jti " + id + " grant " + x.form["grant_type"] + " scope " + a.Scope}
	if err := s.Store.Note(x.r.Context(), e); err != nil {
		return err
	}
	return x.answer(http.StatusOK, a)
}

// byClient is a client that acts for itself (RFC 6749, section 4.4).
func (s *Server) byClient(x *exchange, c *account.Client) (*granted, error) {
	if c.Public {
		return nil, refuse(codeUnauthorized, "a public client cannot act for itself")
	}
	scopes, err := scopesWithin(x.form["scope"], c.Scopes)
	if err != nil {
		return nil, err
	}
	resource, err := s.audience(x.form["resource"])
	return &granted{Subject: c.ID, Tenant: c.Tenant, Scopes: scopes, Resource: resource}, err
}

// errGrant is what everybody is told whose grant is not good.
func errGrant() error {
	return refuse(codeInvalidGrant, "the grant is not known, over, or was used before")
}

// take uses a grant up. The second use of one ends all that came of it.
func (s *Server) take(x *exchange, c *account.Client, kind, secret string) (*account.Grant, error) {
	g, err := s.Store.Take(x.r.Context(), kind, hashOf(secret))
	switch {
	case errors.Is(err, fault.Conflict) && g != nil:
		return nil, s.reused(x, c, g)
	case errors.Is(err, fault.NotFound), errors.Is(err, fault.Conflict):
		return nil, errGrant()
	case err != nil:
		return nil, err
	}
	return g, nil
}

// reused ends a family whose code or token was used a second time: one of both who have
// it has stolen it (RFC 9700, section 4.14.2).
func (s *Server) reused(x *exchange, c *account.Client, g *account.Grant) error {
	ctx, now := x.r.Context(), s.now()
	err := s.end(ctx, &account.Revocation{Kind: account.RevokeFamily, ID: g.Family, Tenant: g.Tenant, Before: now, Until: s.spent(now), By: c.ID, Reason: g.Kind + " was used again"})
	if err != nil {
		return err
	}
	s.note(ctx, &account.Entry{Tenant: g.Tenant, Action: "grant.reused", Subject: g.User, Client: c.ID, Detail: g.Kind + ", family " + g.Family})
	return errGrant()
}

// byCode turns the code of an authorization into a token (RFC 6749, section 4.1.3). A
// code that comes with something wrong is used up as well.
func (s *Server) byCode(x *exchange, c *account.Client) (*granted, error) {
	code, err := x.form.need("code", maxText)
	if err != nil {
		return nil, err
	}
	redirect, err := x.form.need("redirect_uri", maxText)
	if err != nil {
		return nil, err
	}
	verifier, err := x.form.need("code_verifier", 128)
	if err != nil || !isVerifier(verifier) {
		return nil, refuse(codeInvalidRequest, "code_verifier is required: 43 to 128 characters (RFC 7636)")
	}
	g, err := s.take(x, c, account.KindCode, code)
	if err != nil {
		return nil, err
	}
	var d codeData
	if err := decode(g.Data, &d); err != nil {
		return nil, err
	}
	bound := g.JKT == "" || g.JKT == x.proof
	if g.Client != c.ID || d.Redirect != redirect || !sameText(d.Challenge, digestOf(verifier)) || !bound {
		s.note(x.r.Context(), &account.Entry{Tenant: g.Tenant, Action: "grant.refused", Subject: g.User, Client: c.ID, Detail: "code of another client, redirect URI, challenge or key"})
		return nil, errGrant()
	}
	return s.forPerson(x, c, g, d.Resource)
}

// isVerifier is the grammar of RFC 7636, section 4.1.
func isVerifier(s string) bool {
	return len(s) >= 43 && len(s) <= 128 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") == ""
}

// byDevice turns a device code into a token, once somebody has allowed it (RFC 8628,
// section 3.4).
func (s *Server) byDevice(x *exchange, c *account.Client) (*granted, error) {
	code, err := x.form.need("device_code", maxText)
	if err != nil {
		return nil, err
	}
	g, err := s.Store.Take(x.r.Context(), account.KindDevice, hashOf(code))
	switch {
	case errors.Is(err, fault.Conflict) && g != nil:
		return nil, s.reused(x, c, g)
	case errors.Is(err, fault.NotFound):
		return nil, refuse(codeExpired, "the device code is not known, or over")
	case errors.Is(err, fault.Conflict):
		return nil, errGrant()
	case err != nil:
		return nil, err
	case g.Client != c.ID:
		return nil, errGrant()
	case g.State == account.Pending:
		return nil, s.pendingPoll(x, code)
	case g.State == account.Denied:
		return nil, refuse(codeAccessDenied, "somebody has denied it")
	case g.JKT != "" && g.JKT != x.proof:
		return nil, errGrant()
	}
	var d codeData
	if err := decode(g.Data, &d); err != nil {
		return nil, err
	}
	return s.forPerson(x, c, g, d.Resource)
}

// pendingPoll answers who asks before somebody has decided. Only who asks too often is told
// so; the interval is one for all nodes.
func (s *Server) pendingPoll(x *exchange, code string) error {
	fresh, err := s.Replay.Add(x.r.Context(), "poll:"+digestOf(code), nil, deviceInterval-deviceSlack)
	if err != nil {
		return unavailable("count polls of a device", err)
	}
	if !fresh {
		return refuse(codeSlowDown, "ask every %d seconds", deviceInterval/time.Second)
	}
	return refuse(codePending, "nobody has decided yet")
}

// forPerson is what a code of a person came to. It begins a family of refresh tokens
// where the client may have them.
func (s *Server) forPerson(x *exchange, c *account.Client, g *account.Grant, resource string) (*granted, error) {
	if asked := x.form["resource"]; asked != "" && asked != resource {
		return nil, refuse(codeInvalidTarget, "the grant is for another resource")
	}
	u, scopes, err := s.person(x.r.Context(), g, c)
	if err != nil {
		return nil, err
	}
	out := &granted{Subject: u.ID, Tenant: u.Tenant, Scopes: scopes, Resource: resource, Family: g.Family, AuthTime: g.AuthTime}
	if !grants(c, grantRefresh) {
		return out, nil
	}
	now := s.now()
	d := refreshData{Resource: resource, End: now.Add(s.refreshLife())}
	next := *g
	out.Refresh = s.following(&next, &d, x.proof, now)
	return out, s.Store.Add(x.r.Context(), &next)
}

// refreshData is what a refresh token remembers.
type refreshData struct {
	Resource string    `json:"resource"`
	End      time.Time `json:"end"` // of its family
}

// following makes of a grant the refresh token that comes next, and returns it.
func (s *Server) following(g *account.Grant, d *refreshData, jkt string, now time.Time) string {
	secret := newSecret()
	g.Hash, g.Kind, g.State, g.UserCode = hashOf(secret), account.KindRefresh, account.Open, ""
	g.JKT, g.Data, g.Created, g.Expires = jkt, encode(d), now, now.Add(s.refreshIdle())
	if g.Expires.After(d.End) {
		g.Expires = d.End
	}
	return secret
}

// byRefresh turns a refresh token into an access token and the next refresh token (RFC
// 6749, section 6). Each is used once.
func (s *Server) byRefresh(x *exchange, c *account.Client) (*granted, error) {
	old, err := x.form.need("refresh_token", maxText)
	if err != nil {
		return nil, err
	}
	var d refreshData
	var secret string
	now := s.now()
	// Nothing else is asked of the store while it rotates: it may hold a lock.
	g, err := s.Store.Replace(x.r.Context(), account.KindRefresh, hashOf(old), func(g *account.Grant) (*account.Grant, error) {
		if err := decode(g.Data, &d); err != nil {
			return nil, err
		}
		// That of a confidential client is bound to the client, whose keys of proofs come
		// and go (RFC 9449, section 5).
		if g.Client != c.ID || c.Public && g.JKT != x.proof || asked(x.form["resource"], d.Resource) {
			return nil, errGrant() // it stays: who has not got the key ends nothing
		}
		if _, err := scopesWithin(x.form["scope"], g.Scopes); err != nil {
			return nil, err
		}
		next := *g
		secret = s.following(&next, &d, x.proof, now)
		return &next, nil
	})
	switch {
	case errors.Is(err, fault.Conflict) && g != nil && g.Client == c.ID:
		return nil, s.reused(x, c, g)
	case errors.Is(err, fault.NotFound), errors.Is(err, fault.Conflict):
		return nil, errGrant()
	case err != nil:
		return nil, err
	}
	u, all, err := s.person(x.r.Context(), g, c)
	if err != nil {
		return nil, err
	}
	scopes := all
	if x.form["scope"] != "" {
		if scopes, err = scopesWithin(x.form["scope"], all); err != nil {
			return nil, err
		}
	}
	return &granted{Subject: u.ID, Tenant: u.Tenant, Scopes: slices.Clip(scopes), Resource: d.Resource, Family: g.Family, AuthTime: g.AuthTime, Refresh: secret}, nil
}

func asked(resource, granted string) bool { return resource != "" && resource != granted }
