package token_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/stella-ops/stella/services/auth/jwks"
	"github.com/stella-ops/stella/services/auth/token"
)

// An issuer signs a token, and a resource server verifies it.
func Example() {
	_, private, _ := ed25519.GenerateKey(nil)
	text, err := token.Sign(&token.Claims{
		Issuer: "https://id.example.org", Subject: "ann", Audience: []string{"https://api.example.org"}, Client: "cli", ID: "1",
		Issued: time.Now(), Expires: time.Now().Add(5 * time.Minute), Scopes: []string{"scanner:read"}, Tenant: "acme",
	}, private, "2026-03")
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, _ := jwks.New(jwks.Key{ID: "2026-03", Public: private.Public()})
	api := &token.Verifier{Issuer: "https://id.example.org", Audience: "https://api.example.org", Keys: keys}
	claims, err := api.Verify(context.Background(), text)
	fmt.Println(claims.Subject, claims.Tenant, claims.Scopes, err)

	other := &token.Verifier{Issuer: "https://id.example.org", Audience: "https://other.example.org", Keys: keys}
	_, err = other.Verify(context.Background(), text)
	fmt.Println(err)
	// Output:
	// ann acme [scanner:read] <nil>
	// access token: it is for another audience
}
