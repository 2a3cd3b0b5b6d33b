package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The bounds of RSA keys, in bits: below the first they are weak, above the second slow.
const (
	minRSA = 2048
	maxRSA = 4096
)

// Key is a public key of one of the kinds that sign here. The zero value is no key.
type Key struct {
	ID        string // kid; "" where the JWK has none
	Algorithm string // alg; "" where the JWK has none: any that fits
	Use       string // use; "" where the JWK has none
	Public    crypto.PublicKey
}

// Private members of every key type: RFC 7518 §6.2.2, §6.3.2, §6.4 and RFC 8037.
var private = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// members of a JWK that are read.
var jwkMembers = append([]string{"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "key_ops"}, private...)

// ParseKey reads a JSON Web Key (RFC 7517). It must be public, of a kind that signs here,
// and sound: see CheckPublic. The Boolean is false where the key is of a kind, or for a
// use, that is not of this package: a set of keys may have such.
func ParseKey(text []byte) (key Key, ours bool, err error) {
	m, err := Object(text, "jwk", jwkMembers...)
	if err != nil {
		return Key{}, true, err
	}
	for _, name := range private {
		if _, there := m[name]; there {
			return Key{}, true, refuse("jwk has a private part")
		}
	}
	for name, into := range map[string]*string{"kid": &key.ID, "alg": &key.Algorithm, "use": &key.Use} {
		if v, there := m[name]; there {
			s, ok := String(v)
			if !ok || s == "" || len(s) > 256 {
				return Key{}, true, refuse("jwk has a " + name + " that is no string of 1 to 256 bytes")
			}
			*into = s
		}
	}
	if v, there := m["key_ops"]; there {
		var ops []string
		if json.Unmarshal(v, &ops) != nil {
			return Key{}, true, refuse("jwk has key_ops that are no strings")
		}
		if !slices.Contains(ops, "verify") {
			return Key{}, false, refuse("jwk is not for verifying")
		}
	}
	if key.Use != "" && key.Use != "sig" {
		return Key{}, false, refuse("jwk is not for signatures")
	}
	if key.Public, ours, err = public(m); err != nil {
		return Key{}, ours, err
	}
	if key.Algorithm != "" && !Fits(key.Algorithm, key.Public) {
		return Key{}, false, refuse("jwk has an alg that does not fit its key")
	}
	return key, true, nil
}

// public builds the key of a JWK.
func public(m map[string]jsontext.Value) (crypto.PublicKey, bool, error) {
	kty, _ := String(m["kty"])
	curve, _ := String(m["crv"])
	var key crypto.PublicKey
	switch {
	case kty == "EC" && curve == "P-256":
		x, y := octets(m["x"]), octets(m["y"])
		if len(x) != 32 || len(y) != 32 {
			return nil, true, refuse("jwk has coordinates that are not of 32 bytes each")
		}
		ec, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
		if err != nil {
			return nil, true, refuse("jwk is no point of its curve")
		}
		key = ec
	case kty == "OKP" && curve == "Ed25519":
		x := octets(m["x"])
		if len(x) != ed25519.PublicKeySize {
			return nil, true, refuse("jwk has an x that is not of 32 bytes")
		}
		key = ed25519.PublicKey(x)
	case kty == "RSA":
		n, e := octets(m["n"]), octets(m["e"])
		if len(n) == 0 || len(e) == 0 || n[0] == 0 || e[0] == 0 || len(e) > 4 || len(n) > maxRSA/8 {
			return nil, true, refuse("jwk has a modulus or exponent that is out of bounds")
		}
		key = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
	case kty == "":
		return nil, true, refuse("jwk has no kty")
	default:
		return nil, false, refuse("jwk is of a kind that is not allowed")
	}
	return key, true, CheckPublic(key)
}

// octets reads base64url without padding; nil where it is not that.
func octets(v jsontext.Value) []byte {
	s, ok := String(v)
	if !ok {
		return nil
	}
	b, _ := decode(s)
	return b
}

// CheckPublic refuses keys of other kinds and keys that anybody can sign for: points that
// are not on P-256, low-order and non-canonical points of Ed25519, RSA below 2048 bits or
// with an exponent that is even or 1.
func CheckPublic(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return refuse("key is of a curve that is not P-256")
		}
		if _, err := k.Bytes(); err != nil { // not on the curve, or infinity
			return refuse("key is no point of its curve")
		}
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize || overField(k) || lowOrder(k) {
			return refuse("key is no point of Ed25519 that has full order")
		}
	case *rsa.PublicKey:
		bits := k.N.BitLen()
		if bits < minRSA || bits > maxRSA || k.N.Bit(0) == 0 || k.E <= 1 || k.E%2 == 0 || k.E > 1<<31-1 {
			return refuse("key is RSA out of bounds: 2048 to 4096 bits, an odd exponent over 1")
		}
	default:
		return refuse("key is of a kind that is not allowed")
	}
	return nil
}

// overField reports whether y is 2^255-19 or more: a second spelling of a point.
func overField(k ed25519.PublicKey) bool {
	for _, b := range k[1:31] {
		if b != 0xff {
			return false
		}
	}
	return k[31]&0x7f == 0x7f && k[0] >= 0xed
}

// lowOrder reports whether 8 times the point is nothing: whatever is signed, a signature
// of zeros would verify. These are the y of all such points, the x being either.
func lowOrder(k ed25519.PublicKey) bool {
	y := slices.Clone(k)
	y[31] &= 0x7f
	switch hex.EncodeToString(y) {
	case "0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a":
		return true
	}
	return false
}

// AlgorithmOf is what a key signs by, "" for a kind that is not allowed.
func AlgorithmOf(key crypto.PublicKey) string {
	switch key.(type) {
	case *ecdsa.PublicKey:
		return ES256
	case ed25519.PublicKey:
		return EdDSA
	case *rsa.PublicKey:
		return PS256
	}
	return ""
}

// Fits reports whether a key may sign by an algorithm.
func Fits(alg string, key crypto.PublicKey) bool {
	own := AlgorithmOf(key)
	return own != "" && (alg == own || own == PS256 && alg == RS256)
}

// Marshal returns the JSON Web Key, the same bytes each time.
func (k Key) Marshal() ([]byte, error) {
	if err := CheckPublic(k.Public); err != nil {
		return nil, err
	}
	b, err := json.Marshal(jose.JSONWebKey{Key: k.Public, KeyID: k.ID, Algorithm: k.Algorithm, Use: k.Use})
	if err != nil {
		return nil, refuse("key cannot be written")
	}
	return b, nil
}

// Thumbprint is the base64url of a key's SHA-256 (RFC 7638).
func Thumbprint(key crypto.PublicKey) (string, error) {
	if err := CheckPublic(key); err != nil {
		return "", err
	}
	sum, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", refuse("key has no thumbprint")
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}
