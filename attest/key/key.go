package key

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
)

// Key is a signing key that is open. It never changes, is safe for concurrent
// use, and prints as its id. Make it by [Open], [Parse] or [FromCrypto].
type Key struct {
	public        *dsse.PublicKey
	sign          func(ctx context.Context, message []byte) ([]byte, error)
	where         string // as messages name it
	deterministic bool
	warnings      []Warning
}

var _ dsse.Signer = (*Key)(nil)

// KeyID returns the id of the public key.
func (k *Key) KeyID() string { return k.public.KeyID() }

// Public returns the public key.
func (k *Key) Public() *dsse.PublicKey { return k.public }

// Deterministic reports whether signing the same message again gives the same
// bytes. Where it is not certain it is false.
func (k *Key) Deterministic() bool { return k.deterministic }

// Warnings returns what is wrong with how the key is kept, or nil. The key works
// all the same.
func (k *Key) Warnings() []Warning { return k.warnings }

// Sign returns the signature of message, as dsse.PublicKey verifies it. What
// comes from elsewhere is verified first: an error wraps ErrMismatch where it is
// not the key's signature of this message.
func (k *Key) Sign(ctx context.Context, message []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(message) > MaxMessage {
		return nil, &fault.LimitError{What: "bytes to be signed", Where: k.where, Max: MaxMessage, Seen: int64(len(message))}
	}
	sig, err := k.sign(ctx, message)
	if err != nil {
		return nil, fmt.Errorf("sign with %s: %w", k.where, err)
	}
	if len(sig) > dsse.MaxSignature {
		return nil, &fault.LimitError{What: "bytes of a signature", Where: k.where, Max: dsse.MaxSignature, Seen: int64(len(sig))}
	}
	if err := k.public.Verify(message, sig); err != nil {
		return nil, fmt.Errorf("sign with %s: what came back is %w", k.where, err)
	}
	return sig, nil
}

// Format prints the key's id under every verb.
func (k Key) Format(f fmt.State, _ rune) {
	id := "none"
	if k.public != nil {
		id = k.public.KeyID()
	}
	fmt.Fprintf(f, "key %s", id)
}

// Warning says what is wrong with how a key is kept.
type Warning struct {
	Code   string // such as WarnPermissions
	Detail string // what was seen, and what to do
}

// The codes of warnings.
const (
	WarnPermissions = "permissions" // others than the owner may read or write the file
)

// String returns the code and the detail.
func (w Warning) String() string { return w.Code + ": " + w.Detail }

// FromCrypto makes a Key of a key in a device or a service, or of any other that
// has a driver with this shape: Ed25519, ECDSA on P-256 and P-384, and RSA of
// 2048 to 8192 bits, which signs by RSA-PSS with SHA-256 and a salt of 32 bytes.
// name is how messages call it; "" is the id of the key.
//
// An ed25519.PrivateKey and an *ecdsa.PrivateKey sign deterministically, others
// are given crypto/rand. The context cannot end a call of s that has begun. An
// error wraps ErrUnsupported or ErrInvalid.
func FromCrypto(s crypto.Signer, name string) (*Key, error) {
	switch p := s.(type) {
	case nil:
		return nil, fmt.Errorf("key %s: no signer: %w", name, fault.Invalid)
	case ed25519.PrivateKey, *ecdsa.PrivateKey:
		private, err := dsse.NewPrivateKey(p)
		if err != nil {
			return nil, err
		}
		return fromPrivate(private, name), nil
	}
	public, err := dsse.NewPublicKey(s.Public())
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	if name == "" {
		name = "key " + public.KeyID()
	}
	_, edwards := s.Public().(ed25519.PublicKey)
	return &Key{public: public, where: name, deterministic: edwards, sign: func(_ context.Context, message []byte) ([]byte, error) {
		digest, opts := hashFor(s.Public(), message)
		return s.Sign(rand.Reader, digest, opts)
	}}, nil
}

func fromPrivate(p *dsse.PrivateKey, name string) *Key {
	if name == "" {
		name = "key " + p.KeyID()
	}
	return &Key{public: p.Public(), where: name, deterministic: true, sign: p.Sign}
}

// hashFor returns what a signer of a public key is given for a message.
func hashFor(public crypto.PublicKey, message []byte) ([]byte, crypto.SignerOpts) {
	switch p := public.(type) {
	case *ecdsa.PublicKey:
		if p.Curve == elliptic.P384() {
			digest := sha512.Sum384(message)
			return digest[:], crypto.SHA384
		}
		digest := sha256.Sum256(message)
		return digest[:], crypto.SHA256
	case *rsa.PublicKey:
		digest := sha256.Sum256(message)
		return digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	return message, crypto.Hash(0)
}
