package system

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/envelope"
	"github.com/stella-ops/stella/services/auth/token"
)

// behind is a system's door with a handler that says who came through.
type behind struct {
	door http.Handler
	keys map[string]ed25519.PrivateKey
	got  *auth.Identity
	came bool
}

func newBehind(t *testing.T, name string) *behind {
	t.Helper()
	b := &behind{keys: map[string]ed25519.PrivateKey{}}
	issuers := trusts()
	for issuer, trust := range issuers {
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		trust.Keys = []ed25519.PublicKey{public}
		issuers[issuer], b.keys[issuer] = trust, private
	}
	b.door = Front(name, issuers, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b.got, b.came = auth.FromContext(r.Context()), true
	}))
	return b
}

// sealed makes a request by a service's key.
func (b *behind) sealed(t *testing.T, issuer, audience, method, path string, who *auth.Identity) *http.Request {
	t.Helper()
	s := &envelope.Signer{Name: issuer, Key: b.keys[issuer]}
	text, err := s.Sign(who, envelope.Binding{Audience: audience, Method: method, Target: path, Digest: envelope.Digest(nil)}, "request-0001")
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set(envelope.Header, text)
	return r
}

func (b *behind) send(r *http.Request) *httptest.ResponseRecorder {
	b.got, b.came = nil, false
	w := httptest.NewRecorder()
	b.door.ServeHTTP(w, r)
	return w
}

// TestFront: the key of a service opens its own routes and no others, in its own name.
func TestFront(t *testing.T) {
	scan := "/api/v1/scans/scan-00000000000000000000000000000001"
	service := func(name, tenant string, scopes ...string) *auth.Identity {
		return &auth.Identity{Tenant: tenant, Subject: name, Client: name, Scopes: scopes, Proof: auth.ProofService}
	}
	user := &auth.Identity{Tenant: "acme", Subject: "ann", Client: "stella-cli", Scopes: []string{auth.ScannerRead, auth.ScannerScan, auth.AuthorityAdmin}, Proof: auth.ProofDPoP}
	for name, test := range map[string]struct {
		system, issuer, audience, method, path string
		who                                    *auth.Identity
		status                                 int
	}{
		"worker claims":              {"scanner", "worker", "scanner", "POST", scan + "/claim", service("worker", "acme", auth.ScannerWork), 200},
		"worker completes":           {"scanner", "worker", "scanner", "POST", scan + "/complete", service("worker", "acme", auth.ScannerWork), 200},
		"worker submits":             {"scanner", "worker", "scanner", "POST", "/api/v1/scans", service("worker", "acme", auth.ScannerWork), 403},
		"worker cancels":             {"scanner", "worker", "scanner", "POST", scan + "/cancel", service("worker", "acme", auth.ScannerWork), 403},
		"worker reads":               {"scanner", "worker", "scanner", "GET", scan + "/findings", service("worker", "acme", auth.ScannerWork), 403},
		"worker reads by HEAD":       {"scanner", "worker", "scanner", "HEAD", scan + "/findings", service("worker", "acme", auth.ScannerWork), 403},
		"worker lists":               {"scanner", "worker", "scanner", "GET", "/api/v1/scans", service("worker", "acme", auth.ScannerWork), 403},
		"worker with more rights":    {"scanner", "worker", "scanner", "GET", "/api/v1/scans", service("worker", "acme", auth.ScannerWork, auth.ScannerRead), 403},
		"worker as a user":           {"scanner", "worker", "scanner", "GET", "/api/v1/scans", user, 403},
		"worker as the gateway":      {"scanner", "worker", "scanner", "POST", scan + "/claim", service("gateway", "acme", auth.ScannerWork), 403},
		"worker to another system":   {"policy", "worker", "policy", "GET", "/api/v1/policies", service("worker", "acme", auth.ScannerWork), 403},
		"worker to the authority":    {"authority", "worker", "authority", "GET", "/api/v1/authority/users", service("worker", ""), 403},
		"envelope of another system": {"scanner", "gateway", "policy", "GET", "/api/v1/scans", user, 401},
		"exporter signs":             {"signer", "export-center", "signer", "POST", "/api/v1/sign", service("export-center", "acme", auth.AttestSign), 200},
		"exporter reads":             {"attestor", "export-center", "attestor", "GET", "/api/v1/attestations", service("export-center", "acme", auth.AttestSign), 403},
		"exporter to the scanner":    {"scanner", "export-center", "scanner", "GET", "/api/v1/scans", service("export-center", "acme", auth.AttestSign), 403},
		"gateway for a user":         {"scanner", "gateway", "scanner", "GET", "/api/v1/scans", user, 200},
		"gateway without the right":  {"scanner", "gateway", "scanner", "POST", scan + "/claim", user, 403},
		"gateway without anybody":    {"scanner", "gateway", "scanner", "GET", "/api/v1/scans", &auth.Identity{}, 403},
	} {
		b := newBehind(t, test.system)
		w := b.send(b.sealed(t, test.issuer, test.audience, test.method, test.path, test.who))
		if w.Code != test.status || b.came != (test.status == 200) {
			t.Errorf("%s: %d, want %d: %s", name, w.Code, test.status, w.Body)
		}
		if test.status != 200 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %v", name, w.Header())
		}
	}
	b := newBehind(t, "scanner")
	r := b.sealed(t, "gateway", "scanner", "GET", "/api/v1/scans", user)
	again := r.Clone(t.Context())
	if w := b.send(r); w.Code != 200 || b.got.Subject != "ann" {
		t.Errorf("%d, %+v", w.Code, b.got)
	}
	if w := b.send(again); w.Code != 401 || b.came {
		t.Errorf("an envelope is taken again: %d", w.Code)
	}
	if w := b.send(httptest.NewRequest("GET", "/api/v1/scans", nil)); w.Code != 401 || b.came {
		t.Errorf("without an envelope: %d", w.Code)
	}
	public := newBehind(t, "authority")
	forged := public.sealed(t, "gateway", "authority", "GET", "/jwks", user)
	if w := public.send(forged); w.Code != 200 || public.got != nil {
		t.Errorf("a public route has an identity: %d, %+v", w.Code, public.got)
	}
}

// TestKeyCheck: routes for API keys take those alone, not a token without its proof.
func TestKeyCheck(t *testing.T) {
	claims := map[string]*token.Claims{
		"stella_a_b":  {Tenant: "acme", Subject: "ann", Scopes: []string{auth.ScannerRead}},
		"a.bound.jwt": {Tenant: "acme", Subject: "ann", Client: "stella-cli", Scopes: []string{auth.ScannerRead}, JKT: "x"},
		"a.plain.jwt": {Tenant: "acme", Subject: "ann", Client: "stella-cli", Scopes: []string{auth.ScannerRead}},
	}
	d := &Doorkeeper{Introspect: func(_ context.Context, text string) (*token.Claims, error) {
		if text == "away" {
			return nil, fault.Unavailable
		}
		if c := claims[text]; c != nil {
			return c, nil
		}
		return nil, fault.Unauthenticated
	}}
	check := d.KeyCheck()
	for text, want := range map[string]error{"stella_a_b": nil, "a.bound.jwt": fault.Unauthenticated, "a.plain.jwt": fault.Unauthenticated, "other": fault.Unauthenticated, "": fault.Unauthenticated, "away": fault.Unavailable} {
		for _, how := range []string{"X-Api-Key", "X-ScannerAdapter-API-Key", "bearer", "basic"} {
			r := httptest.NewRequest("GET", "/api/v1/project", bytes.NewReader(nil))
			switch how {
			case "bearer":
				r.Header.Set("Authorization", "Bearer "+text)
			case "basic":
				r.SetBasicAuth("anybody", text)
			default:
				r.Header.Set(how, text)
			}
			who, err := check(http.Header{}, r)
			if !errors.Is(err, want) || (err == nil) != (who != nil) || err == nil && (who.Tenant != "acme" || who.Proof != auth.ProofAPIKey) {
				t.Errorf("%q by %s: %+v, %v", text, how, who, err)
			}
			if err != nil && text != "" && strings.Contains(err.Error(), text+" ") {
				t.Errorf("the error has the key: %v", err)
			}
		}
	}
}
