package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/internal/jws"
)

// The algorithms of proofs.
const (
	ES256 = jws.ES256
	EdDSA = jws.EdDSA // Ed25519
	PS256 = jws.PS256
)

// Key is a client's key, which makes proofs. It is safe for concurrent use. Make it with
// Generate or NewKey.
type Key struct {
	// Now is the clock of proofs; nil means time.Now. A client that knows how far its
	// clock is from the server's corrects it here.
	Now func() time.Time

	signer crypto.Signer
	jkt    string
}

// Generate makes a key for ES256 or EdDSA; "" means ES256, which every server knows.
func Generate(alg string) (*Key, error) {
	var s crypto.Signer
	var err error
	switch alg {
	case "", ES256:
		s, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, s, err = ed25519.GenerateKey(rand.Reader)
	default:
		return nil, fmt.Errorf("make a key for proofs: want ES256 or EdDSA: %w", fault.Unsupported)
	}
	if err != nil {
		return nil, fmt.Errorf("make a key for proofs: %w", err)
	}
	return NewKey(s)
}

// NewKey uses a key that is kept elsewhere: ECDSA on P-256, Ed25519, or RSA of 2048 to 4096
// bits. The error wraps ErrInvalid for any other.
func NewKey(signer crypto.Signer) (*Key, error) {
	jkt, err := jws.Thumbprint(signer.Public())
	if err != nil {
		return nil, fmt.Errorf("key for proofs: %w", err)
	}
	return &Key{signer: signer, jkt: jkt}, nil
}

// JKT is the key's thumbprint (RFC 7638): what tokens are bound to.
func (k *Key) JKT() string { return k.jkt }

// Signer is the private key, for keeping it.
func (k *Key) Signer() crypto.Signer { return k.signer }

// Proof makes a proof for one request: its method, and its URL, whose query and fragment
// are left out. nonce is the last that this server gave, token the access token that goes
// with the request; each may be "". The error wraps ErrInvalid.
func (k *Key) Proof(method, url, nonce, token string) (string, error) {
	htu, err := normalize(url)
	if err != nil || method == "" {
		return "", fmt.Errorf("make a proof: it needs a method and an absolute http or https URL: %w", fault.Invalid)
	}
	now := time.Now
	if k.Now != nil {
		now = k.Now
	}
	payload, err := json.Marshal(proofClaims{ID: rand.Text(), Method: method, URL: htu, Issued: now().Unix(), Hash: tokenHash(token), Nonce: nonce})
	if err != nil {
		return "", fmt.Errorf("make a proof: %w: %w", fault.Invalid, err)
	}
	text, err := jws.Sign(payload, Type, k.signer, "", true)
	if err != nil {
		return "", fmt.Errorf("make a proof: %w", err)
	}
	return text, nil
}

// proofClaims are those of RFC 9449 §4.2.
type proofClaims struct {
	ID     string `json:"jti"`
	Method string `json:"htm"`
	URL    string `json:"htu"`
	Issued int64  `json:"iat"`
	Hash   string `json:"ath,omitempty"`
	Nonce  string `json:"nonce,omitempty"`
}

// tokenHash is ath of a token, "" for none.
func tokenHash(token string) string {
	if token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
