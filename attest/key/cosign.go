package key

import (
	"crypto/rand"
	"encoding/pem"
	"fmt"

	"github.com/go-json-experiment/json"
	"golang.org/x/crypto/nacl/secretbox"
	"golang.org/x/crypto/scrypt"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
)

// cosignKey is the JSON inside cosign's block: the encrypted package of
// go-securesystemslib, around PKCS #8.
type cosignKey struct {
	KDF        cosignKDF    `json:"kdf"`
	Cipher     cosignCipher `json:"cipher"`
	Ciphertext []byte       `json:"ciphertext"`
}

type cosignKDF struct {
	Name   string       `json:"name"`
	Params cosignScrypt `json:"params"`
	Salt   []byte       `json:"salt"`
}

type cosignScrypt struct {
	N int `json:"N"`
	R int `json:"r"`
	P int `json:"p"`
}

type cosignCipher struct {
	Name  string `json:"name"`
	Nonce []byte `json:"nonce"`
}

// What cosign writes, and the least that it reads: no other parameters.
const (
	cosignN    = 1 << 16
	cosignR    = 8
	cosignP    = 1
	cosignSalt = 32
)

// decryptCosign returns the PKCS #8 key in a key of cosign.
func decryptCosign(text []byte, password func() ([]byte, error)) ([]byte, error) {
	var k cosignKey
	if err := json.Unmarshal(text, &k, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("not the JSON of a key of cosign: %w", fault.Invalid)
	}
	if k.KDF.Name != "scrypt" || k.Cipher.Name != "nacl/secretbox" {
		return nil, fmt.Errorf("encrypted by %.40q and %.40q, want scrypt and nacl/secretbox: %w", k.KDF.Name, k.Cipher.Name, fault.Unsupported)
	}
	var nonce [24]byte
	if copy(nonce[:], k.Cipher.Nonce) != len(nonce) || len(k.Cipher.Nonce) != len(nonce) {
		return nil, fmt.Errorf("a nonce of %d bytes, want %d: %w", len(k.Cipher.Nonce), len(nonce), fault.Invalid)
	}
	s := k.KDF.Params
	if err := checkScrypt(s.N, s.R, s.P, k.KDF.Salt); err != nil {
		return nil, err
	}
	p, err := password()
	if err != nil {
		return nil, err
	}
	secret, err := scrypt.Key(p, k.KDF.Salt, s.N, s.R, s.P, 32)
	if err != nil {
		return nil, fmt.Errorf("scrypt: %v: %w", err, fault.Invalid)
	}
	plain, ok := secretbox.Open(nil, k.Ciphertext, &nonce, (*[32]byte)(secret))
	if !ok {
		return nil, wrongPassword()
	}
	return plain, nil
}

// Encrypt returns a private key under a password in cosign's format, which
// cosign reads as well: a PEM block "ENCRYPTED SIGSTORE PRIVATE KEY". Each call
// draws another salt. An empty password, which protects nothing, is ErrInvalid.
func Encrypt(k *dsse.PrivateKey, password []byte) ([]byte, error) {
	if len(password) == 0 {
		return nil, fmt.Errorf("encrypt private key %s: the password is empty: %w", k.KeyID(), fault.Invalid)
	}
	plain, err := k.PEM()
	if err != nil {
		return nil, err
	}
	der, _ := pem.Decode(plain)
	salt, nonce := make([]byte, cosignSalt), new([24]byte)
	rand.Read(salt) // never fails
	rand.Read(nonce[:])
	secret, err := scrypt.Key(password, salt, cosignN, cosignR, cosignP, 32)
	if err != nil {
		return nil, fmt.Errorf("encrypt private key %s: scrypt: %v: %w", k.KeyID(), err, fault.Invalid)
	}
	text, err := json.Marshal(cosignKey{
		KDF:        cosignKDF{Name: "scrypt", Params: cosignScrypt{N: cosignN, R: cosignR, P: cosignP}, Salt: salt},
		Cipher:     cosignCipher{Name: "nacl/secretbox", Nonce: nonce[:]},
		Ciphertext: secretbox.Seal(nil, der.Bytes, nonce, (*[32]byte)(secret)),
	})
	if err != nil {
		return nil, fmt.Errorf("encrypt private key %s: %v: %w", k.KeyID(), err, fault.Invalid)
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockSigstore, Bytes: text}), nil
}
