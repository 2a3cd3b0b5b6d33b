// Package jws reads and writes signed texts in the one form that this module accepts: JWS
// compact serialization (RFC 7515), JSON headers without surprises, and the algorithms
// that the caller lists. It reads strictly what go-jose, which verifies, reads leniently.
//
// Errors say what is wrong with the form and never show any of the text.
package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"

	"github.com/stella-ops/stella/internal/fault"
)

// MaxSize bounds a text, in bytes; it is checked before anything else.
const MaxSize = 8 << 10

// The algorithms that can be listed (RFC 7518, RFC 8037).
const (
	ES256 = "ES256"
	EdDSA = "EdDSA" // with Ed25519 alone
	PS256 = "PS256"
	RS256 = "RS256" // for issuers that have no other
)

// Algorithms are those that are allowed where nobody says otherwise.
func Algorithms() []string { return []string{ES256, EdDSA, PS256} }

// Error says what is wrong with a text. It wraps the kind invalid.
type Error struct{ Why string }

func (e *Error) Error() string { return "JWS: " + e.Why }

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return fault.Invalid }

func refuse(why string) error { return &Error{Why: why} }

// Header is a protected header. Members that are not here mean nothing.
type Header struct {
	Algorithm string // alg, one of those that the caller listed
	Type      string // typ, "" where there is none
	KeyID     string // kid
	Key       *Key   // jwk, sound and fit for Algorithm
	// Refers says that the header names keys elsewhere (jku, x5u, x5c, x5t). Nothing
	// follows them.
	Refers bool
}

// Message is a text that was read, and not verified.
type Message struct {
	Header  *Header // shared, must not be changed
	Payload []byte

	text      string
	signature []byte
	head      *head
	reader    *Reader
}

// strict64 does not take what other encodings have, nor bits that mean nothing.
var strict64 = base64.RawURLEncoding.Strict()

func decode(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") { // the one thing that Strict lets pass
		return nil, refuse("not base64url")
	}
	b, err := strict64.DecodeString(s)
	if err != nil {
		return nil, refuse("not base64url")
	}
	return b, nil
}

// headerMembers are all members of a header that anything here or in go-jose reads.
var headerMembers = []string{"alg", "typ", "cty", "kid", "jwk", "crit", "b64", "jku", "x5u", "x5c", "x5t", "x5t#S256", "nonce", "enc", "zip"}

// Parse reads a text that must be signed by one of the algorithms given.
func Parse(text string, algs []string) (*Message, error) { return (*Reader)(nil).Parse(text, algs) }

// Parse reads a text that must be signed by one of the algorithms given.
func (r *Reader) Parse(text string, algs []string) (*Message, error) {
	if len(text) > MaxSize {
		return nil, refuse("over 8 KiB")
	}
	if strings.Count(text, ".") != 2 {
		return nil, refuse("not three parts")
	}
	first, rest, _ := strings.Cut(text, ".")
	second, third, _ := strings.Cut(rest, ".")
	payload, err := decode(second)
	signature, err2 := decode(third)
	if err != nil || err2 != nil || len(payload) == 0 || len(signature) == 0 {
		return nil, errPart
	}
	h, err := r.head(first, algs)
	if err != nil {
		return nil, err
	}
	if (h.Algorithm == ES256 || h.Algorithm == EdDSA) && len(signature) != 64 {
		return nil, refuse("the signature is not of 64 bytes")
	}
	return &Message{Header: &h.Header, Payload: payload, text: text, signature: signature, head: h, reader: r}, nil
}

var errPart = refuse("a part is not base64url without padding, or empty")

func readHeader(text []byte, algs []string) (*Header, error) {
	m, err := Object(text, "the header", headerMembers...)
	if err != nil {
		return nil, err
	}
	var h Header
	for _, name := range []string{"crit", "b64", "enc", "zip"} {
		if _, there := m[name]; there {
			return nil, refuse("the header has " + name)
		}
	}
	for name, into := range map[string]*string{"alg": &h.Algorithm, "typ": &h.Type, "kid": &h.KeyID} {
		v, there := m[name]
		if !there {
			continue
		}
		var ok bool
		if *into, ok = String(v); !ok || *into == "" || len(*into) > 256 {
			return nil, refuse(name + " is no string of 1 to 256 bytes")
		}
	}
	if !slices.Contains(algs, h.Algorithm) {
		return nil, refuse("the algorithm is not allowed")
	}
	for _, name := range []string{"jku", "x5u", "x5c", "x5t", "x5t#S256"} {
		if _, there := m[name]; there {
			h.Refers = true
		}
	}
	if v, there := m["jwk"]; there {
		k, _, err := ParseKey(v)
		if err != nil {
			return nil, err
		}
		if !Fits(h.Algorithm, k.Public) || k.Algorithm != "" && k.Algorithm != h.Algorithm {
			return nil, refuse("the algorithm does not fit the key")
		}
		h.Key = &k
	}
	return &h, nil
}

// Verify checks the signature by a key that the caller trusts for it, and that
// CheckPublic let pass.
func (m *Message) Verify(k Key) error {
	alg := m.Header.Algorithm
	if !Fits(alg, k.Public) || k.Algorithm != "" && k.Algorithm != alg {
		return refuse("the algorithm does not fit the key")
	}
	signed, err := m.head.signed(m.text)
	if err != nil {
		return err
	}
	one := signed.Signatures[0] // a copy, of this header
	one.Signature = m.signature
	if (jose.JSONWebSignature{Signatures: []jose.Signature{one}}).DetachedVerify(m.Payload, k.Public) != nil {
		return refuse("the signature does not verify")
	}
	m.reader.keep(m.text, m.head)
	return nil
}

// Thumbprint is that of the key in the header (RFC 7638); the error is of one without.
func (m *Message) Thumbprint() (string, error) {
	if m.Header.Key == nil {
		return "", refuse("the header has no jwk")
	}
	return m.head.thumbprint()
}

// Sign signs a payload as a media type (typ) by the algorithm of the key, with the key's
// id in the header, or the key itself where embed is true.
func Sign(payload []byte, typ string, key crypto.Signer, kid string, embed bool) (string, error) {
	pub := key.Public()
	if err := CheckPublic(pub); err != nil {
		return "", err
	}
	var with any
	switch key.(type) {
	case *ecdsa.PrivateKey, ed25519.PrivateKey, *rsa.PrivateKey:
		with = key
	default: // a device
		with = cryptosigner.Opaque(key)
	}
	o := (&jose.SignerOptions{EmbedJWK: embed}).WithType(jose.ContentType(typ))
	if kid != "" && !embed {
		o = o.WithHeader("kid", kid)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(AlgorithmOf(pub)), Key: with}, o)
	if err != nil {
		return "", refuse("the key does not sign")
	}
	signed, err := s.Sign(payload)
	if err != nil {
		return "", refuse("the key did not sign")
	}
	return signed.CompactSerialize()
}

// Equal compares in a time that depends on neither of both, nor on where they differ.
func Equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// IsType compares a header's typ with a media type: without regard to case, and
// "application/" may be left out (RFC 7515 §4.1.9).
func IsType(typ, want string) bool {
	const application = "application/"
	if len(typ) > len(application) && strings.EqualFold(typ[:len(application)], application) {
		typ = typ[len(application):]
	}
	return strings.EqualFold(typ, want)
}
