package dsse

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// PrivateKey signs: Ed25519, or ECDSA on P-256 and P-384. Its signatures are
// deterministic, so what is signed again is the same bytes again. It never
// changes, is safe for concurrent use, and prints as its id. Make it by
// [ParsePrivateKey] or [NewPrivateKey].
type PrivateKey struct {
	key    crypto.Signer
	public *PublicKey
}

var _ Signer = (*PrivateKey)(nil)

// NewPrivateKey wraps an ed25519.PrivateKey or an *ecdsa.PrivateKey. An error
// wraps ErrUnsupported for other algorithms and curves.
func NewPrivateKey(key crypto.PrivateKey) (*PrivateKey, error) {
	var signer crypto.Signer
	switch k := key.(type) {
	case ed25519.PrivateKey:
		if len(k) != ed25519.PrivateKeySize {
			return nil, fmt.Errorf("private key: Ed25519 of %d bytes: %w", len(k), fault.Invalid)
		}
		signer = ed25519.NewKeyFromSeed(k.Seed()) // whatever public half it was given
	case *ecdsa.PrivateKey:
		//lint:ignore SA1019 a key that was made by hand may lack it, and Bytes would panic
		if k == nil || k.D == nil {
			return nil, fmt.Errorf("private key: ECDSA without a number: %w", fault.Invalid)
		}
		signer = k
	default:
		return nil, fmt.Errorf("private key: %T: want Ed25519 or ECDSA: %w", key, fault.Unsupported)
	}
	public, err := NewPublicKey(signer.Public())
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	return &PrivateKey{key: signer, public: public}, nil
}

// ParsePrivateKey reads one PEM block "PRIVATE KEY" (PKCS #8, not encrypted),
// and nothing beside it. Errors name what is there instead, never content.
func ParsePrivateKey(text []byte) (*PrivateKey, error) {
	der, err := parsePEM(text, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("private key: not PKCS #8: %w", fault.Invalid)
	}
	return NewPrivateKey(key)
}

// KeyID returns the id of the public key.
func (k *PrivateKey) KeyID() string { return k.public.id }

// Public returns the public key.
func (k *PrivateKey) Public() *PublicKey { return k.public }

// Sign returns the signature of message: 64 bytes for Ed25519, DER for ECDSA.
func (k *PrivateKey) Sign(ctx context.Context, message []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	hash := crypto.Hash(0)
	if p, ok := k.key.(*ecdsa.PrivateKey); ok {
		hash, message = ecdsaHash(p.Curve, message)
	}
	sig, err := k.key.Sign(nil, message, hash) // without randomness ECDSA signs by RFC 6979
	if err != nil {
		return nil, fmt.Errorf("sign with key %s: %w", k.public.id, err)
	}
	return sig, nil
}

// PEM returns the key as a PEM block "PRIVATE KEY". It is a secret.
func (k *PrivateKey) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.key)
	if err != nil {
		return nil, fmt.Errorf("private key %s: %v: %w", k.public.id, err, fault.Invalid)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// Format prints the key's id under every verb, so that no message shows a
// secret.
func (k PrivateKey) Format(f fmt.State, _ rune) {
	id := "none"
	if k.public != nil {
		id = k.public.id
	}
	fmt.Fprintf(f, "private key %s", id)
}

// ecdsaHash returns the hash that belongs to the curve, and the digest.
func ecdsaHash(curve elliptic.Curve, message []byte) (crypto.Hash, []byte) {
	if curve == elliptic.P384() {
		digest := sha512.Sum384(message)
		return crypto.SHA384, digest[:]
	}
	digest := sha256.Sum256(message)
	return crypto.SHA256, digest[:]
}
