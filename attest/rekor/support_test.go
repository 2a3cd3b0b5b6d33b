package rekor_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/rekor"
)

// always is a source of bytes that are always the same.
func always(seed byte) *mathrand.ChaCha8 { return mathrand.NewChaCha8([32]byte{seed}) }

// elliptic key of a small number, which is no secret.
func ecKey(curve elliptic.Curve, n int64) *ecdsa.PrivateKey {
	k := &ecdsa.PrivateKey{D: big.NewInt(n)}
	k.Curve = curve
	//lint:ignore SA1019 deterministic keys for tests
	k.X, k.Y = curve.ScalarBaseMult(k.D.Bytes())
	return k
}

func edKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append(make([]byte, ed25519.SeedSize-1), seed))
}

// signed returns the record of an envelope.
func signed(t testing.TB, key crypto.PrivateKey, payload string) *rekor.Record {
	t.Helper()
	k, err := dsse.NewPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	e, err := dsse.Sign(context.Background(), "application/vnd.in-toto+json", []byte(payload), k)
	if err != nil {
		t.Fatal(err)
	}
	return &rekor.Record{Envelope: e, PublicKey: k.Public().DER()}
}

// certified returns a certificate for a key, which it signs itself.
func certified(t testing.TB, key crypto.Signer, name string) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Unix(1700000000, 0), NotAfter: time.Unix(1800000000, 0),
	}
	der, err := x509.CreateCertificate(always(1), template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// message returns a message signature whose signature is not looked at.
func message(hash crypto.Hash, text string) *bundle.MessageSignature {
	h := hash.New()
	h.Write([]byte(text))
	return &bundle.MessageSignature{Algorithm: hash, Digest: h.Sum(nil), Signature: []byte("signature of " + text)}
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(always(2), bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func spki(t testing.TB, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
