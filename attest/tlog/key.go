package tlog

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of a key's signatures, by their byte in signed-note.
const (
	TypeEd25519     = 0x01 // of a log
	TypeECDSA       = 0x02 // of a log: P-256 with SHA-256, DER signatures; as of Rekor v1
	TypeCosignature = 0x04 // of a witness: Ed25519 with a timestamp
)

// Key verifies signatures of notes under one name: those of a log, or of a witness.
// It never changes, and is safe for concurrent use. Make it by [NewLogKey],
// [NewWitnessKey] or [ParseKey].
type Key struct {
	name   string
	kind   byte
	full   [sha256.Size]byte
	public *dsse.PublicKey
	raw    []byte // as it stands in a verifier key
}

// NewLogKey returns the key of a log, Ed25519 or ECDSA on P-256. The name is usually
// the log's origin. An error wraps ErrInvalid for a bad name, ErrUnsupported for
// other keys.
func NewLogKey(name string, public *dsse.PublicKey) (*Key, error) {
	return newKey(name, 0, public)
}

// NewWitnessKey returns the key of a witness, which is Ed25519.
func NewWitnessKey(name string, public *dsse.PublicKey) (*Key, error) {
	return newKey(name, TypeCosignature, public)
}

// newKey makes a key of a kind, or of that of the public key where kind is 0.
func newKey(name string, kind byte, public *dsse.PublicKey) (*Key, error) {
	if !validName(name) {
		return nil, fmt.Errorf("key name %.80q: want 1 to %d bytes of UTF-8 without spaces, control characters and \"+\": %w", name, MaxOrigin, fault.Invalid)
	}
	if public == nil {
		return nil, fmt.Errorf("key %s: no public key: %w", name, fault.Invalid)
	}
	parsed, err := x509.ParsePKIXPublicKey(public.DER())
	if err != nil {
		return nil, fmt.Errorf("key %s: %v: %w", name, err, fault.Invalid)
	}
	k := &Key{name: name, kind: kind, public: public}
	switch p := parsed.(type) {
	case ed25519.PublicKey:
		k.raw = p
		if kind == 0 {
			k.kind = TypeEd25519
		}
	case *ecdsa.PublicKey:
		k.raw = public.DER()
		if kind == 0 && p.Curve == elliptic.P256() {
			k.kind = TypeECDSA
		}
	}
	switch k.kind {
	case TypeEd25519, TypeCosignature:
		if len(k.raw) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("key %s: %T where Ed25519 is wanted: %w", name, parsed, fault.Unsupported)
		}
		k.full = sha256.Sum256(concat([]byte(name), []byte{'\n', k.kind}, k.raw))
	case TypeECDSA:
		if p, ok := parsed.(*ecdsa.PublicKey); !ok || p.Curve != elliptic.P256() {
			return nil, fmt.Errorf("key %s: %T where ECDSA on P-256 is wanted: %w", name, parsed, fault.Unsupported)
		}
		k.full = sha256.Sum256(k.raw)
	default:
		return nil, fmt.Errorf("key %s: %T: want Ed25519 or ECDSA on P-256: %w", name, parsed, fault.Unsupported)
	}
	return k, nil
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// ParseKey reads a verifier key (signed-note), such as
// "example.com/log+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", of the
// kinds that this package knows.
func ParseKey(text string) (*Key, error) {
	bad := func(why string) error {
		return &Error{Reason: ReasonMalformed, What: "verifier key", Detail: fmt.Sprintf("%s: %.80q", why, text)}
	}
	if len(text) > 4<<10 {
		return nil, &fault.LimitError{What: "bytes of a verifier key", Where: "verifier key", Max: 4 << 10, Seen: int64(len(text))}
	}
	name, rest, ok1 := strings.Cut(text, "+")
	id, b64, ok2 := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.Strict().DecodeString(b64)
	if !ok1 || !ok2 || len(id) != 8 || err != nil || len(raw) < 2 {
		return nil, bad("want a name, a key id and a key in base64, with \"+\" between them")
	}
	var public *dsse.PublicKey
	switch raw[0] {
	case TypeEd25519, TypeCosignature:
		if len(raw) != 1+ed25519.PublicKeySize {
			return nil, bad("an Ed25519 key of another length")
		}
		public, err = dsse.NewPublicKey(ed25519.PublicKey(raw[1:]))
	case TypeECDSA:
		public, err = dsse.ParsePublicKeyDER(raw[1:])
	default:
		return nil, fmt.Errorf("verifier key %s: signature type %#02x: %w", name, raw[0], fault.Unsupported)
	}
	if err != nil {
		return nil, fmt.Errorf("verifier key %s: %w", name, err)
	}
	k, err := newKey(name, raw[0], public)
	if err != nil {
		return nil, err
	}
	if k.String() != text {
		return nil, bad("the key id is not that of name and key, want " + k.hexID())
	}
	return k, nil
}

// Name returns the name that signatures are labelled with.
func (k *Key) Name() string { return k.name }

// Type returns the kind of the key's signatures.
func (k *Key) Type() byte { return k.kind }

// ID returns the key id, which stands before every signature.
func (k *Key) ID() uint32 { return binary.BigEndian.Uint32(k.full[:]) }

// FullID returns the whole hash that ID is the beginning of. Sigstore's trusted roots
// name logs by it.
func (k *Key) FullID() []byte { return bytes.Clone(k.full[:]) }

// Public returns the public key.
func (k *Key) Public() *dsse.PublicKey { return k.public }

// String returns the verifier key, which [ParseKey] reads.
func (k *Key) String() string {
	return k.name + "+" + k.hexID() + "+" + base64.StdEncoding.EncodeToString(concat([]byte{k.kind}, k.raw))
}

// same reports whether two are one key under one name.
func (k *Key) same(other *Key) bool {
	return k.name == other.name && k.kind == other.kind && bytes.Equal(k.raw, other.raw)
}

func (k *Key) hexID() string {
	id := strconv.FormatUint(uint64(k.ID()), 16)
	return strings.Repeat("0", 8-len(id)) + id
}

// validName holds names to signed-note.
func validName(name string) bool {
	return name != "" && len(name) <= MaxOrigin && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '+' })
}

// Signer signs checkpoints as a log, or co-signs them as a witness. It is safe for
// concurrent use.
type Signer struct {
	key  *Key
	sign dsse.Signer
}

// NewLogSigner returns a signer for a log. The private key may be anywhere: sign
// makes signatures of public.
func NewLogSigner(name string, public *dsse.PublicKey, sign dsse.Signer) (*Signer, error) {
	k, err := NewLogKey(name, public)
	if err != nil {
		return nil, err
	}
	return newSigner(k, sign)
}

// NewWitnessSigner returns a signer for a witness, with an Ed25519 key that signs
// nothing else.
func NewWitnessSigner(name string, public *dsse.PublicKey, sign dsse.Signer) (*Signer, error) {
	k, err := NewWitnessKey(name, public)
	if err != nil {
		return nil, err
	}
	return newSigner(k, sign)
}

func newSigner(k *Key, sign dsse.Signer) (*Signer, error) {
	if sign == nil {
		return nil, fmt.Errorf("signer %s: no private key: %w", k.name, fault.Invalid)
	}
	return &Signer{key: k, sign: sign}, nil
}

// Key returns the key that verifies.
func (s *Signer) Key() *Key { return s.key }

// signature returns a signature line's content over message, and checks it: what
// signs may be a device with another key.
func (s *Signer) signature(ctx context.Context, message, prefix []byte) ([]byte, error) {
	sig, err := s.sign.Sign(ctx, message)
	if err != nil {
		return nil, fmt.Errorf("sign as %s: %w", s.key.name, err)
	}
	if err := s.key.public.Verify(message, sig); err != nil {
		return nil, fmt.Errorf("sign as %s: the signer has another key: %w", s.key.name, err)
	}
	id := binary.BigEndian.AppendUint32(nil, s.key.ID())
	return concat(id, prefix, sig), nil
}
