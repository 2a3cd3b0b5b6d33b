package auth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/dpop"
	"github.com/stella-ops/stella/services/auth/jwks"
	"github.com/stella-ops/stella/services/auth/token"
	"github.com/stella-ops/stella/store/cache"
)

// A resource server lets in who has a token and proves the key that it is bound to.
func Example() {
	issuer, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	keys, _ := jwks.New(jwks.Key{ID: "2026-03", Public: issuer.Public()})
	seen, _ := cache.Open(context.Background(), "mem:")
	secret := make([]byte, dpop.MinSecret)
	rand.Read(secret)
	door := &auth.Verifier{
		Tokens: &token.Verifier{Issuer: "https://id.example.org", Audience: "https://api.example.org", Keys: keys},
		Proofs: &dpop.Verifier{
			Origins: []string{"https://api.example.org"}, Replay: seen,
			Nonces: &dpop.Nonces{Secret: secret, Audience: "api", Epochs: seen},
		},
	}
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _, err := door.Check(w.Header(), r)
		var refused *auth.Refusal
		switch {
		case errors.As(err, &refused):
			refused.Write(w)
		case !who.Has(auth.ScannerRead):
			door.Insufficient(who, auth.ScannerRead).Write(w)
		default:
			fmt.Fprintf(w, "hello %s of %s", who.Subject, who.Tenant)
		}
	})

	client, _ := dpop.Generate(dpop.ES256)
	access, _ := token.Sign(&token.Claims{
		Issuer: "https://id.example.org", Subject: "ann", Audience: []string{"https://api.example.org"}, Client: "cli", ID: "1",
		Issued: time.Now(), Expires: time.Now().Add(5 * time.Minute), Scopes: []string{auth.ScannerRead}, Tenant: "acme", JKT: client.JKT(),
	}, issuer, "2026-03")
	nonce := ""
	for range 2 {
		r := httptest.NewRequest("GET", "/api/v1/scans", nil)
		proof, _ := client.Proof("GET", "https://api.example.org/api/v1/scans", nonce, access)
		r.Header.Set("Authorization", "DPoP "+access)
		r.Header.Set(dpop.Header, proof)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		if nonce = w.Header().Get(dpop.NonceHeader); nonce != "" {
			fmt.Println(w.Code, "with a nonce")
			continue
		}
		fmt.Println(w.Code, w.Body)
	}
	// Output:
	// 401 with a nonce
	// 200 hello ann of acme
}
