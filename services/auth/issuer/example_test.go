package issuer_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/issuer"
	"github.com/stella-ops/stella/store/account/accounttest"
	"github.com/stella-ops/stella/store/cache"
)

// An authorization server in a process: what an installation begins with, and a device
// that asks for its codes.
func ExampleServer() {
	seen := cache.New(cache.NewMem(cache.MemLimits{})) // Valkey, where there are several nodes
	s := &issuer.Server{
		Issuer: "https://auth.example", Audiences: []string{"https://stella.example"},
		Store: accounttest.NewMemory(), // store.Root.Accounts, outside of tests
		Seal:  [][]byte{bytes.Repeat([]byte{1}, issuer.SealSize)}, Replay: seen,
		Nonces: &dpop.Nonces{Secret: []byte(rand.Text() + rand.Text()), Audience: "https://auth.example", Epochs: seen},
		Identify: func(*http.Request) (*auth.Identity, error) {
			return nil, fmt.Errorf("no token: %w", fault.Unauthenticated) // an auth.Verifier's, or a gateway's envelope
		},
	}
	made, err := s.Bootstrap(context.Background(), issuer.Bootstrap{Tenant: "acme"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(made.Tenant, made.Login, made.Clients, "password:", len(made.Password) > 40)

	form := url.Values{"client_id": {issuer.CLI}, "scope": {auth.ScannerScan}}
	r := httptest.NewRequest("POST", "/device_authorization", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	fmt.Println(w.Code, strings.Contains(w.Body.String(), `"verification_uri":"https://auth.example/device"`))
	// Output:
	// acme admin [stella-cli] password: true
	// 200 true
}
