package issuer_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/issuer"
	"github.com/stella-ops/stella/services/auth/jwks"
	"github.com/stella-ops/stella/services/auth/token"
)

const (
	forge   = "https://forge.example"
	typeJWT = "urn:ietf:params:oauth:token-type:jwt"
)

// TestFederation: a job of a CI system gets a token for its identity, and only that one.
func TestFederation(t *testing.T) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	old := must(rsa.GenerateKey(rand.Reader, 2048))
	stranger := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	set := must(jwks.New(jwks.Key{ID: "f1", Algorithm: "ES256", Public: key.Public()}, jwks.Key{ID: "f2", Public: old.Public()}))
	var away error
	g := newRig(t, func(s *issuer.Server) {
		s.Externals = []issuer.External{{
			Name: "forge", Issuer: forge, Audience: "stella-acme", Keys: source(func(ctx context.Context, id string) (jwks.Key, error) {
				if away != nil {
					return jwks.Key{}, away
				}
				return set.Key(ctx, id)
			}),
			Rules: []issuer.Rule{
				{Subject: "repo:acme/*:ref:refs/heads/main", Claims: map[string]string{"environment": "release"}, Tenant: "acme", Scopes: []string{auth.ScannerScan, auth.ScannerRead, auth.PolicyRead}},
				{Subject: "repo:acme/web:**", Client: "job", Tenant: "acme", Scopes: []string{auth.ScannerRead}},
				{Subject: "repo:gone/*:*", Tenant: "gone", Scopes: []string{auth.ScannerRead}},
			},
		}}
	})
	good := func(changes ...any) map[string]any {
		now := g.clock.Now().Unix()
		c := map[string]any{"iss": forge, "sub": "repo:acme/app:ref:refs/heads/main", "aud": "stella-acme", "exp": now + 600, "iat": now, "nbf": now - 5, "jti": rand.Text(), "environment": "release", "run_id": "7"}
		for i := 0; i < len(changes); i += 2 {
			c[changes[i].(string)] = changes[i+1]
			if changes[i+1] == nil {
				delete(c, changes[i].(string))
			}
		}
		return c
	}
	bring := func(client, token string, pairs ...string) map[string]any {
		f := form("grant_type", exchangeGrant, "client_id", client, "subject_token", token, "subject_token_type", typeJWT)
		maps.Copy(f, form(pairs...))
		w := g.proven("/token", f)
		m := members(w)
		m["status"] = w.Code
		return m
	}
	m := bring("job", sign(key, "JWT", "f1", good()))
	if m["status"] != 200 {
		t.Fatal(m)
	}
	c, err := g.verify(text(m, "access_token"))
	if err != nil || c.Subject != "forge:repo:acme/app:ref:refs/heads/main" || c.Tenant != "acme" || c.JKT == "" || cmp.Diff([]string{auth.ScannerRead, auth.ScannerScan}, c.Scopes) != "" {
		t.Errorf("%+v %v", c, err)
	}
	if m := bring("job", sign(key, "JWT", "f1", good("sub", "repo:acme/web:pull_request", "exp", g.clock.Now().Unix()+30))); m["status"] != 200 || m["expires_in"] != 30.0 || m["scope"] != auth.ScannerRead {
		t.Error(m)
	}
	if m := bring("job", sign(old, "JWT", "f2", good("aud", []string{"stella-acme"}))); m["status"] != 200 {
		t.Error(m)
	}
	now := g.clock.Now().Unix()
	for name, token := range map[string]string{
		"stranger":         sign(stranger, "JWT", "f1", good()),
		"unknown key":      sign(key, "JWT", "f9", good()),
		"no kid":           sign(key, "JWT", "", good()),
		"other type":       sign(key, "at+jwt", "f1", good()),
		"issuer":           sign(key, "JWT", "f1", good("iss", "https://evil.example")),
		"issuer slash":     sign(key, "JWT", "f1", good("iss", forge+"/")),
		"no issuer":        sign(key, "JWT", "f1", good("iss", nil)),
		"audience":         sign(key, "JWT", "f1", good("aud", "stella-other")),
		"two audiences":    sign(key, "JWT", "f1", good("aud", []string{"stella-acme", "x"})),
		"no audience":      sign(key, "JWT", "f1", good("aud", nil)),
		"over":             sign(key, "JWT", "f1", good("exp", now)),
		"no end":           sign(key, "JWT", "f1", good("exp", nil)),
		"old":              sign(key, "JWT", "f1", good("iat", now-3700)),
		"no beginning":     sign(key, "JWT", "f1", good("iat", nil)),
		"early":            sign(key, "JWT", "f1", good("nbf", now+60)),
		"made tomorrow":    sign(key, "JWT", "f1", good("iat", now+60)),
		"other owner":      sign(key, "JWT", "f1", good("sub", "repo:evil/app:ref:refs/heads/main")),
		"owner in the end": sign(key, "JWT", "f1", good("sub", "repo:evil/x:repo:acme/app:ref:refs/heads/main")),
		"deeper":           sign(key, "JWT", "f1", good("sub", "repo:acme/app/evil:ref:refs/heads/main")),
		"other branch":     sign(key, "JWT", "f1", good("sub", "repo:acme/app:ref:refs/heads/main2")),
		"line":             sign(key, "JWT", "f1", good("sub", "repo:acme/app:ref:refs/heads/main\n")),
		"no subject":       sign(key, "JWT", "f1", good("sub", nil)),
		"other claim":      sign(key, "JWT", "f1", good("environment", "test")),
		"claim is a list":  sign(key, "JWT", "f1", good("environment", []string{"release"})),
		"no claim":         sign(key, "JWT", "f1", good("environment", nil)),
		"tenant is away":   sign(key, "JWT", "f1", good("sub", "repo:gone/app:x")),
		"garbage":          "x.y.z",
	} {
		if m := bring("job", token); m["status"] != 400 || m["error"] != "invalid_request" || m["error_description"] != "the subject token is not one that is taken here" {
			t.Errorf("%s: %v", name, m)
		}
	}
	if m := bring("job", sign(key, "JWT", "f1", good()), "scope", auth.PolicyRead); m["status"] != 400 || m["error"] != "invalid_scope" {
		t.Errorf("a right that the client has not: %v", m)
	}
	if m := bring("job", sign(key, "JWT", "f1", good()), "actor_token", "x", "actor_token_type", "x"); m["status"] != 400 {
		t.Errorf("an actor: %v", m)
	}
	f := g.as("foreign", "grant_type", exchangeGrant, "subject_token", sign(key, "JWT", "f1", good()), "subject_token_type", typeJWT)
	want(t, "client of another tenant", g.proven("/token", f), 400, "invalid_request")
	f = g.as("ci", "grant_type", exchangeGrant, "subject_token", sign(key, "JWT", "f1", good("sub", "repo:acme/web:pull_request")), "subject_token_type", typeJWT)
	want(t, "another client's rule", g.proven("/token", f), 400, "invalid_request")
	away = fmt.Errorf("canary-host: %w", fault.Unavailable)
	if m := bring("job", sign(key, "JWT", "f1", good())); m["status"] != 503 {
		t.Errorf("keys are away: %v", m)
	}
}

// source is a function that gives keys.
type source func(context.Context, string) (jwks.Key, error)

func (s source) Key(ctx context.Context, id string) (jwks.Key, error) { return s(ctx, id) }

var _ token.Keys = source(nil)

func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true}, {"a", "b", false}, {"a*", "a", true}, {"a*", "abc", true}, {"a*", "a/b", false}, {"a*", "a:b", false}, {"a**", "a/b", true}, {"a**", "a:b", false},
		{"*:x", "y:x", true}, {"*:x", "y:z:x", false}, {"a.c", "abc", false}, {"a[b]", "a[b]", true}, {"a[b]", "ab", false}, {"a*", "a\nb", true}, {"a", "a\n", false}, {"*b*d", "abcd", true}, {"(?i)a", "A", false},
	} {
		if got := issuer.Matches(test.pattern, test.text); got != test.want {
			t.Errorf("%q matches %q: %v", test.pattern, test.text, got)
		}
	}
}

// TestCheck: all that is wrong is said, before the first request.
func TestCheck(t *testing.T) {
	g := newRig(t)
	for name, change := range map[string]func(*issuer.Server){
		"issuer": func(s *issuer.Server) { s.Issuer = "auth.example" }, "http": func(s *issuer.Server) { s.Issuer = "http://auth.example" }, "slash": func(s *issuer.Server) { s.Issuer += "/" },
		"query": func(s *issuer.Server) { s.Issuer += "?x" }, "user": func(s *issuer.Server) { s.Issuer = "https://a@b" }, "audiences": func(s *issuer.Server) { s.Audiences = nil }, "empty audience": func(s *issuer.Server) { s.Audiences = []string{""} },
		"seal": func(s *issuer.Server) { s.Seal = nil }, "short seal": func(s *issuer.Server) { s.Seal = [][]byte{{1}} }, "replay": func(s *issuer.Server) { s.Replay = nil }, "nonces": func(s *issuer.Server) { s.Nonces = nil },
		"identify": func(s *issuer.Server) { s.Identify = nil }, "short life": func(s *issuer.Server) { s.Lifetime = 1 }, "long life": func(s *issuer.Server) { s.Lifetime = issuer.MaxLifetime + 1 }, "algorithm": func(s *issuer.Server) { s.Algorithm = "HS256" },
		"external": func(s *issuer.Server) { s.Externals = []issuer.External{{Name: "x"}} },
		"any subject": func(s *issuer.Server) {
			s.Externals = []issuer.External{{Name: "x", Issuer: "y", Audience: "z", Keys: source(nil), Rules: []issuer.Rule{{Subject: "**", Tenant: "t", Scopes: []string{"s"}}}}}
		},
	} {
		o := g.server
		s := &issuer.Server{Issuer: o.Issuer, Audiences: o.Audiences, Store: o.Store, Seal: o.Seal, Replay: o.Replay, Nonces: o.Nonces, Identify: o.Identify}
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		change(s)
		if err := s.Check(); !errors.Is(err, issuer.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		broken := &rig{t: t, server: s}
		if w := broken.api("GET", path+"/jwks", "", ""); w.Code != 500 {
			t.Errorf("%s: it serves: %d", name, w.Code)
		}
	}
}
