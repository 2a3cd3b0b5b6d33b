package dsse_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/stella-ops/stella/attest/dsse"
)

// key makes an Ed25519 key of a name.
func key(t testing.TB, name string) *dsse.PrivateKey {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	k, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func ecKey(t testing.TB, curve elliptic.Curve) *dsse.PrivateKey {
	t.Helper()
	p, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := dsse.NewPrivateKey(p)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func trust(threshold int, keys ...*dsse.PrivateKey) dsse.Trust {
	t := dsse.Trust{Threshold: threshold}
	for _, k := range keys {
		t.Keys = append(t.Keys, k.Public())
	}
	return t
}

// typed reports whether err is of a kind that the package promises.
func typed(err error) bool {
	for _, kind := range []error{dsse.ErrInvalid, dsse.ErrUnsupported, dsse.ErrLimit, dsse.ErrMismatch} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
