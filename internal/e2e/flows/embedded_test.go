package flows

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/services/auth/client"
	"github.com/stella-ops/stella/services/auth/dpop"
)

// common is what every installation of the tests has.
func (s *site) common() string {
	secrets := filepath.Join(s.dir, "secrets")
	s.write("secrets/default/hook", []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
	return "url: " + s.gateway + "\nlog: {level: info, format: text}\n" +
		"network: {allow: [127.0.0.1]}\n" +
		"concelier: {sources: {wolfi: 1m}, mirror: " + s.mirror + "}\n" +
		"notifier: {allow: [127.0.0.1], secrets: " + secrets + "}\n" +
		"exporter: {formats: [spdx, evidence]}\n"
}

// admin logs in as the administrator, in a browser, and is let in by the code of a device.
func (s *site) admin(tenant, password string) *caller {
	s.Helper()
	server, err := client.Metadata(s.Context(), s.gateway, nil)
	if err != nil {
		s.Fatal(err)
	}
	bound, err := dpop.Generate("ES256")
	if err != nil {
		s.Fatal(err)
	}
	c := &client.Client{Server: server, ID: "stella-cli", Key: bound}
	d, err := c.Device(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	s.person(d.URL, map[string][]string{"action": {"login"}, "user_code": {d.UserCode}, "tenant": {tenant}, "login": {"admin"}, "password": {password}})
	token, err := d.Wait(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	source := c.Refresh(client.NewMemory(token))
	return &caller{s, &http.Client{Transport: &client.Transport{Service: s.gateway, Source: source, Key: bound}}}
}

// ci registers a client with a key of its own, as an administrator does, and logs it in.
func (s *site) ci(admin *caller, scopes ...string) *caller {
	s.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		s.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	bound, err := dpop.NewKey(key)
	if err != nil {
		s.Fatal(err)
	}
	made := admin.do("POST", "/api/v1/authority/clients", map[string]any{
		"client_name": "CI", "grant_types": []string{"client_credentials"}, "scopes": scopes,
		"jwks": map[string]any{"keys": []any{map[string]any{"kty": "EC", "crv": "P-256", "kid": bound.JKT(), "alg": "ES256", "use": "sig", "x": b64(point[1:33]), "y": b64(point[33:])}}},
	}, http.StatusCreated)
	id, _ := made["client_id"].(string)
	return s.program(id, key)
}

// everything is what the program of the tests may.
var everything = []string{"scanner:read", "scanner:scan", "scanner:export", "export:operate", "advisory:read", "advisory:manage", "vex:read", "vex:ingest", "vex:admin", "policy:read", "policy:author",
	"exception:approve", "attest:read", "notify.viewer", "notify.operator", "timeline:read", "scheduler:read", "scheduler:operate"}

// TestEmbedded has all flows in one process with nothing beside it.
func TestEmbedded(t *testing.T) {
	s := newSite(t)
	s.gateway = "http://" + free(t, 1)[0]
	s.settings = s.common() + "data: " + filepath.Join(s.dir, "data") + "\nlisten: " + strings.TrimPrefix(s.gateway, "http://") + "\n"
	s.start(group{name: "all"})
	password, err := os.ReadFile(filepath.Join(s.dir, "data", "initial-password"))
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.TrimSpace(string(password))
	admin := s.admin("default", secret)
	flows(t, s, admin, "default", secret)
}
