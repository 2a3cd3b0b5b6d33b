package system

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	documents "github.com/stella-ops/stella/docs/openapi"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/envelope"
	"github.com/stella-ops/stella/services/auth/token"
	"github.com/stella-ops/stella/services/internal/gateway"
	"github.com/stella-ops/stella/services/internal/openapi"
	"github.com/stella-ops/stella/store/cache"
)

// Doorkeeper is what a gateway finds callers out by.
type Doorkeeper struct {
	// URL is the origin that clients know the gateway by, and the audience of tokens.
	URL string
	// Issuer makes the tokens; Keys are its keys.
	Issuer string
	Keys   token.Keys
	// Revoked says what was ended early. Nil: tokens end by themselves, within minutes.
	Revoked func(ctx context.Context, c *token.Claims) (bool, error)
	// Introspect knows what is no JWT: API keys. Nil takes none.
	Introspect func(ctx context.Context, text string) (*token.Claims, error)
	// Cache remembers proofs; all gateways share it.
	Cache *cache.Cache
	// Secret is what nonces are made with; all gateways share it.
	Secret []byte
	// Bearer takes tokens that are bound to no key.
	Bearer bool
}

// derive makes a secret for one purpose of another.
func derive(secret []byte, purpose string) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(purpose))
	return m.Sum(nil)
}

// NonceSecret makes the secret of nonces of the key of gateways, which they share.
func NonceSecret(key ed25519.PrivateKey) []byte { return derive(key.Seed(), "nonces of proofs") }

// Check finds out who sends a request.
func (d *Doorkeeper) Check() func(http.Header, *http.Request) (*auth.Identity, error) {
	v := &auth.Verifier{
		Tokens: &token.Verifier{Issuer: d.Issuer, Audience: d.URL, Keys: d.Keys, Revoked: d.Revoked, Skew: 5 * time.Second},
		Proofs: &dpop.Verifier{Origins: []string{d.URL}, Replay: d.Cache,
			Nonces: &dpop.Nonces{Secret: d.Secret, Audience: d.URL, Epochs: d.Cache}},
		AllowBearer: d.Bearer,
	}
	return func(answer http.Header, r *http.Request) (*auth.Identity, error) {
		who, _, err := v.Check(answer, r)
		return who, err
	}
}

// KeyCheck finds out whose API key a request has: in X-Api-Key, or as the bearer token or
// the password that clients of other products send.
func (d *Doorkeeper) KeyCheck() func(http.Header, *http.Request) (*auth.Identity, error) {
	return func(_ http.Header, r *http.Request) (*auth.Identity, error) {
		text := apiKeyOf(r)
		if text == "" || d.Introspect == nil {
			return nil, fmt.Errorf("an API key is needed here: %w", fault.Unauthenticated)
		}
		c, err := d.Introspect(r.Context(), text)
		if errors.Is(err, fault.Unavailable) {
			return nil, err
		}
		if err == nil && (c.JKT != "" || c.Client != "") { // a token, which needs a proof and is for other routes
			err = fault.Unauthenticated
		}
		if err != nil {
			return nil, fmt.Errorf("the API key is not known, or over: %w", fault.Unauthenticated)
		}
		return &auth.Identity{Tenant: c.Tenant, Subject: c.Subject, Client: c.Client, Scopes: c.Scopes, Proof: auth.ProofAPIKey}, nil
	}
}

func apiKeyOf(r *http.Request) string {
	if keys := r.Header.Values("X-Api-Key"); len(keys) == 1 {
		return keys[0]
	} else if len(keys) > 1 {
		return ""
	}
	if keys := r.Header.Values("X-ScannerAdapter-API-Key"); len(keys) == 1 {
		return keys[0]
	}
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	if scheme, text, ok := cutScheme(r.Header.Get("Authorization")); ok && scheme == "bearer" {
		return text
	}
	return ""
}

// Edge is the gateway of an installation.
type Edge struct {
	Doorkeeper
	Signer   *envelope.Signer
	Backends []gateway.Backend
	Rates    gateway.Rates
	Shared   gateway.Shared
	// Proxies are in front of the gateway.
	Proxies []netip.Prefix
	// Concurrent bounds requests at a time; 0 is the default.
	Concurrent int
	// Body bounds large bodies; 0 bounds them as their routes do.
	Body int64
	// Timeout is how long a system may take to begin its answer; 0 is the default.
	Timeout time.Duration
	Inject  func(ctx context.Context, h http.Header)
	Report  func(gateway.Decision)
}

// Gateway makes the door for clients. It serves the document of all operations itself.
func (e *Edge) Gateway() (*gateway.Gateway, error) {
	document, err := e.document()
	if err != nil {
		return nil, err
	}
	backends := append(e.Backends, gateway.Backend{System: gatewayName, Targets: []gateway.Target{{Handler: served(document)}}})
	there := map[string]bool{}
	for _, b := range backends {
		there[b.System] = true
	}
	keys := e.KeyCheck()
	var routes []gateway.Route
	for _, r := range append(Routes(), Route{System: gatewayName, Method: "GET", Path: "/openapi.json"}) {
		if !there[r.System] {
			continue // nobody runs it: its paths are not there
		}
		out := gateway.Route{System: r.System, Method: r.Method, Pattern: r.Path, Scopes: r.Scopes, Public: r.Public(), Pass: r.Pass, Rate: "all", Limits: gateway.Limits{Body: r.Large, Time: e.Timeout}}
		if e.Body > 0 && r.Large > e.Body {
			out.Limits.Body = e.Body
		}
		if r.Keys {
			out.Check = keys
		}
		routes = append(routes, out)
	}
	return gateway.New(gateway.Config{
		Routes: routes, Backends: backends, Check: e.Check(), Signer: e.Signer, Rates: map[string]gateway.Rates{"all": e.Rates}, Shared: e.Shared,
		Concurrency: e.Concurrent, Proxies: e.Proxies, Refused: gateway.Rate{Every: 10 * time.Millisecond, Burst: 1000}, Inject: e.Inject, Report: e.Report,
	})
}

// document is the OpenAPI document of all systems.
func (e *Edge) document() ([]byte, error) {
	var list []openapi.Operation
	for _, r := range Routes() {
		list = append(list, openapi.Operation{Method: r.Method, Path: r.Path, Scopes: r.Scopes, Keys: r.Keys})
	}
	return openapi.Join(documents.Files, list, e.URL, e.Issuer)
}

func served(document []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(document)
	})
}
