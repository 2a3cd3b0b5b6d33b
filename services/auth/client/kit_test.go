package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/client"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/issuer"
	"github.com/stella-ops/stella/services/auth/jwks"
	"github.com/stella-ops/stella/services/auth/token"
	"github.com/stella-ops/stella/store/account"
	"github.com/stella-ops/stella/store/account/accounttest"
	"github.com/stella-ops/stella/store/cache"
)

// world is an authorization server and a resource server at one address, on real parts.
type world struct {
	url    string
	store  *accounttest.Memory
	issuer *issuer.Server
	door   *auth.Verifier
	key    *ecdsa.PrivateKey // of the client "ci"

	mu    sync.Mutex
	ahead time.Duration // of the servers' clock
	log   []string      // method, path and status of each answer
	api   http.HandlerFunc
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead += d
}

// count says how often a path was answered with a status; 0 is any.
func (w *world) count(path string, status int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, line := range w.log {
		if strings.HasPrefix(line, path+" ") && (status == 0 || line == fmt.Sprint(path, " ", status)) {
			n++
		}
	}
	return n
}

const password = "correct horse battery staple"

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{store: accounttest.NewMemory()}
	w.store.Now = w.now
	server := httptest.NewUnstartedServer(w)
	w.url = "http://" + server.Listener.Addr().String()
	replay := cache.New(cache.NewMem(cache.MemLimits{}))
	secret := []byte(strings.Repeat("s", dpop.MinSecret))
	w.issuer = &issuer.Server{
		Issuer: w.url, Audiences: []string{w.url + "/api"}, Store: w.store, Seal: [][]byte{[]byte(strings.Repeat("k", issuer.SealSize))}, Replay: replay,
		Nonces:   &dpop.Nonces{Secret: secret, Audience: w.url, Epochs: replay, Now: w.now},
		Identify: func(*http.Request) (*auth.Identity, error) { return nil, fault.Unauthenticated }, Now: w.now,
		Report: func(id string, err error) { t.Logf("authority %s: %v", id, err) },
	}
	w.door = &auth.Verifier{
		Tokens:      &token.Verifier{Issuer: w.url, Audience: w.url + "/api", Keys: jwks.Local(w.issuer.Keys), Revoked: w.issuer.Revoked, Cache: -1, Now: w.now},
		Proofs:      &dpop.Verifier{Origins: []string{w.url}, Replay: replay, Nonces: &dpop.Nonces{Secret: secret, Audience: "api", Epochs: replay, Now: w.now}, Now: w.now},
		AllowBearer: true, Now: w.now,
	}
	w.fill(t)
	server.Start()
	t.Cleanup(server.Close)
	return w
}

// fill makes a tenant, a person, and the clients "cli" and "ci".
func (w *world) fill(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	var err error
	if w.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	set, err := jwks.New(jwks.Key{Public: &w.key.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	salt := []byte("0123456789abcdef")
	b64 := base64.RawStdEncoding.EncodeToString
	hash := fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", 19456, 2, 1, b64(salt), b64(argon2.IDKey([]byte(password), salt, 2, 19456, 1, 32)))
	scopes := []string{auth.ScannerRead, auth.ScannerScan}
	for _, err := range []error{
		w.store.PutTenant(ctx, &account.Tenant{ID: "acme", Name: "Acme"}, "test"),
		w.store.PutUser(ctx, &account.User{Tenant: "acme", ID: "u-ann", Login: "ann", Password: hash, Scopes: scopes}, "test"),
		w.store.PutClient(ctx, &account.Client{ID: "cli", Name: "CLI", Public: true, Redirects: []string{"http://127.0.0.1/callback"}, Scopes: scopes,
			Grants: []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"}}, "test"),
		w.store.PutClient(ctx, &account.Client{ID: "ci", Tenant: "acme", Keys: set.Marshal(), Scopes: scopes, Grants: []string{"client_credentials"}}, "test"),
		w.store.PutClient(ctx, &account.Client{ID: "dev", Tenant: "acme", Secret: hash, Scopes: scopes, Plain: true, Grants: []string{"client_credentials"}}, "test"),
		w.issuer.Maintain(ctx),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	seen := &recorder{ResponseWriter: rw, status: http.StatusOK}
	rw.Header().Set("Date", w.now().UTC().Format(http.TimeFormat))
	switch {
	case !strings.HasPrefix(r.URL.Path, "/api/"):
		w.issuer.ServeHTTP(seen, r)
	default:
		who, _, err := w.door.Check(seen.Header(), r)
		if err != nil {
			f := err.(*auth.Refusal)
			f.SetHeader(seen.Header())
			seen.WriteHeader(f.Status)
			io.WriteString(seen, f.Description)
			break
		}
		if w.api != nil {
			w.api(seen, r)
			break
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(seen, "%s of %s by %s, %d bytes", who.Subject, who.Tenant, who.Proof, len(body))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, fmt.Sprint(r.URL.Path, " ", seen.status))
}

type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// client is one of the world's clients, with a fresh key.
func (w *world) client(t testing.TB, id string) *client.Client {
	t.Helper()
	as, err := client.Metadata(t.Context(), w.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := dpop.Generate("")
	if err != nil {
		t.Fatal(err)
	}
	c := &client.Client{Server: as, ID: id, Key: key}
	if id == "ci" {
		c.Auth = client.PrivateKey{Key: w.key}
	}
	return c
}

// transport sends requests to the world with a client's tokens.
func (w *world) transport(c *client.Client, s client.Source) *client.Transport {
	return &client.Transport{Service: w.url, Source: s, Key: c.Key}
}

// get asks the API, and returns status and text.
func get(ctx context.Context, rt http.RoundTripper, url string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := rt.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// agree decides about a device's code as a person does on the page.
func (w *world) agree(t testing.TB, code string, allow bool) {
	t.Helper()
	g, err := w.store.Pending(t.Context(), strings.ReplaceAll(code, "-", ""))
	if err != nil {
		t.Fatal(err)
	}
	g.State, g.Tenant, g.User, g.AuthTime = account.Denied, "acme", "u-ann", w.now()
	if allow {
		g.State = account.Open
	}
	if err := w.store.Decide(t.Context(), g); err != nil {
		t.Fatal(err)
	}
}

// newWorldless is a client of a server that has a token endpoint and nothing else.
func newWorldless(t testing.TB, url string) *client.Client {
	t.Helper()
	key, err := dpop.Generate("")
	if err != nil {
		t.Fatal(err)
	}
	return &client.Client{Server: &client.Server{Issuer: url, Token: url + "/token"}, ID: "ci", Key: key}
}

// bound is a source of a token that no server gave out.
type bound struct{}

func (bound) Token(context.Context) (*client.Token, error) {
	return &client.Token{Access: "a-token", Type: client.TypeDPoP}, nil
}

func (bound) Refused(*client.Token) {}
