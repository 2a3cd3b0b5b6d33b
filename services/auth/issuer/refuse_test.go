package issuer_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/issuer"
)

// TestAssertions is row 35: each case is a good assertion with one thing wrong.
func TestAssertions(t *testing.T) {
	g := newRig(t)
	stranger := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	now := func() int64 { return g.clock.Now().Unix() }
	part := func(v string) string { return base64.RawURLEncoding.EncodeToString([]byte(v)) }
	cases := map[string]func() string{
		"good":               func() string { return g.assertion("ci") },
		"good without kid":   func() string { return sign(g.keys["ci"], "JWT", "", g.claims("ci")) },
		"good explicit type": func() string { return sign(g.keys["ci"], "client-authentication+jwt", "ci-1", g.claims("ci")) },
		"other key":          func() string { return sign(stranger, "JWT", "ci-1", g.claims("ci")) },
		"key of another":     func() string { return sign(g.keys["web"], "JWT", "web-1", g.claims("ci")) },
		"unknown kid":        func() string { return sign(g.keys["ci"], "JWT", "ci-2", g.claims("ci")) },
		"proof type":         func() string { return sign(g.keys["ci"], "dpop+jwt", "ci-1", g.claims("ci")) },
		"token type":         func() string { return sign(g.keys["ci"], "at+jwt", "ci-1", g.claims("ci")) },
		"none":               func() string { return part(`{"alg":"none"}`) + "." + part(`{"iss":"ci","sub":"ci"}`) + "." },
		"HS256": func() string {
			return part(`{"alg":"HS256"}`) + "." + part(`{"iss":"ci","sub":"ci"}`) + "." + part("x")
		},
		"garbage":    func() string { return "a.b.c" },
		"dots":       func() string { return strings.Repeat(".", 8000) },
		"two tokens": func() string { return g.assertion("ci") + "," + g.assertion("ci") },
	}
	edit := func(name string, change func(map[string]any)) {
		cases[name] = func() string {
			c := g.claims("ci")
			change(c)
			return sign(g.keys["ci"], "JWT", "ci-1", c)
		}
	}
	for name, value := range map[string]any{
		"aud": []string{issuerURL}, "aud list": []string{issuerURL, "https://evil.example"}, "aud endpoint": issuerURL + "/token", "aud slash": issuerURL + "/", "aud other": "https://evil.example", "aud null": nil,
		"iss": "web", "iss issuer": issuerURL, "sub": "web", "sub empty": "", "sub number": 7, "exp past": now(), "exp far": now() + 400, "exp text": "soon", "exp negative": -1, "iat future": now() + 60, "nbf future": now() + 60,
		"iat text": "now", "jti empty": "", "jti long": strings.Repeat("j", 129), "jti number": 1,
	} {
		claim, _, _ := strings.Cut(name, " ")
		edit("wrong "+name, func(c map[string]any) { c[claim] = value })
	}
	for _, name := range []string{"iss", "sub", "aud", "exp", "jti"} {
		edit("no "+name, func(c map[string]any) { delete(c, name) })
	}
	edit("good without iat", func(c map[string]any) { delete(c, "iat") })
	edit("good in five minutes", func(c map[string]any) { c["exp"] = now() + 300 })
	for name, make := range cases {
		f := form("grant_type", "client_credentials", "client_assertion_type", assertionType, "client_assertion", make())
		w := g.proven("/token", f)
		if strings.HasPrefix(name, "good") {
			g.granted(w)
			want(t, name+", again", g.proven("/token", f), 401, "invalid_client")
			continue
		}
		want(t, name, w, 401, "invalid_client")
	}
	// The same jti of another client is another assertion.
	c := g.claims("ci")
	g.granted(g.proven("/token", form("grant_type", "client_credentials", "client_assertion_type", assertionType, "client_assertion", sign(g.keys["ci"], "JWT", "", c))))
	o := maps.Clone(c)
	o["iss"], o["sub"] = "gateway", "gateway"
	g.granted(g.proven("/token", form("grant_type", "client_credentials", "client_assertion_type", assertionType, "client_assertion", sign(g.keys["gateway"], "JWT", "", o))))
}

// TestClientAuthentication: one way, the client's own, and no word about what was wrong.
func TestClientAuthentication(t *testing.T) {
	g := newRig(t)
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	cc := func(pairs ...string) url.Values { return form(append(pairs, "grant_type", "client_credentials")...) }
	for name, test := range map[string]struct {
		form   url.Values
		header []string
		status int
		code   string
	}{
		"no client":              {cc(), nil, 400, "invalid_request"},
		"unknown":                {cc("client_id", "nobody"), nil, 401, "invalid_client"},
		"unknown, secret":        {cc("client_id", "nobody", "client_secret", secret), nil, 401, "invalid_client"},
		"wrong secret":           {cc("client_id", "dev", "client_secret", "x"), nil, 401, "invalid_client"},
		"no secret":              {cc("client_id", "dev"), nil, 401, "invalid_client"},
		"long secret":            {cc("client_id", "dev", "client_secret", strings.Repeat("x", 2000)), nil, 401, "invalid_client"},
		"secret of a key client": {cc("client_id", "ci", "client_secret", secret), nil, 401, "invalid_client"},
		"secret of the public":   {cc("client_id", issuer.CLI, "client_secret", secret), nil, 401, "invalid_client"},
		"public as itself":       {cc("client_id", issuer.CLI), nil, 400, "unauthorized_client"},
		"public with assertion":  {g.as("ci", "grant_type", "client_credentials", "client_id", issuer.CLI), nil, 401, "invalid_client"},
		"two ways":               {g.as("ci", "grant_type", "client_credentials", "client_secret", secret), nil, 400, "invalid_request"},
		"basic and body":         {cc("client_secret", secret), []string{"Authorization", basic("dev", secret)}, 400, "invalid_request"},
		"basic and assertion":    {g.as("ci", "grant_type", "client_credentials"), []string{"Authorization", basic("dev", secret)}, 400, "invalid_request"},
		"basic wrong":            {cc(), []string{"Authorization", basic("dev", "x")}, 401, "invalid_client"},
		"basic of another":       {cc("client_id", "ci"), []string{"Authorization", basic("dev", secret)}, 401, "invalid_client"},
		"basic twice":            {cc(), []string{"Authorization", basic("dev", secret), "Authorization", basic("dev", secret)}, 400, "invalid_request"},
		"basic not base64":       {cc(), []string{"Authorization", "Basic %%%"}, 401, "invalid_client"},
		"basic without colon":    {cc(), []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("dev"))}, 401, "invalid_client"},
		"basic bad escape":       {cc(), []string{"Authorization", basic("dev%zz", secret)}, 401, "invalid_client"},
		"bearer":                 {cc(), []string{"Authorization", "Bearer x"}, 401, "invalid_client"},
		"assertion without type": {cc("client_assertion", g.assertion("ci")), nil, 400, "invalid_request"},
		"type without assertion": {cc("client_assertion_type", assertionType), nil, 400, "invalid_request"},
		"other assertion type":   {cc("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "client_assertion", g.assertion("ci")), nil, 400, "invalid_request"},
		"other client_id":        {g.as("ci", "grant_type", "client_credentials", "client_id", "web"), nil, 401, "invalid_client"},
	} {
		w := g.post("/token", test.form, append(test.header, "DPoP", g.proof("/token"))...)
		want(t, name, w, test.status, test.code)
		if challenged := w.Header().Get("WWW-Authenticate") != ""; challenged != (w.Code == 401 && len(test.header) > 0) {
			t.Errorf("%s: WWW-Authenticate %q", name, w.Header().Get("WWW-Authenticate"))
		}
	}
	texts := map[string]bool{}
	for _, x := range g.seen {
		if x.status == 401 {
			texts[string(x.body)] = true
		}
	}
	if len(texts) != 1 {
		t.Errorf("refusals of clients can be told apart: %v", texts)
	}
}

// TestForms: what is no form of OAuth, whatever endpoint it comes to.
func TestForms(t *testing.T) {
	g := newRig(t)
	send := func(endpoint, contentType, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", path+endpoint, strings.NewReader(body))
		for _, c := range strings.Split(contentType, "|") {
			r.Header.Add("Content-Type", c)
		}
		return g.do(r)
	}
	const usual = "application/x-www-form-urlencoded"
	for _, endpoint := range []string{"/token", "/par", "/device_authorization", "/introspect", "/revoke"} {
		for name, test := range map[string]struct {
			contentType, query, body string
			status                   int
		}{
			"JSON":           {"application/json", "", `{}`, 400},
			"multipart":      {"multipart/form-data; boundary=x", "", "--x--", 400},
			"no type":        {"", "", "a=b", 400},
			"two types":      {usual + "|" + usual, "", "a=b", 400},
			"charset":        {usual + "; charset=latin1", "", "a=b", 400},
			"in the address": {usual, "?client_id=dev", "a=b", 400},
			"token in query": {usual, "?access_token=x", "a=b", 400},
			"twice":          {usual, "", "client_id=dev&client_id=ci", 400},
			"twice the same": {usual, "", "client_id=dev&client_id=dev", 400},
			"not UTF-8":      {usual, "", "client_id=%ff", 400},
			"NUL":            {usual, "", "client_id=a%00", 400},
			"bad escape":     {usual, "", "client_id=%zz", 400},
			"semicolon":      {usual, "", "client_id=a;b=c", 400},
			"empty":          {usual, "", "", 400},
			"many":           {usual, "", strings.Repeat("a=b&", 100), 400},
			"long":           {usual, "", "a=" + strings.Repeat("x", issuer.MaxForm), 413},
		} {
			want(t, endpoint+" "+name, send(endpoint+test.query, test.contentType, test.body), test.status, "invalid_request")
		}
		if w := g.do(httptest.NewRequest("GET", path+endpoint, nil)); w.Code != 405 || w.Header().Get("Allow") != "POST" {
			t.Errorf("GET %s: %d", endpoint, w.Code)
		}
	}
	w := g.proven("/token", g.as("ci"))
	want(t, "no grant type", w, 400, "invalid_request")
	for _, grant := range []string{"password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "CLIENT_CREDENTIALS"} {
		want(t, grant, g.proven("/token", g.as("ci", "grant_type", grant)), 400, "unsupported_grant_type")
	}
	want(t, "not the client's", g.proven("/token", g.as("ci", "grant_type", "refresh_token", "refresh_token", "x")), 400, "unauthorized_client")
	for _, scope := range []string{"authority:admin", auth.ScannerRead + " x", "\"", auth.ScannerRead + "  " + auth.ScannerScan, strings.Repeat("a ", 200)} {
		want(t, "scope "+scope, g.proven("/token", g.as("ci", "grant_type", "client_credentials", "scope", scope)), 400, "invalid_scope")
	}
	want(t, "resource", g.proven("/token", g.as("ci", "grant_type", "client_credentials", "resource", "https://evil.example")), 400, "invalid_target")
}

// TestProofs are rows 1 to 19 and 30 at the token endpoint.
func TestProofs(t *testing.T) {
	g := newRig(t)
	ctx := context.Background()
	cc := func() url.Values { return g.as("ci", "grant_type", "client_credentials") }
	nonce := func() string { return must(g.server.Nonces.Issue(ctx)) }
	want(t, "no proof", g.post("/token", cc()), 400, "invalid_dpop_proof")
	want(t, "two", g.post("/token", cc(), "DPoP", g.proof("/token"), "DPoP", g.proof("/token")), 400, "invalid_dpop_proof")
	want(t, "joined", g.post("/token", cc(), "DPoP", g.proof("/token")+", "+g.proof("/token")), 400, "invalid_dpop_proof")
	want(t, "empty", g.post("/token", cc(), "DPoP", ""), 400, "invalid_dpop_proof")
	want(t, "other endpoint", g.post("/token", cc(), "DPoP", g.proof("/par")), 400, "invalid_dpop_proof")
	want(t, "GET", g.post("/token", cc(), "DPoP", must(g.key.Proof("GET", issuerURL+"/token", nonce(), ""))), 400, "invalid_dpop_proof")
	want(t, "other host", g.post("/token", cc(), "DPoP", must(g.key.Proof("POST", "https://evil.example/authority/token", nonce(), ""))), 400, "invalid_dpop_proof")
	want(t, "http", g.post("/token", cc(), "DPoP", must(g.key.Proof("POST", "http://auth.example/authority/token", nonce(), ""))), 400, "invalid_dpop_proof")
	g.granted(g.post("/token", cc(), "DPoP", must(g.key.Proof("POST", "HTTPS://AUTH.example:443/authority/./token?x=1", nonce(), ""))))
	early := must(dpop.NewKey(g.key.Signer()))
	early.Now = func() time.Time { return g.clock.Now().Add(61 * time.Second) }
	want(t, "early", g.post("/token", cc(), "DPoP", must(early.Proof("POST", issuerURL+"/token", nonce(), ""))), 400, "invalid_dpop_proof")
	early.Now = func() time.Time { return g.clock.Now().Add(-61 * time.Second) }
	want(t, "late", g.post("/token", cc(), "DPoP", must(early.Proof("POST", issuerURL+"/token", nonce(), ""))), 400, "invalid_dpop_proof")
	asked := func(name string, w *httptest.ResponseRecorder) {
		t.Helper()
		want(t, name, w, 400, "use_dpop_nonce")
		got := w.Header().Values("DPoP-Nonce")
		if len(got) != 1 {
			t.Fatalf("%s: DPoP-Nonce %q", name, got)
		}
		g.granted(g.post("/token", cc(), "DPoP", must(g.key.Proof("POST", issuerURL+"/token", got[0], ""))))
	}
	rs := &dpop.Nonces{Secret: g.server.Nonces.Secret, Audience: audience, Epochs: g.replay, Now: g.clock.Now}
	asked("no nonce", g.post("/token", cc(), "DPoP", must(g.key.Proof("POST", issuerURL+"/token", "", ""))))
	asked("forged nonce", g.post("/token", cc(), "DPoP", must(g.key.Proof("POST", issuerURL+"/token", "AAAA", ""))))
	asked("nonce of a resource server", g.post("/token", cc(), "DPoP", must(g.key.Proof("POST", issuerURL+"/token", must(rs.Issue(ctx)), ""))))
	old := nonce()
	g.clock.Add(6 * time.Minute)
	asked("old nonce", g.post("/token", cc(), "DPoP", must(g.key.Proof("POST", issuerURL+"/token", old, ""))))
	proof := g.proof("/token")
	g.granted(g.post("/token", cc(), "DPoP", proof))
	want(t, "again", g.post("/token", cc(), "DPoP", proof), 400, "invalid_dpop_proof")
	// What the store forgets is not accepted once more: its epoch is another.
	g.replay.flush()
	g.clock.Add(2 * time.Second)
	asked("after a flush", g.post("/token", cc(), "DPoP", proof))
	g.replay.mu.Lock()
	g.replay.away = true
	g.replay.mu.Unlock()
	w := g.post("/token", form("grant_type", "client_credentials", "client_id", "dev", "client_secret", secret), "DPoP", must(g.key.Proof("POST", issuerURL+"/token", must(nonceOf(g)), "")))
	want(t, "store away", w, 503, "temporarily_unavailable")
	if w.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	want(t, "store away, assertion", g.post("/token", cc()), 503, "temporarily_unavailable")
}

// nonceOf makes a nonce while the store is away.
func nonceOf(g *rig) (string, error) {
	n := &dpop.Nonces{Secret: g.server.Nonces.Secret, Audience: issuerURL, Epochs: &replay{epoch: 1}, Now: g.clock.Now}
	return n.Issue(context.Background())
}

// TestCodes are rows 31, 32 and 34: each case is a code with one thing wrong. A code is
// used up by each.
func TestCodes(t *testing.T) {
	g := newRig(t)
	otherKey := must(dpop.Generate(""))
	otherKey.Now = g.clock.Now
	digest := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	for name, test := range map[string]struct {
		change func(f url.Values)
		status int
		code   string
	}{
		"other verifier":       {func(f url.Values) { f.Set("code_verifier", strings.Repeat("a", 43)) }, 400, "invalid_grant"},
		"challenge":            {func(f url.Values) { f.Set("code_verifier", digest) }, 400, "invalid_grant"},
		"no verifier":          {func(f url.Values) { f.Del("code_verifier") }, 400, "invalid_request"},
		"short verifier":       {func(f url.Values) { f.Set("code_verifier", "a") }, 400, "invalid_request"},
		"long verifier":        {func(f url.Values) { f.Set("code_verifier", strings.Repeat("a", 129)) }, 400, "invalid_request"},
		"odd verifier":         {func(f url.Values) { f.Set("code_verifier", strings.Repeat("é", 43)) }, 400, "invalid_request"},
		"no redirect":          {func(f url.Values) { f.Del("redirect_uri") }, 400, "invalid_request"},
		"other redirect":       {func(f url.Values) { f.Set("redirect_uri", "https://console.example/second?x=1") }, 400, "invalid_grant"},
		"no code":              {func(f url.Values) { f.Del("code") }, 400, "invalid_request"},
		"unknown code":         {func(f url.Values) { f.Set("code", "x") }, 400, "invalid_grant"},
		"other resource":       {func(f url.Values) { f.Set("resource", other) }, 400, "invalid_target"},
		"other client's":       {func(f url.Values) { f.Set("client_id", issuer.CLI) }, 400, "invalid_grant"},
		"code as refresh":      {func(f url.Values) { f.Set("grant_type", "refresh_token"); f.Set("refresh_token", f.Get("code")) }, 400, "invalid_grant"},
		"code as device code":  {func(f url.Values) { f.Set("grant_type", "urn:ietf:params:oauth:grant-type:device_code") }, 400, "unauthorized_client"},
		"unknown client":       {func(f url.Values) { f.Set("client_id", "x") }, 401, "invalid_client"},
		"several codes at all": {func(f url.Values) { f.Add("code", "x") }, 400, "invalid_request"},
	} {
		code, verifier := g.code()
		f := redeem(code, verifier)
		test.change(f)
		want(t, name, g.proven("/token", f), test.status, test.code)
	}
	code, verifier := g.code()
	g.clock.Add(61 * time.Second)
	want(t, "late", g.proven("/token", redeem(code, verifier)), 400, "invalid_grant")

	code, verifier = g.code("dpop_jkt", g.key.JKT())
	want(t, "other key", g.post("/token", redeem(code, verifier), "DPoP", g.proofBy(otherKey, "/token")), 400, "invalid_grant")
	want(t, "then the right one", g.proven("/token", redeem(code, verifier)), 400, "invalid_grant")
	code, verifier = g.code("dpop_jkt", g.key.JKT())
	g.granted(g.proven("/token", redeem(code, verifier)))

	// A code that is used again ends what came of it.
	code, verifier = g.code()
	m := g.granted(g.proven("/token", redeem(code, verifier)))
	g.clock.Add(time.Second)
	want(t, "again", g.proven("/token", redeem(code, verifier)), 400, "invalid_grant")
	if _, err := g.verify(text(m, "access_token")); err == nil {
		t.Error("the access token of a code that was used again is good")
	}
	want(t, "its refresh token", g.proven("/token", form("grant_type", "refresh_token", "client_id", issuer.Console, "refresh_token", text(m, "refresh_token"))), 400, "invalid_grant")
}

// TestRefreshReuse: who uses a refresh token again ends the family; who has not got its
// key ends nothing.
func TestRefreshReuse(t *testing.T) {
	g := newRig(t)
	otherKey := must(dpop.Generate(""))
	otherKey.Now = g.clock.Now
	code, verifier := g.code("scope", auth.ScannerRead)
	m := g.granted(g.proven("/token", redeem(code, verifier)))
	first := form("grant_type", "refresh_token", "client_id", issuer.Console, "refresh_token", text(m, "refresh_token"))
	want(t, "other key", g.post("/token", first, "DPoP", g.proofBy(otherKey, "/token")), 400, "invalid_grant")
	want(t, "no key", g.post("/token", first), 400, "invalid_dpop_proof")
	wide := form("grant_type", "refresh_token", "client_id", issuer.Console, "refresh_token", text(m, "refresh_token"), "scope", auth.PolicyAuthor)
	want(t, "more rights", g.proven("/token", wide), 400, "invalid_scope")
	want(t, "other client", g.proven("/token", form("grant_type", "refresh_token", "client_id", issuer.CLI, "refresh_token", text(m, "refresh_token"))), 400, "invalid_grant")
	want(t, "other resource", g.proven("/token", form("grant_type", "refresh_token", "client_id", issuer.Console, "refresh_token", text(m, "refresh_token"), "resource", other)), 400, "invalid_grant")
	want(t, "none", g.proven("/token", form("grant_type", "refresh_token", "client_id", issuer.Console)), 400, "invalid_request")
	next := g.granted(g.proven("/token", first))
	want(t, "again", g.proven("/token", first), 400, "invalid_grant")
	for _, m := range []map[string]any{m, next} {
		if _, err := g.verify(text(m, "access_token")); err == nil {
			t.Error("an access token of the family is good")
		}
	}
	want(t, "the next one", g.proven("/token", form("grant_type", "refresh_token", "client_id", issuer.Console, "refresh_token", text(next, "refresh_token"))), 400, "invalid_grant")
}

// TestExchangeRefused is row 39.
func TestExchangeRefused(t *testing.T) {
	g := newRig(t)
	const access = "urn:ietf:params:oauth:token-type:access_token"
	code, verifier := g.code("scope", auth.ScannerRead)
	m := g.granted(g.proven("/token", redeem(code, verifier)))
	subject := text(m, "access_token")
	do := func(client string, pairs ...string) *httptest.ResponseRecorder {
		f := g.as(client, append([]string{"grant_type", exchangeGrant, "subject_token", subject, "subject_token_type", access}, pairs...)...)
		return g.proven("/token", f)
	}
	forged := sign(g.keys["ci"], "at+jwt", "ci-1", map[string]any{"iss": issuerURL, "sub": g.ann.ID, "aud": audience, "exp": g.clock.Now().Unix() + 60, "iat": g.clock.Now().Unix(), "jti": "1", "client_id": "ci", "scope": auth.ScannerRead})
	for name, test := range map[string]struct {
		client string
		pairs  []string
		code   string
	}{
		"type SAML":         {"gateway", []string{"subject_token_type", "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"},
		"type refresh":      {"gateway", []string{"subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"},
		"type JWT":          {"gateway", []string{"subject_token_type", "urn:ietf:params:oauth:token-type:jwt"}, "invalid_request"},
		"ask for refresh":   {"gateway", []string{"requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"},
		"forged":            {"gateway", []string{"subject_token", forged}, "invalid_request"},
		"garbage":           {"gateway", []string{"subject_token", "x"}, "invalid_request"},
		"an assertion":      {"gateway", []string{"subject_token", g.assertion("gateway")}, "invalid_request"},
		"more rights":       {"gateway", []string{"scope", auth.ScannerScan}, "invalid_scope"},
		"unknown rights":    {"gateway", []string{"scope", "x"}, "invalid_scope"},
		"other audience":    {"gateway", []string{"audience", "https://evil.example"}, "invalid_target"},
		"other resource":    {"gateway", []string{"resource", "https://evil.example"}, "invalid_target"},
		"two resources":     {"gateway", []string{"resource", audience, "audience", other}, "invalid_target"},
		"other tenant":      {"foreign", nil, "invalid_request"},
		"actor's type":      {"gateway", []string{"actor_token", subject}, "invalid_request"},
		"actor type alone":  {"gateway", []string{"actor_token_type", access}, "invalid_request"},
		"actor of another":  {"gateway", []string{"actor_token", subject, "actor_token_type", access}, "invalid_request"},
		"client without it": {"web", nil, "unauthorized_client"},
	} {
		want(t, name, do(test.client, test.pairs...), 400, test.code)
	}
	want(t, "public", g.proven("/token", form("grant_type", exchangeGrant, "client_id", "job", "subject_token", subject, "subject_token_type", access)), 400, "unauthorized_client")
	// Nobody acts for itself, and a chain ends.
	chain := text(g.granted(do("gateway")), "access_token")
	want(t, "loop", do("gateway", "subject_token", chain), 400, "invalid_request")
	for n := range 2 {
		name := fmt.Sprint("svc", n)
		c := must(g.store.Client(context.Background(), "policy"))
		c.ID, c.Version, c.Keys = name, 0, g.clientKey(name)
		if err := g.store.PutClient(context.Background(), c, "test"); err != nil {
			t.Fatal(err)
		}
		chain = text(g.granted(do(name, "subject_token", chain)), "access_token")
	}
	want(t, "too deep", do("policy", "subject_token", chain), 400, "invalid_request")
	own := text(g.granted(g.proven("/token", g.as("gateway", "grant_type", "client_credentials"))), "access_token")
	want(t, "for itself", do("gateway", "subject_token", own), 400, "invalid_request")
	g.post("/revoke", form("client_id", issuer.Console, "token", text(m, "refresh_token")))
	want(t, "revoked", do("gateway"), 400, "invalid_request")
	g.clock.Add(10 * time.Minute)
	want(t, "over", do("gateway"), 400, "invalid_request")
}
