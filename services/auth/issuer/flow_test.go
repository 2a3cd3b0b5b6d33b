package issuer_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/issuer"
	"github.com/stella-ops/stella/store/account"
)

// TestClientCredentials is row 35's good case: a key, an assertion, a bound token.
func TestClientCredentials(t *testing.T) {
	g := newRig(t)
	m := g.granted(g.proven("/token", g.as("ci", "grant_type", "client_credentials", "scope", auth.ScannerScan)))
	if text(m, "token_type") != "DPoP" || text(m, "scope") != auth.ScannerScan || m["expires_in"] != 180.0 || m["refresh_token"] != nil {
		t.Errorf("answer: %v", m)
	}
	c, err := g.verify(text(m, "access_token"))
	if err != nil {
		t.Fatal(err)
	}
	if c.JKT != g.key.JKT() || c.Tenant != "acme" || c.Subject != "ci" || c.Client != "ci" || cmp.Diff([]string{auth.ScannerScan}, c.Scopes) != "" || cmp.Diff([]string{audience}, c.Audience) != "" {
		t.Errorf("claims: %+v", c)
	}
	// A client of no tenant acts for none.
	m = g.granted(g.proven("/token", g.as("gateway", "grant_type", "client_credentials", "resource", other)))
	if _, err := g.verify(text(m, "access_token")); err == nil {
		t.Error("a token for another audience was taken")
	}
	// A development client, by both ways of secrets, without a proof.
	m = g.granted(g.post("/token", form("grant_type", "client_credentials", "client_id", "dev", "client_secret", secret)))
	if text(m, "token_type") != "Bearer" {
		t.Errorf("answer: %v", m)
	}
	r := httptest.NewRequest("POST", path+"/token", strings.NewReader("grant_type=client_credentials"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("dev", secret)
	g.granted(g.do(r))
}

func TestCodeAndRefresh(t *testing.T) {
	g := newRig(t)
	code, verifier := g.code("scope", auth.ScannerRead+" "+auth.PolicyRead)
	m := g.granted(g.proven("/token", redeem(code, verifier)))
	c, err := g.verify(text(m, "access_token"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject != g.ann.ID || c.Tenant != "acme" || c.Client != issuer.Console || c.Family == "" || !c.AuthTime.Equal(start) || cmp.Diff([]string{auth.PolicyRead, auth.ScannerRead}, c.Scopes) != "" {
		t.Errorf("claims: %+v", c)
	}
	refresh := text(m, "refresh_token")
	for n := range 5 {
		g.clock.Add(time.Hour)
		f := form("grant_type", "refresh_token", "client_id", issuer.Console, "refresh_token", refresh)
		if n == 2 {
			f.Set("scope", auth.ScannerRead)
		}
		m = g.granted(g.proven("/token", f))
		if n == 2 && text(m, "scope") != auth.ScannerRead {
			t.Errorf("scope: %v", m["scope"])
		}
		if text(m, "refresh_token") == refresh {
			t.Error("the refresh token stays")
		}
		refresh = text(m, "refresh_token")
	}
	if text(m, "scope") != auth.PolicyRead+" "+auth.ScannerRead {
		t.Errorf("a token with fewer rights took rights from those that follow: %v", m["scope"])
	}
	// What ended is over: unused for a week.
	g.clock.Add(8 * 24 * time.Hour)
	want(t, "idle", g.proven("/token", form("grant_type", "refresh_token", "client_id", issuer.Console, "refresh_token", refresh)), 400, "invalid_grant")
}

// TestRefreshEnds: however often it is used, a family ends.
func TestRefreshEnds(t *testing.T) {
	g := newRig(t)
	code, verifier := g.code()
	refresh := text(g.granted(g.proven("/token", redeem(code, verifier))), "refresh_token")
	days := 0
	for ; days < 60; days += 5 {
		g.clock.Add(5 * 24 * time.Hour)
		w := g.proven("/token", form("grant_type", "refresh_token", "client_id", issuer.Console, "refresh_token", refresh))
		if w.Code != 200 {
			break
		}
		refresh = text(members(w), "refresh_token")
	}
	if days != 25 {
		t.Errorf("it was refreshed for %d days", days)
	}
}

func TestPushedRequest(t *testing.T) {
	g := newRig(t)
	verifier, digest := challenge()
	f := asking(issuer.Console, "https://console.example/callback", digest, "dpop_jkt", g.key.JKT())
	w := g.proven("/par", f)
	m := members(w)
	if w.Code != 201 || !strings.HasPrefix(text(m, "request_uri"), "urn:ietf:params:oauth:request_uri:") || m["expires_in"] != 90.0 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	q := form("client_id", issuer.Console, "request_uri", text(m, "request_uri"))
	answer := g.consent(q)
	if answer.Get("state") != "state-1" || answer.Get("code") == "" {
		t.Fatalf("%v", answer)
	}
	if w := g.open("/authorize", q); w.Code != 400 || pageOf(w) != "" {
		t.Errorf("a pushed request was used twice: %d", w.Code)
	}
	g.granted(g.proven("/token", redeem(answer.Get("code"), verifier)))
}

func TestDevice(t *testing.T) {
	g := newRig(t)
	begin := func() map[string]any {
		w := g.post("/device_authorization", form("client_id", issuer.CLI, "scope", auth.ScannerRead+" "+auth.ScannerScan))
		m := members(w)
		if w.Code != 200 || m["interval"] != 5.0 || m["expires_in"] != 600.0 || !strings.HasPrefix(text(m, "verification_uri"), issuerURL) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return m
	}
	poll := func(m map[string]any) *httptest.ResponseRecorder {
		return g.proven("/token", form("grant_type", "urn:ietf:params:oauth:grant-type:device_code", "client_id", issuer.CLI, "device_code", text(m, "device_code")))
	}
	m := begin()
	want(t, "first poll", poll(m), 400, "authorization_pending")
	want(t, "at once", poll(m), 400, "slow_down")
	g.clock.Add(5 * time.Second)
	want(t, "in time", poll(m), 400, "authorization_pending")
	decide := func(m map[string]any, action string) {
		w := g.open("/device", form("user_code", text(m, "user_code")))
		if !strings.Contains(w.Body.String(), text(m, "user_code")) {
			t.Error("the code is not filled in")
		}
		w = g.submit("/device", form("page", pageOf(w), "action", "login", "user_code", strings.ToLower(text(m, "user_code")), "tenant", "acme", "login", "ann", "password", password))
		if body := w.Body.String(); w.Code != 200 || !strings.Contains(body, text(m, "user_code")) || !strings.Contains(body, "Stella command line") {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w = g.submit("/device", form("page", pageOf(w), "action", action)); w.Code != 200 || !strings.Contains(w.Body.String(), "close this page") {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	decide(m, "allow")
	g.clock.Add(5 * time.Second)
	got := g.granted(poll(m))
	if c, err := g.verify(text(got, "access_token")); err != nil || c.Subject != g.ann.ID || c.JKT != g.key.JKT() {
		t.Errorf("%+v %v", c, err)
	}
	if text(got, "refresh_token") == "" {
		t.Error("no refresh token")
	}
	g.clock.Add(5 * time.Second)
	want(t, "again", poll(m), 400, "invalid_grant")
	if _, err := g.verify(text(got, "access_token")); err == nil {
		t.Error("the second use of a device code left its tokens")
	}
	m = begin()
	decide(m, "deny")
	want(t, "denied", poll(m), 400, "access_denied")
	m = begin()
	g.clock.Add(11 * time.Minute)
	want(t, "over", poll(m), 400, "expired_token")
}

// TestExchange: a service acts for who called it, and no more than that.
func TestExchange(t *testing.T) {
	g := newRig(t)
	code, verifier := g.code("scope", auth.ScannerRead+" "+auth.ScannerScan)
	subject := text(g.granted(g.proven("/token", redeem(code, verifier))), "access_token")
	g.clock.Add(time.Minute)
	m := g.granted(g.proven("/token", g.as("gateway", "grant_type", exchangeGrant, "subject_token", subject, "subject_token_type", "urn:ietf:params:oauth:token-type:access_token", "scope", auth.ScannerRead)))
	if text(m, "issued_token_type") != "urn:ietf:params:oauth:token-type:access_token" || m["expires_in"] != 120.0 || m["refresh_token"] != nil {
		t.Errorf("answer: %v", m)
	}
	c, err := g.verify(text(m, "access_token"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject != g.ann.ID || c.Tenant != "acme" || c.Act == nil || c.Act.Subject != "gateway" || c.Act.Act != nil || cmp.Diff([]string{auth.ScannerRead}, c.Scopes) != "" {
		t.Errorf("claims: %+v", c)
	}
	m = g.granted(g.proven("/token", g.as("policy", "grant_type", exchangeGrant, "subject_token", text(m, "access_token"), "subject_token_type", "urn:ietf:params:oauth:token-type:access_token")))
	if c, err = g.verify(text(m, "access_token")); err != nil || c.Act.Subject != "policy" || c.Act.Act == nil || c.Act.Act.Subject != "gateway" {
		t.Errorf("claims: %+v %v", c, err)
	}
}

func TestIntrospectAndRevoke(t *testing.T) {
	g := newRig(t)
	code, verifier := g.code()
	m := g.granted(g.proven("/token", redeem(code, verifier)))
	look := func(client, what string) map[string]any {
		w := g.post("/introspect", g.as(client, "token", what))
		if w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return members(w)
	}
	got := look("gateway", text(m, "access_token"))
	if got["active"] != true || got["sub"] != g.ann.ID || got["stella:tenant"] != "acme" || got["scope"] != auth.ScannerRead || got["cnf"].(map[string]any)["jkt"] != g.key.JKT() || got["token_type"] != "DPoP" {
		t.Errorf("%v", got)
	}
	inactive := map[string]any{"active": false}
	if diff := cmp.Diff(inactive, look("foreign", text(m, "access_token"))); diff != "" {
		t.Error("another tenant looks:", diff)
	}
	if w := g.post("/revoke", form("client_id", issuer.Console, "token", text(m, "access_token"))); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if diff := cmp.Diff(inactive, look("gateway", text(m, "access_token"))); diff != "" {
		t.Error("after revocation:", diff)
	}
	// The refresh token lives; its revocation ends all.
	m = g.granted(g.proven("/token", form("grant_type", "refresh_token", "client_id", issuer.Console, "refresh_token", text(m, "refresh_token"))))
	if got := look("gateway", text(m, "access_token")); got["active"] != true {
		t.Errorf("%v", got)
	}
	if w := g.post("/revoke", form("client_id", issuer.Console, "token", text(m, "refresh_token"))); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if diff := cmp.Diff(inactive, look("gateway", text(m, "access_token"))); diff != "" {
		t.Error("after revocation of the family:", diff)
	}
	want(t, "refresh", g.proven("/token", form("grant_type", "refresh_token", "client_id", issuer.Console, "refresh_token", text(m, "refresh_token"))), 400, "invalid_grant")
	// A refresh token that was used stands for what came of it.
	code, verifier = g.code()
	first := g.granted(g.proven("/token", redeem(code, verifier)))
	next := g.granted(g.proven("/token", form("grant_type", "refresh_token", "client_id", issuer.Console, "refresh_token", text(first, "refresh_token"))))
	g.post("/revoke", form("client_id", issuer.Console, "token", text(first, "refresh_token")))
	if diff := cmp.Diff(inactive, look("gateway", text(next, "access_token"))); diff != "" {
		t.Error("after revocation of an old one:", diff)
	}
	for _, junk := range []string{"x", "stella_a_b", "stella_", strings.Repeat("a", 9000), "a.b.c"} {
		if diff := cmp.Diff(inactive, look("gateway", junk)); diff != "" {
			t.Errorf("%.20s: %s", junk, diff)
		}
		if w := g.post("/revoke", form("client_id", issuer.Console, "token", junk)); w.Code != 200 {
			t.Errorf("revoke %.20s: %d", junk, w.Code)
		}
	}
}

// TestRevocationsEverywhere: what one node ends, others refuse within a second.
func TestRevocationsEverywhere(t *testing.T) {
	g := newRig(t)
	second := &issuer.Server{Issuer: issuerURL, Audiences: g.server.Audiences, Store: g.store, Seal: g.server.Seal, Replay: g.replay, Nonces: g.server.Nonces, Identify: identify, Now: g.clock.Now}
	code, verifier := g.code()
	m := g.granted(g.proven("/token", redeem(code, verifier)))
	ctx := context.Background()
	if _, err := second.Introspect(ctx, text(m, "access_token")); err != nil {
		t.Fatal(err)
	}
	g.post("/revoke", form("client_id", issuer.Console, "token", text(m, "refresh_token")))
	g.clock.Add(time.Second)
	if _, err := second.Introspect(ctx, text(m, "access_token")); err == nil {
		t.Error("another node does not know after a second")
	}
	w := g.api("GET", path+"/revocations", "Test /gateway/scanner:work", "")
	list, _ := members(w)["revocations"].([]any)
	if w.Code != 200 || len(list) != 1 || list[0].(map[string]any)["kind"] != account.RevokeFamily {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := g.api("GET", path+"/revocations", admin, ""); w.Code != 403 {
		t.Errorf("a tenant reads them: %d", w.Code)
	}
}

// TestMetadata is row 40.
func TestMetadata(t *testing.T) {
	g := newRig(t)
	var first map[string]any
	for _, address := range []string{"/.well-known/oauth-authorization-server" + path, path + "/.well-known/openid-configuration"} {
		r := httptest.NewRequest("GET", "https://evil.example"+address, nil)
		r.Header.Set("X-Forwarded-Host", "evil.example")
		w := g.do(r)
		m := members(w)
		if w.Code != 200 || m["issuer"] != issuerURL || strings.Contains(w.Body.String(), "evil") {
			t.Fatalf("%s: %d %s", address, w.Code, w.Body)
		}
		for name, v := range m {
			if s, ok := v.(string); ok && (strings.HasSuffix(name, "_endpoint") || name == "jwks_uri") && !strings.HasPrefix(s, issuerURL+"/") {
				t.Errorf("%s is %s", name, s)
			}
		}
		if cmp.Diff([]any{"ES256", "EdDSA", "PS256"}, m["dpop_signing_alg_values_supported"]) != "" || cmp.Diff([]any{"S256"}, m["code_challenge_methods_supported"]) != "" || m["authorization_response_iss_parameter_supported"] != true {
			t.Errorf("%v", m)
		}
		if first != nil && cmp.Diff(first, m) != "" {
			t.Error("both documents differ")
		}
		first = m
	}
	for _, address := range []string{"/.well-known/oauth-authorization-server", path + "/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server" + path + "/", "/.well-known/openid-configuration"} {
		if w := g.do(httptest.NewRequest("GET", address, nil)); w.Code != 404 {
			t.Errorf("%s: %d", address, w.Code)
		}
	}
}

// TestLoopbackPort: a command line takes its code on whatever port is free (RFC 8252).
func TestLoopbackPort(t *testing.T) {
	g := newRig(t)
	verifier, digest := challenge()
	redirect := "http://127.0.0.1:49152/callback"
	answer := g.consent(asking(issuer.CLI, redirect, digest))
	f := form("grant_type", "authorization_code", "client_id", issuer.CLI, "code", answer.Get("code"), "code_verifier", verifier, "redirect_uri", redirect)
	g.granted(g.proven("/token", f))
}

// TestConfidentialRefresh: the refresh token of a client that proves who it is goes with
// whatever key it has now (row 31).
func TestConfidentialRefresh(t *testing.T) {
	g := newRig(t)
	verifier, digest := challenge()
	answer := g.consent(asking("web", "https://web.example/cb", digest))
	m := g.granted(g.proven("/token", g.as("web", "grant_type", "authorization_code", "code", answer.Get("code"), "code_verifier", verifier, "redirect_uri", "https://web.example/cb")))
	next := must(dpop.Generate(dpop.EdDSA))
	next.Now = g.clock.Now
	refresh := text(m, "refresh_token")
	want(t, "without the client", g.proven("/token", form("grant_type", "refresh_token", "client_id", "web", "refresh_token", refresh)), 401, "invalid_client")
	want(t, "another client", g.proven("/token", g.as("ci", "grant_type", "refresh_token", "refresh_token", refresh)), 400, "unauthorized_client")
	want(t, "without a key", g.post("/token", g.as("web", "grant_type", "refresh_token", "refresh_token", refresh)), 400, "invalid_dpop_proof")
	m = g.granted(g.post("/token", g.as("web", "grant_type", "refresh_token", "refresh_token", refresh), "DPoP", g.proofBy(next, "/token")))
	if c, err := g.verify(text(m, "access_token")); err != nil || c.JKT != next.JKT() {
		t.Errorf("%+v %v", c, err)
	}
}
