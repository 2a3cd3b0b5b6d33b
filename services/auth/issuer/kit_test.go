package issuer_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/internal/jws"
	"github.com/stella-ops/stella/services/auth/issuer"
	"github.com/stella-ops/stella/services/auth/jwks"
	"github.com/stella-ops/stella/services/auth/token"
	"github.com/stella-ops/stella/store/account"
	"github.com/stella-ops/stella/store/account/accounttest"
)

const (
	issuerURL = "https://auth.example/authority"
	path      = "/authority" // of issuerURL
	audience  = "https://api.example"
	other     = "https://other.example"
	password  = "canary-password-of-ann"
	secret    = "canary-secret-of-dev"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// replay is a store of what was seen, by the clock of tests, that may be away or forget.
type replay struct {
	now   func() time.Time
	mu    sync.Mutex
	until map[string]time.Time
	away  bool
	epoch int
}

func (r *replay) Add(_ context.Context, key string, _ []byte, ttl time.Duration) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away {
		return false, fmt.Errorf("cache: %w", fault.Unavailable)
	}
	if r.until[key].After(r.now()) {
		return false, nil
	}
	r.until[key] = r.now().Add(ttl)
	return true, nil
}

func (r *replay) Epoch(context.Context) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away {
		return "", fmt.Errorf("cache: %w", fault.Unavailable)
	}
	return fmt.Sprint(r.epoch), nil
}

// flush forgets everything.
func (r *replay) flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.until = map[string]time.Time{}
	r.epoch++
}

// rig is a server with what it needs.
type rig struct {
	t       testing.TB
	clock   *clock
	store   *accounttest.Memory
	replay  *replay
	server  *issuer.Server
	keys    map[string]crypto.Signer // of clients
	key     *dpop.Key
	cookies map[string]string
	mu      sync.Mutex
	reports []string
	seen    []exchange
	ann     *account.User
}

// exchange is a request with its answer.
type exchange struct {
	method, path string
	contentType  string
	request      []byte
	status       int
	header       http.Header
	body         []byte
}

// identify reads a token such as "acme/ann/authority:admin,vex:manage"; a tenant may be "".
func identify(r *http.Request) (*auth.Identity, error) {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Test ")
	part := strings.Split(text, "/")
	if !ok || len(part) != 3 {
		return nil, fmt.Errorf("no token: %w", fault.Unauthenticated)
	}
	return &auth.Identity{Tenant: part[0], Subject: part[1], Scopes: strings.Split(part[2], ",")}, nil
}

const (
	admin    = "Test acme/root/authority:admin"
	foreign  = "Test other/eve/authority:admin"
	operator = "Test /operator/authority:admin"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newRig(t testing.TB, change ...func(*issuer.Server)) *rig {
	t.Helper()
	c := &clock{at: start}
	g := &rig{t: t, clock: c, store: accounttest.NewMemory(), keys: map[string]crypto.Signer{}, cookies: map[string]string{}, key: must(dpop.Generate(""))}
	g.key.Now = c.Now
	g.store.Now = c.Now
	g.replay = &replay{now: c.Now, until: map[string]time.Time{}}
	seal := bytes.Repeat([]byte{7}, issuer.SealSize)
	g.server = &issuer.Server{
		Issuer: issuerURL, Audiences: []string{audience, other}, Store: g.store, Seal: [][]byte{seal}, Replay: g.replay, Identify: identify, Now: c.Now,
		Nonces: &dpop.Nonces{Secret: bytes.Repeat([]byte{9}, 32), Audience: issuerURL, Epochs: g.replay, Now: c.Now},
		Report: func(id string, err error) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.reports = append(g.reports, id+" "+err.Error())
		},
	}
	for _, f := range change {
		f(g.server)
	}
	g.server.Hurry()
	g.fill()
	return g
}

// fill makes tenants, people and clients.
func (g *rig) fill() {
	ctx := context.Background()
	b := issuer.Bootstrap{Tenant: "acme", Login: "ann", Password: password, Redirects: []string{"https://console.example/callback", "https://console.example/second?x=1"}}
	for _, name := range []string{"gateway", "policy"} {
		b.Services = append(b.Services, issuer.ServiceClient{ID: name, Keys: g.clientKey(name), Scopes: []string{auth.ScannerRead, auth.ScannerScan, auth.ScannerWork}, Exchange: true})
	}
	made := must(g.server.Bootstrap(ctx, b))
	g.ann = must(g.store.User(ctx, "acme", made.User))
	if err := g.store.PutTenant(ctx, &account.Tenant{ID: "other", Name: "Other"}, "test"); err != nil {
		g.t.Fatal(err)
	}
	hash := must(issuer.Hash(secret))
	for _, c := range []account.Client{
		{ID: "ci", Tenant: "acme", Keys: g.clientKey("ci"), Grants: []string{"client_credentials", exchangeGrant}, Scopes: []string{auth.ScannerRead, auth.ScannerScan}},
		{ID: "dev", Tenant: "acme", Secret: hash, Plain: true, Grants: []string{"client_credentials", "authorization_code"}, Redirects: []string{"http://127.0.0.1/cb"}, Scopes: []string{auth.ScannerRead}},
		{ID: "web", Tenant: "acme", Keys: g.clientKey("web"), Grants: []string{"authorization_code", "refresh_token"}, Redirects: []string{"https://web.example/cb"}, Scopes: []string{auth.ScannerRead, auth.PolicyRead}},
		{ID: "foreign", Tenant: "other", Keys: g.clientKey("foreign"), Grants: []string{"client_credentials", exchangeGrant}, Scopes: []string{auth.ScannerRead}},
		{ID: "job", Public: true, Grants: []string{exchangeGrant}, Scopes: []string{auth.ScannerScan, auth.ScannerRead}},
	} {
		if err := g.store.PutClient(ctx, &c, "test"); err != nil {
			g.t.Fatal(err)
		}
	}
}

const exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"

// clientKey makes a key of a client, and returns its public set.
func (g *rig) clientKey(name string) []byte {
	k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	g.keys[name] = k
	return must(jwks.New(jwks.Key{ID: name + "-1", Algorithm: "ES256", Public: k.Public()})).Marshal()
}

// sign signs claims as they are.
func sign(key crypto.Signer, typ, kid string, claims map[string]any) string {
	return must(jws.Sign(must(json.Marshal(claims)), typ, key, kid, false))
}

// claims are those of a good assertion.
func (g *rig) claims(client string) map[string]any {
	now := g.clock.Now().Unix()
	return map[string]any{"iss": client, "sub": client, "aud": issuerURL, "exp": now + 60, "iat": now, "jti": rand.Text()}
}

func (g *rig) assertion(client string) string {
	return sign(g.keys[client], "JWT", client+"-1", g.claims(client))
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// as is a form that a client sends with an assertion.
func (g *rig) as(client string, pairs ...string) url.Values {
	f := form(pairs...)
	f.Set("client_assertion_type", assertionType)
	f.Set("client_assertion", g.assertion(client))
	return f
}

func form(pairs ...string) url.Values {
	f := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return f
}

// proof makes a proof for an endpoint, with a nonce.
func (g *rig) proof(endpoint string) string { return g.proofBy(g.key, endpoint) }

func (g *rig) proofBy(k *dpop.Key, endpoint string) string {
	return must(k.Proof("POST", issuerURL+endpoint, must(g.server.Nonces.Issue(context.Background())), ""))
}

// do sends a request to the handler.
func (g *rig) do(r *http.Request) *httptest.ResponseRecorder {
	var body []byte
	if r.Body != nil {
		body = must(io.ReadAll(r.Body))
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	w := httptest.NewRecorder()
	g.server.ServeHTTP(w, r)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen = append(g.seen, exchange{r.Method, r.URL.Path, r.Header.Get("Content-Type"), body, w.Code, w.Header(), w.Body.Bytes()})
	return w
}

// post sends a form with header fields, in pairs.
func (g *rig) post(endpoint string, f url.Values, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path+endpoint, strings.NewReader(f.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return g.do(r)
}

// proven is post with a proof.
func (g *rig) proven(endpoint string, f url.Values, header ...string) *httptest.ResponseRecorder {
	return g.post(endpoint, f, append(header, "DPoP", g.proof(endpoint))...)
}

// api asks for administration.
func (g *rig) api(method, address, who, body string, header ...string) *httptest.ResponseRecorder {
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, address, in)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if who != "" {
		r.Header.Set("Authorization", who)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return g.do(r)
}

func members(w *httptest.ResponseRecorder) map[string]any {
	var m map[string]any
	json.Unmarshal(w.Body.Bytes(), &m)
	return m
}

func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

// want checks status and error code of an answer of the protocol.
func want(t testing.TB, name string, w *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	if got := text(members(w), "error"); w.Code != status || got != code {
		t.Errorf("%s: %d %q, want %d %q: %s", name, w.Code, got, status, code, w.Body)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%s: Cache-Control %q", name, w.Header().Get("Cache-Control"))
	}
}

// verify verifies an access token as a resource server does.
func (g *rig) verify(text string) (*token.Claims, error) {
	v := &token.Verifier{Issuer: issuerURL, Audience: audience, Keys: jwks.Local(g.server.Keys), Revoked: g.server.Revoked, Now: g.clock.Now}
	return v.Verify(context.Background(), text)
}

// granted returns the answer of a token request that has to succeed.
func (g *rig) granted(w *httptest.ResponseRecorder) map[string]any {
	g.t.Helper()
	m := members(w)
	if w.Code != 200 || text(m, "access_token") == "" {
		g.t.Fatalf("no token: %d %s", w.Code, w.Body)
	}
	return m
}

// challenge is a PKCE verifier with its challenge.
func challenge() (verifier, digest string) {
	verifier = rand.Text() + rand.Text()
	h := sha256.Sum256([]byte(verifier))
	return verifier, base64.RawURLEncoding.EncodeToString(h[:])
}

// browse sends a request as a browser with cookies.
func (g *rig) browse(r *http.Request) *httptest.ResponseRecorder {
	for name, value := range g.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if r.Method == "POST" {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	w := g.do(r)
	for _, c := range w.Result().Cookies() {
		g.cookies[c.Name] = c.Value
	}
	return w
}

func (g *rig) open(endpoint string, query url.Values) *httptest.ResponseRecorder {
	return g.browse(httptest.NewRequest("GET", path+endpoint+"?"+query.Encode(), nil))
}

func (g *rig) submit(endpoint string, f url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path+endpoint, strings.NewReader(f.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return g.browse(r)
}

var pageField = regexp.MustCompile(`name="page" value="([^"]*)"`)

// pageOf is what a page goes on with.
func pageOf(w *httptest.ResponseRecorder) string {
	m := pageField.FindStringSubmatch(w.Body.String())
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// asking is the query of a good authorization request.
func asking(client, redirect, digest string, pairs ...string) url.Values {
	q := form("client_id", client, "redirect_uri", redirect, "response_type", "code", "code_challenge", digest, "code_challenge_method", "S256", "state", "state-1", "scope", auth.ScannerRead)
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	return q
}

// consent logs ann in and allows what is asked for; it returns where the browser goes.
func (g *rig) consent(query url.Values) url.Values {
	g.t.Helper()
	w := g.open("/authorize", query)
	w = g.submit("/authorize", form("page", pageOf(w), "action", "login", "tenant", "acme", "login", "ann", "password", password))
	if pageOf(w) == "" {
		g.t.Fatalf("no consent page: %d %s", w.Code, w.Body)
	}
	w = g.submit("/authorize", form("page", pageOf(w), "action", "allow"))
	if w.Code != http.StatusSeeOther {
		g.t.Fatalf("no redirect: %d %s", w.Code, w.Body)
	}
	return must(url.Parse(w.Header().Get("Location"))).Query()
}

// code returns a code for the console with its verifier.
func (g *rig) code(pairs ...string) (code, verifier string) {
	g.t.Helper()
	verifier, digest := challenge()
	answer := g.consent(asking(issuer.Console, "https://console.example/callback", digest, pairs...))
	if answer.Get("code") == "" || answer.Get("iss") != issuerURL {
		g.t.Fatalf("no code: %v", answer)
	}
	return answer.Get("code"), verifier
}

func redeem(code, verifier string) url.Values {
	return form("grant_type", "authorization_code", "client_id", issuer.Console, "code", code, "code_verifier", verifier, "redirect_uri", "https://console.example/callback")
}

// verifierWith is a resource server that has read a set of keys some time ago.
func verifierWith(g *rig, set *jwks.Set) *token.Verifier {
	return &token.Verifier{Issuer: issuerURL, Audience: audience, Keys: set, Now: g.clock.Now}
}

func bodyOf(b []byte) *bytes.Buffer { return bytes.NewBuffer(b) }
