// Package pullsecret seals what a registry is asked with on its way from who submits a
// scan to the worker: the store, the queue and the callbacks in between have bytes that
// only a holder of the key can open, and only for the job that they came with.
package pullsecret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
)

// KeySize is the size of a key, in bytes: AES-256.
const KeySize = 32

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid   error = fault.Invalid
	ErrForbidden error = fault.Forbidden
)

// A sealed secret is a version, the name of the key, a random nonce, and what AES-GCM
// (NIST SP 800-38D) made of the text. At random a nonce is safe for 2^32 secrets of one
// key.
const (
	version = 1
	idSize  = 4
)

// Box seals with one key and opens with that and older ones. It is safe for concurrent
// use. It prints as "[redacted]".
type Box struct {
	current string
	keys    map[string]cipher.AEAD
}

// New returns a box. Each key is KeySize random bytes; older ones are of before a change
// of keys, and can go when the jobs of that time have ended.
func New(key []byte, older ...[]byte) (*Box, error) {
	b := &Box{keys: map[string]cipher.AEAD{}}
	for i, k := range append([][]byte{key}, older...) {
		if len(k) != KeySize {
			return nil, fmt.Errorf("key %d for credentials of registries: %d bytes, want %d: %w", i+1, len(k), KeySize, fault.Invalid)
		}
		block, err := aes.NewCipher(k)
		if err != nil {
			return nil, fmt.Errorf("key %d for credentials of registries: %w", i+1, fault.Invalid)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("key %d for credentials of registries: %w", i+1, fault.Invalid)
		}
		id := sha256.Sum256(append([]byte("stella pull secret key\x00"), k...))
		if i == 0 {
			b.current = string(id[:idSize])
		}
		b.keys[string(id[:idSize])] = aead
	}
	return b, nil
}

// String hides the keys.
func (*Box) String() string { return "[redacted]" }

// GoString hides the keys.
func (*Box) GoString() string { return "[redacted]" }

// Seal seals a secret for a job of a tenant. The same secret gives other bytes each time.
func (b *Box) Seal(tenant, jobID string, s scan.Secret) ([]byte, error) {
	out := append([]byte{version}, b.current...)
	return b.keys[b.current].Seal(out, nil, []byte(s), bound(tenant, jobID)), nil
}

// Open opens what was sealed for a job of a tenant. An error wraps ErrForbidden and says
// nothing of the text.
func (b *Box) Open(tenant, jobID string, sealed []byte) (scan.Secret, error) {
	if len(sealed) < 1+idSize || sealed[0] != version {
		return "", fmt.Errorf("it was not sealed by this program: %w", fault.Forbidden)
	}
	aead := b.keys[string(sealed[1:1+idSize])]
	if aead == nil {
		return "", fmt.Errorf("it was sealed with a key that is not here: %w", fault.Forbidden)
	}
	text, err := aead.Open(nil, nil, sealed[1+idSize:], bound(tenant, jobID))
	if err != nil {
		return "", fmt.Errorf("it was sealed for another job, or changed: %w", fault.Forbidden)
	}
	return scan.Secret(text), nil
}

// bound is what the secret is tied to: no two pairs have the same bytes.
func bound(tenant, jobID string) []byte {
	out := binary.BigEndian.AppendUint64([]byte("stella pull secret\x00"), uint64(len(tenant)))
	return append(append(out, tenant...), jobID...)
}
