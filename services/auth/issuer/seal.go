package issuer

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/fault"
)

// SealSize is how many bytes a key for sealing has.
const SealSize = 32

// aead returns the cipher for one purpose: AES-256-GCM with a random nonce in front, by a
// key of its own that comes of a sealing key.
func aead(key []byte, purpose string) (cipher.AEAD, error) {
	if len(key) != SealSize {
		return nil, fmt.Errorf("sealing key: it has %d bytes, want %d: %w", len(key), SealSize, fault.Invalid)
	}
	own, err := hkdf.Key(sha256.New, key, nil, "stella authority: "+purpose, SealSize)
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	block, err := aes.NewCipher(own)
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// sealed encrypts by the first sealing key. about is bound to it, and not in it.
func (s *Server) sealed(purpose, about string, text []byte) ([]byte, error) {
	a, err := aead(s.Seal[0], purpose)
	if err != nil {
		return nil, err
	}
	return a.Seal(nil, nil, text, []byte(about)), nil
}

// opened decrypts by whichever sealing key it was sealed by. The error wraps Mismatch.
func (s *Server) opened(purpose, about string, b []byte) ([]byte, error) {
	for _, key := range s.Seal {
		a, err := aead(key, purpose)
		if err != nil {
			return nil, err
		}
		if text, err := a.Open(nil, nil, b, []byte(about)); err == nil {
			return text, nil
		}
	}
	return nil, fmt.Errorf("open what was sealed: it was altered, or by a key that is not here: %w", fault.Mismatch)
}

// newSecret is a code or token of 256 random bits.
func newSecret() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// newID is a name that nobody else has: 130 random bits.
func newID() string { return rand.Text() }

// hashOf is how codes and tokens are kept. They are random, so one round is enough.
func hashOf(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// digestOf is a SHA-256 as PKCE has it.
func digestOf(text string) string { return base64.RawURLEncoding.EncodeToString(hashOf(text)) }

// sameText compares in a time that does not depend on where they differ.
func sameText(a, b string) bool { return subtle.ConstantTimeCompare(hashOf(a), hashOf(b)) == 1 }

// encode is JSON of what this package wrote itself.
func encode(v any) []byte {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil // the types here have nothing that JSON cannot say
	}
	return b
}

// decode reads what encode wrote.
func decode(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("data that Authority kept: %v: %w", err, fault.Mismatch)
	}
	return nil
}
