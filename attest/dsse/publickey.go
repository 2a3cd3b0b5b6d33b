package dsse

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/stella-ops/stella/internal/fault"
)

// The limits of keys.
const (
	MaxKeyText = 16 << 10 // bytes of a key's PEM or DER
	MinRSA     = 2048     // bits
	MaxRSA     = 8192     // bits
)

// PublicKey verifies signatures: of Ed25519, of ECDSA on P-256 with SHA-256 and
// on P-384 with SHA-384 (DER), and of RSA-PSS with SHA-256 and a salt of 32
// bytes. It never changes, and is safe for concurrent use. Make it by [ParsePublicKey] or [NewPublicKey].
type PublicKey struct {
	key crypto.PublicKey
	der []byte
	id  string
}

var _ Verifier = (*PublicKey)(nil)

// NewPublicKey wraps a key of the standard library, such as a certificate's. An
// error wraps ErrUnsupported for other algorithms, curves and sizes, ErrInvalid
// for what is no key.
func NewPublicKey(key crypto.PublicKey) (*PublicKey, error) {
	if p, ok := key.(ed25519.PublicKey); ok && len(p) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("public key: Ed25519 of %d bytes: %w", len(p), fault.Invalid)
	}
	if err := supported(key); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("public key: %v: %w", err, fault.Invalid)
	}
	return ParsePublicKeyDER(der)
}

// ParsePublicKeyDER reads a SubjectPublicKeyInfo. Errors are as those of
// [NewPublicKey].
func ParsePublicKeyDER(der []byte) (*PublicKey, error) {
	if len(der) > MaxKeyText {
		return nil, &fault.LimitError{What: "bytes of a key", Where: "public key", Max: MaxKeyText, Seen: int64(len(der))}
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("public key: %v: %w", err, fault.Invalid)
	}
	if err := supported(key); err != nil {
		return nil, err
	}
	// One key has one encoding here, whatever it was read from: it is what keys
	// are told apart by.
	canonical, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("public key: %v: %w", err, fault.Invalid)
	}
	sum := sha256.Sum256(canonical)
	return &PublicKey{key: key, der: canonical, id: hex.EncodeToString(sum[:])}, nil
}

// ParsePublicKey reads one PEM block "PUBLIC KEY", and nothing beside it.
func ParsePublicKey(text []byte) (*PublicKey, error) {
	der, err := parsePEM(text, "PUBLIC KEY")
	if err != nil {
		return nil, err
	}
	return ParsePublicKeyDER(der)
}

func supported(key crypto.PublicKey) error {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return nil
	case *ecdsa.PublicKey:
		//lint:ignore SA1019 a key that was made by hand may lack them, and Bytes would panic
		if k == nil || k.X == nil || k.Y == nil {
			return fmt.Errorf("public key: ECDSA without a point: %w", fault.Invalid)
		}
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() {
			return nil
		}
		return fmt.Errorf("public key: this curve: want P-256 or P-384: %w", fault.Unsupported)
	case *rsa.PublicKey:
		if k == nil || k.N == nil {
			return fmt.Errorf("public key: RSA without a modulus: %w", fault.Invalid)
		}
		if bits := k.N.BitLen(); bits < MinRSA || bits > MaxRSA {
			return fmt.Errorf("public key: RSA of %d bits: want %d to %d: %w", bits, MinRSA, MaxRSA, fault.Unsupported)
		}
		return nil
	}
	return fmt.Errorf("public key: %T: want Ed25519, ECDSA or RSA: %w", key, fault.Unsupported)
}

// KeyID returns the SHA-256 of the key's DER, in hexadecimal.
func (k *PublicKey) KeyID() string { return k.id }

// DER returns the key as SubjectPublicKeyInfo: one key, one encoding.
func (k *PublicKey) DER() []byte { return slices.Clone(k.der) }

// PEM returns the key as a PEM block "PUBLIC KEY".
func (k *PublicKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.der})
}

// Verify returns nil if sig is this key's signature of message, otherwise an
// error that wraps ErrMismatch.
func (k *PublicKey) Verify(message, sig []byte) error {
	ok := false
	switch key := k.key.(type) {
	case ed25519.PublicKey:
		ok = ed25519.Verify(key, message, sig)
	case *ecdsa.PublicKey:
		_, digest := ecdsaHash(key.Curve, message)
		ok = ecdsa.VerifyASN1(key, digest, sig)
	case *rsa.PublicKey:
		digest := sha256.Sum256(message)
		ok = rsa.VerifyPSS(key, crypto.SHA256, digest[:], sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
	}
	if !ok {
		return fmt.Errorf("not a signature of key %s: %w", k.id, fault.Mismatch)
	}
	return nil
}

// parsePEM returns the content of a text that is one PEM block of a type. It
// names what is there instead, and never shows content: it may be private.
func parsePEM(text []byte, want string) ([]byte, error) {
	if len(text) > MaxKeyText {
		return nil, &fault.LimitError{What: "bytes of a key", Where: "PEM", Max: MaxKeyText, Seen: int64(len(text))}
	}
	text = bytes.TrimSpace(text)
	block, rest := pem.Decode(text)
	var err error
	switch {
	case block == nil || !bytes.HasPrefix(text, []byte("-----BEGIN ")):
		err = errors.New("no PEM block")
	case len(bytes.TrimSpace(rest)) > 0:
		err = errors.New("more than one PEM block")
	case block.Type != want:
		return nil, fmt.Errorf("PEM: a block %q, want %q: %w", block.Type, want, fault.Unsupported)
	case len(block.Headers) > 0:
		return nil, fmt.Errorf("PEM: a block with headers, as of the old encryption: %w", fault.Unsupported)
	}
	if err != nil {
		return nil, fmt.Errorf("PEM: %v, want one block %q: %w", err, want, fault.Invalid)
	}
	return block.Bytes, nil
}
