package client

import (
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/internal/jws"
)

// Authenticator proves who a client is: a PrivateKey or a Secret.
type Authenticator interface {
	authenticate(c *Client, form url.Values, header http.Header) error
}

// PrivateKey proves a client by a key whose public half the server knows (private_key_jwt,
// RFC 7523 §2.2).
type PrivateKey struct {
	// Key is on P-256, of Ed25519, or of RSA.
	Key crypto.Signer
	// ID is the kid that the server knows it by. "" is the key's thumbprint (RFC 7638).
	ID string
}

// assertionLife is how long an assertion holds. Each is used once.
const assertionLife = time.Minute

func (k PrivateKey) authenticate(c *Client, form url.Values, _ http.Header) error {
	if k.Key == nil {
		return fmt.Errorf("the client's key is missing: %w", fault.Invalid)
	}
	kid := k.ID
	if kid == "" {
		var err error
		if kid, err = jws.Thumbprint(k.Key.Public()); err != nil {
			return fmt.Errorf("the client's key: %w", err)
		}
	}
	now := c.now()
	claims, err := json.Marshal(assertion{
		Issuer: c.ID, Subject: c.ID, Audience: c.Server.Issuer, ID: rand.Text(), Issued: now.Unix(), Expires: now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return fmt.Errorf("sign with the client's key: %w: %w", fault.Invalid, err)
	}
	text, err := jws.Sign(claims, "client-authentication+jwt", k.Key, kid, false)
	if err != nil {
		return fmt.Errorf("sign with the client's key: %w", err)
	}
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", text)
	return nil
}

// assertion has the claims of RFC 7523 §3.
type assertion struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	ID       string `json:"jti"`
	Issued   int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// Secret proves a client by a secret that it shares with the server, for development.
type Secret string

// String hides it from whoever prints it.
func (Secret) String() string { return "a secret" }

// GoString is as String.
func (Secret) GoString() string { return "a secret" }

func (s Secret) authenticate(c *Client, form url.Values, header http.Header) error {
	// RFC 6749 §2.3.1: both are encoded as in a form before they are joined.
	pair := url.QueryEscape(c.ID) + ":" + url.QueryEscape(string(s))
	header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	form.Del("client_id")
	return nil
}
