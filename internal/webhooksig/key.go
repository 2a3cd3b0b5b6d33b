package webhooksig

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// The lengths of keys, in bytes. A secret that is written as text of its own, without a
// prefix, has MinText at least.
const (
	MinSecret = 24
	MaxSecret = 64
	MinText   = 16
	MaxText   = 1 << 10
)

// The prefixes of keys, before base64: of a symmetric secret, of a private key, of a public
// one.
const (
	PrefixSecret  = "whsec_"
	PrefixPrivate = "whsk_"
	PrefixPublic  = "whpk_"
)

// Key signs or verifies. It is immutable and safe for concurrent use. No method shows it.
type Key struct {
	secret  []byte             // v1
	private ed25519.PrivateKey // v1a; nil for one that only verifies
	public  ed25519.PublicKey
}

// ParseKey reads a key: "whsec_" and base64 of 24 to 64 bytes, "whsk_" and that of an
// ed25519 private key (64 bytes, or its seed of 32), "whpk_" and that of a public one, or
// any other text, whose bytes are the secret then. White space around it does not belong
// to it. An error wraps fault.Invalid and does not show it.
func ParseKey(text []byte) (*Key, error) {
	text = bytes.TrimSpace(text)
	for _, prefix := range []string{PrefixSecret, PrefixPrivate, PrefixPublic} {
		coded, ok := bytes.CutPrefix(text, []byte(prefix))
		if !ok {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(string(coded))
		if err != nil || bytes.ContainsAny(coded, "\r\n") {
			return nil, fmt.Errorf("the key is not base64 after %s: %w", prefix, fault.Invalid)
		}
		return keyOf(prefix, raw)
	}
	if len(text) < MinText || len(text) > MaxText {
		return nil, fmt.Errorf("the secret has %d bytes, want %d to %d: %w", len(text), MinText, MaxText, fault.Invalid)
	}
	return &Key{secret: bytes.Clone(text)}, nil
}

func keyOf(prefix string, raw []byte) (*Key, error) {
	switch {
	case prefix == PrefixSecret && len(raw) >= MinSecret && len(raw) <= MaxSecret:
		return &Key{secret: raw}, nil
	case prefix == PrefixPublic && len(raw) == ed25519.PublicKeySize:
		return &Key{public: raw}, nil
	case prefix == PrefixPrivate && (len(raw) == ed25519.SeedSize || len(raw) == ed25519.PrivateKeySize):
		private := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
		if len(raw) == ed25519.PrivateKeySize && !bytes.Equal(private, raw) {
			return nil, fmt.Errorf("the public half of the key after %s is another's: %w", prefix, fault.Invalid)
		}
		return &Key{private: private, public: private.Public().(ed25519.PublicKey)}, nil
	}
	return nil, fmt.Errorf("the key after %s has %d bytes: want 24 to 64 for whsec_, 32 or 64 for whsk_, 32 for whpk_: %w", prefix, len(raw), fault.Invalid)
}

// Public returns the text of the public key, "whpk_…"; "" for a secret.
func (k *Key) Public() string {
	if k.public == nil {
		return ""
	}
	return PrefixPublic + base64.StdEncoding.EncodeToString(k.public)
}

// Signs reports whether the key can sign.
func (k *Key) Signs() bool { return k.secret != nil || k.private != nil }

// String says what the key is, and never which.
func (k *Key) String() string { return "a webhook key of " + k.version() }

// GoString is String: %#v shows no key either.
func (k *Key) GoString() string { return k.String() }

func (k *Key) version() string {
	if k.secret != nil {
		return "v1"
	}
	return "v1a"
}

// sign returns one signature, with its version.
func (k *Key) sign(text []byte) (string, error) {
	switch {
	case k.secret != nil:
		return "v1," + base64.StdEncoding.EncodeToString(k.mac(text)), nil
	case k.private != nil:
		return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(k.private, text)), nil
	}
	return "", fmt.Errorf("sign a webhook: a public key only verifies: %w", fault.Invalid)
}

// verifies reports whether a signature of that version is this key's.
func (k *Key) verifies(version string, signature, text []byte) bool {
	switch {
	case version != k.version():
		return false
	case k.secret != nil:
		return hmac.Equal(k.mac(text), signature)
	}
	return len(signature) == ed25519.SignatureSize && ed25519.Verify(k.public, text, signature)
}

func (k *Key) mac(text []byte) []byte {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write(text)
	return mac.Sum(nil)
}
