// Package jwks holds public keys by their ids: as a JSON Web Key Set (RFC 7517), as a set
// that is fetched from an issuer and kept fresh, and as one of the same process.
//
// A [Set] is fixed: [New] makes one of keys, [Parse] reads one from JSON. [Remote] fetches
// a set from an address, such as the jwks_uri of an issuer, keeps it fresh, and goes on
// with the last one for a while when the address does not answer. [Local] asks a function,
// for an issuer in the same process. All three are what verifiers call Keys.
//
// Only public keys are read that can sign: of EC on P-256, Ed25519 and RSA, each with an
// id. A set in which two keys share an id, or that has a private key, is refused as a
// whole: whoever published it made a mistake that should be seen.
package jwks

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/services/auth/internal/jws"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrNotFound    error = fault.NotFound    // no such key
	ErrUnavailable error = fault.Unavailable // the issuer cannot be asked, and what is known is too old
	ErrLimit       error = fault.Limit
)

// The bounds of a set.
const (
	MaxKeys  = 64
	MaxBytes = 64 << 10
)

// Key is a public key that verifies signatures: ECDSA on P-256, Ed25519, or RSA of 2048 to
// 4096 bits.
type Key struct {
	ID string
	// Algorithm is what it verifies: "ES256", "EdDSA", "PS256" or "RS256". "" means each
	// that fits.
	Algorithm string
	Public    crypto.PublicKey // *ecdsa.PublicKey, ed25519.PublicKey or *rsa.PublicKey
}

// Thumbprint is the base64url of the key's SHA-256 (RFC 7638). The error wraps ErrInvalid
// where the key is of another kind, or weak.
func (k Key) Thumbprint() (string, error) { return jws.Thumbprint(k.Public) }

// Same reports whether both are the same key under the same id and algorithm.
func (k Key) Same(o Key) bool {
	p, ok := k.Public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.ID == o.ID && k.Algorithm == o.Algorithm && p.Equal(o.Public)
}

// Set is a set of keys. It does not change. The zero value and nil are empty sets.
type Set struct{ keys []Key }

// New returns a set. A key without an id has its thumbprint as one. The error wraps
// ErrInvalid for a weak or unknown key and an id that is there twice, and ErrLimit over
// MaxKeys.
func New(keys ...Key) (*Set, error) {
	if len(keys) > MaxKeys {
		return nil, &fault.LimitError{What: "keys", Where: "key set", Max: MaxKeys, Seen: int64(len(keys))}
	}
	s := &Set{keys: slices.Clone(keys)}
	for i := range s.keys {
		k := &s.keys[i]
		t, err := k.Thumbprint()
		if err != nil {
			return nil, fmt.Errorf("key %d of a key set: %w", i, err)
		}
		if k.Algorithm != "" && !jws.Fits(k.Algorithm, k.Public) {
			return nil, fmt.Errorf("key %d of a key set: its algorithm does not fit it: %w", i, fault.Invalid)
		}
		if k.ID == "" {
			k.ID = t
		}
		if slices.ContainsFunc(s.keys[:i], func(o Key) bool { return o.ID == k.ID }) {
			return nil, fmt.Errorf("key %d of a key set: its id is there twice: %w", i, fault.Invalid)
		}
	}
	return s, nil
}

// Parse reads a JSON Web Key Set. Keys of kinds and for uses that nothing here verifies by
// are left out (RFC 7517 §5). A set is refused whole where a key is private, symmetric or
// broken, or an id is there twice. Errors wrap ErrInvalid or ErrLimit.
func Parse(text []byte) (*Set, error) {
	if len(text) > MaxBytes {
		return nil, &fault.LimitError{What: "bytes", Where: "key set", Max: MaxBytes, Seen: int64(len(text))}
	}
	m, err := jws.Object(text, "key set", "keys")
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	var raw []jsontext.Value
	if json.Unmarshal(m["keys"], &raw) != nil || raw == nil {
		return nil, fmt.Errorf("key set: its keys are no list: %w", fault.Invalid)
	}
	if len(raw) > MaxKeys {
		return nil, &fault.LimitError{What: "keys", Where: "key set", Max: MaxKeys, Seen: int64(len(raw))}
	}
	var keys []Key
	for i, text := range raw {
		k, ours, err := jws.ParseKey(text)
		switch {
		case err != nil && ours:
			return nil, fmt.Errorf("key %d of a key set: %w", i, err)
		case err == nil:
			keys = append(keys, Key{k.ID, k.Algorithm, k.Public})
		}
	}
	return New(keys...)
}

// Marshal returns the JSON Web Key Set, in the order of New or Parse: the same bytes for
// the same set.
func (s *Set) Marshal() []byte {
	parts := make([][]byte, 0, MaxKeys)
	for _, k := range s.Keys() {
		b, err := jws.Key{ID: k.ID, Algorithm: k.Algorithm, Use: "sig", Public: k.Public}.Marshal()
		if err != nil {
			continue // New let it pass, and it does not change
		}
		parts = append(parts, b)
	}
	return fmt.Appendf(nil, `{"keys":[%s]}`, bytes.Join(parts, []byte(",")))
}

// Keys returns the keys in their order.
func (s *Set) Keys() []Key {
	if s == nil {
		return nil
	}
	return slices.Clone(s.keys)
}

// Lookup returns the key of an id.
func (s *Set) Lookup(id string) (Key, bool) {
	if s == nil || id == "" {
		return Key{}, false
	}
	for _, k := range s.keys {
		if k.ID == id {
			return k, true
		}
	}
	return Key{}, false
}

// Key is Lookup in the form of a source of keys. The error wraps ErrNotFound.
func (s *Set) Key(_ context.Context, id string) (Key, error) {
	if k, ok := s.Lookup(id); ok {
		return k, nil
	}
	return Key{}, errUnknown
}

// errUnknown does not show the id: it comes from whoever sent a token.
var errUnknown = fmt.Errorf("no key of that id: %w", fault.NotFound)

// Local is a source of keys of the same process, such as an issuer that runs in it. It is
// asked each time.
type Local func(ctx context.Context) (*Set, error)

// Key returns the key of an id. The error wraps ErrNotFound, or ErrUnavailable where
// the function fails.
func (l Local) Key(ctx context.Context, id string) (Key, error) {
	s, err := l(ctx)
	if err != nil {
		return Key{}, fmt.Errorf("keys of this process: %v: %w", err, fault.Unavailable)
	}
	return s.Key(ctx, id)
}
