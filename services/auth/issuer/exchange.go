package issuer

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/internal/jws"
	"github.com/stella-ops/stella/services/auth/token"
	"github.com/stella-ops/stella/store/account"
)

// The types of tokens (RFC 8693, section 3).
const (
	typeAccess = "urn:ietf:params:oauth:token-type:access_token"
	typeJWT    = "urn:ietf:params:oauth:token-type:jwt"
	typeID     = "urn:ietf:params:oauth:token-type:id_token"
)

// External is an issuer of other systems whose tokens are taken in exchange for ours: the
// identity of a workload, such as a job of a CI system, without a secret that is kept.
type External struct {
	// Name begins the subjects of the tokens that are given for its tokens: "ci:" and
	// its own subject.
	Name string
	// Issuer and Audience are compared with iss and aud as they are. The audience should
	// be one that is for this installation alone.
	Issuer   string
	Audience string
	// Keys gives its public keys, by their ids: a *jwks.Remote or a *jwks.Set.
	Keys token.Keys
	// Algorithms are those it signs with; nil means RS256, PS256, ES256 and EdDSA.
	Algorithms []string
	// MaxAge is how old its tokens may be; 0 means an hour.
	MaxAge time.Duration
	// Rules say who is let in. The first that fits counts; whom none fits is refused.
	Rules []Rule
}

// Rule lets subjects of another issuer in.
type Rule struct {
	// Subject is a pattern of sub: "*" stands for any characters but ':' and '/', "**"
	// for any but ':'. All others stand for themselves.
	Subject string
	// Claims are further claims that must have exactly these texts.
	Claims map[string]string
	// Client is the client that may bring such tokens; "" is for any.
	Client string
	Tenant string   // of the tokens that are given
	Scopes []string // what they may at most
}

// byExchange turns a token into another one (RFC 8693): of this server, for a service that
// acts for who called it, or of an External.
func (s *Server) byExchange(x *exchange, c *account.Client) (*granted, error) {
	f := x.form
	subject, err := f.need("subject_token", maxToken)
	if err != nil {
		return nil, err
	}
	kind, err := f.need("subject_token_type", maxText)
	if err != nil {
		return nil, err
	}
	if t := f["requested_token_type"]; t != "" && t != typeAccess {
		return nil, refuse(codeInvalidRequest, "requested_token_type: there are access tokens alone")
	}
	if f["resource"] != "" && f["audience"] != "" && f["resource"] != f["audience"] {
		return nil, refuse(codeInvalidTarget, "a token is for one resource")
	}
	resource, err := s.audience(orText(f["resource"], f["audience"]))
	if err != nil {
		return nil, err
	}
	var g *granted
	switch kind {
	case typeAccess:
		g, err = s.delegated(x, c, subject)
	case typeJWT, typeID:
		if f["actor_token"] != "" || f["actor_token_type"] != "" {
			return nil, refuse(codeInvalidRequest, "nobody acts for a subject of another issuer")
		}
		g, err = s.federated(x.r.Context(), c, subject)
	default:
		return nil, refuse(codeInvalidRequest, "subject_token_type is not one that is taken here")
	}
	if err != nil {
		return nil, err
	}
	if err := s.tenantIn(x.r.Context(), g.Tenant); err != nil {
		if errors.Is(err, fault.NotFound) {
			return nil, errSubject()
		}
		return nil, err
	}
	if g.Scopes, err = scopesWithin(f["scope"], intersect(g.Scopes, c.Scopes)); err != nil {
		return nil, err
	}
	g.Resource, g.Exchange = resource, true
	return g, nil
}

// errSubject is what is said of every token that is not taken (RFC 8693, section 2.2.2).
func errSubject() error {
	return refuse(codeInvalidRequest, "the subject token is not one that is taken here")
}

// delegated lets a service act for who called it. The token that it gets says so, has no
// more rights, and does not live longer.
func (s *Server) delegated(x *exchange, c *account.Client, text string) (*granted, error) {
	if c.Public {
		return nil, refuse(codeUnauthorized, "a public client cannot act for others")
	}
	ctx := x.r.Context()
	claims, err := s.own(ctx, text)
	if err != nil {
		return nil, err
	}
	if c.Tenant != "" && c.Tenant != claims.Tenant {
		return nil, errSubject()
	}
	actor := &token.Actor{Subject: c.ID, Client: c.ID}
	switch t := x.form["actor_token_type"]; {
	case x.form["actor_token"] == "" && t == "":
	case x.form["actor_token"] == "" || t != typeAccess:
		return nil, refuse(codeInvalidRequest, "actor_token: want an access token, and its type")
	default:
		a, err := s.own(ctx, x.form["actor_token"])
		if err != nil {
			return nil, err
		}
		if a.Client != c.ID || a.Act != nil || a.Tenant != claims.Tenant && a.Tenant != "" {
			return nil, errSubject() // a client brings its own, and nobody acts for an actor
		}
		actor.Subject = a.Subject
	}
	depth := 1
	for a := claims.Act; a != nil; a = a.Act {
		if depth++; a.Subject == actor.Subject {
			return nil, refuse(codeInvalidRequest, "the actor acts for itself already")
		}
	}
	if depth > token.MaxActors || claims.Subject == actor.Subject {
		return nil, refuse(codeInvalidRequest, "there are too many actors, or one acts for itself")
	}
	actor.Act = claims.Act
	return &granted{Subject: claims.Subject, Tenant: claims.Tenant, Scopes: slices.Clone(claims.Scopes), Family: claims.Family, AuthTime: claims.AuthTime, Act: actor, Until: claims.Expires}, nil
}

// own verifies a token of this server that somebody brings, and that its subject is still
// in.
func (s *Server) own(ctx context.Context, text string) (*token.Claims, error) {
	claims, err := s.access(ctx, text)
	if err == nil {
		err = s.still(ctx, claims)
	}
	if errors.Is(err, fault.Unauthenticated) {
		return nil, errSubject()
	}
	return claims, err
}

// federated lets somebody in whom another issuer knows.
func (s *Server) federated(ctx context.Context, c *account.Client, text string) (*granted, error) {
	algs := []string{jws.RS256, jws.PS256, jws.ES256, jws.EdDSA}
	m, err := jws.Parse(text, algs)
	if err != nil {
		return nil, errSubject()
	}
	claims, err := jws.Object(m.Payload, "the payload", "iss", "sub", "aud", "exp", "iat", "nbf")
	if err != nil {
		return nil, errSubject()
	}
	issuer, _ := jws.String(claims["iss"])
	i := slices.IndexFunc(s.Externals, func(e External) bool { return e.Issuer == issuer })
	h := m.Header
	if i < 0 || issuer == "" || h.KeyID == "" || h.Key != nil || h.Refers || h.Type != "" && !jws.IsType(h.Type, "jwt") {
		return nil, errSubject()
	}
	e := &s.Externals[i]
	if e.Algorithms != nil && !slices.Contains(e.Algorithms, h.Algorithm) {
		return nil, errSubject()
	}
	key, err := e.Keys.Key(ctx, h.KeyID)
	if errors.Is(err, fault.NotFound) {
		return nil, errSubject()
	}
	if err != nil {
		return nil, unavailable("keys of the issuer "+e.Name, err)
	}
	if m.Verify(jws.Key{ID: key.ID, Algorithm: key.Algorithm, Public: key.Public}) != nil {
		return nil, errSubject()
	}
	// Everything else is read as an access token is, whose claims have these names.
	t := new(token.Claims)
	if err := t.UnmarshalJSON(m.Payload); err != nil || !s.holds(e, t) {
		return nil, errSubject()
	}
	for n := range e.Rules {
		r := &e.Rules[n]
		fits := (r.Client == "" || r.Client == c.ID) && (c.Tenant == "" || c.Tenant == r.Tenant) && matches(r.Subject, t.Subject)
		for name, want := range r.Claims {
			got, ok := jws.String(claims[name])
			fits = fits && ok && got == want
		}
		if fits {
			return &granted{Subject: e.Name + ":" + t.Subject, Tenant: r.Tenant, Scopes: slices.Clone(r.Scopes), Until: t.Expires}, nil
		}
	}
	s.note(ctx, &account.Entry{Action: "exchange.refused", Subject: e.Name + ":" + t.Subject, Client: c.ID, Detail: "no rule fits"})
	return nil, errSubject()
}

// holds reports whether a token of another issuer is for us, and holds now.
func (s *Server) holds(e *External, t *token.Claims) bool {
	now, age := s.now(), e.MaxAge
	if age <= 0 {
		age = time.Hour
	}
	return t.Issuer == e.Issuer && len(t.Audience) == 1 && t.Audience[0] == e.Audience && now.Before(t.Expires) && !t.Issued.IsZero() &&
		!t.Issued.After(now.Add(clockSkew)) && now.Sub(t.Issued) <= age && !t.NotBefore.After(now.Add(clockSkew)) &&
		t.Subject != "" && len(e.Name)+1+len(t.Subject) <= account.MaxID && account.ValidText(t.Subject)
}

// pattern makes a regular expression, which takes linear time, of a pattern of a Rule.
func pattern(p string) *regexp.Regexp {
	text := regexp.QuoteMeta(p)
	text = strings.ReplaceAll(text, `\*\*`, "[^:]*")
	text = strings.ReplaceAll(text, `\*`, "[^:/]*")
	return regexp.MustCompile("(?s)^(?:" + text + ")$")
}

func matches(p, text string) bool { return pattern(p).MatchString(text) }

// check says what is wrong with an External.
func (e *External) check() error {
	bad := func(why string) error { return fmt.Errorf("external issuer %.80q: %s: %w", e.Name, why, fault.Invalid) }
	if e.Name == "" || strings.Contains(e.Name, ":") || e.Issuer == "" || e.Audience == "" || e.Keys == nil {
		return bad("want a name without ':', issuer, audience and keys")
	}
	for _, r := range e.Rules {
		if r.Subject == "" || strings.Trim(r.Subject, "*") == "" || strings.Contains(r.Subject, "***") {
			return bad("a rule needs a subject that is more than wildcards")
		}
		if r.Tenant == "" || len(r.Scopes) == 0 {
			return bad("a rule needs tenant and scopes")
		}
	}
	return nil
}
