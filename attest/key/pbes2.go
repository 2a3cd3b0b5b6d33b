package key

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"hash"

	"golang.org/x/crypto/scrypt"

	"github.com/stella-ops/stella/internal/fault"
)

// encryptedKey is EncryptedPrivateKeyInfo (RFC 5958, section 3).
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// pbes2 is PBES2-params (RFC 8018, A.4).
type pbes2 struct {
	Derive, Encrypt pkix.AlgorithmIdentifier
}

// pbkdf2Params are of RFC 8018, A.2. A salt from elsewhere is not read.
type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// scryptParams are of RFC 7914, section 7.1.
type scryptParams struct {
	Salt      []byte
	N, R, P   int
	KeyLength int `asn1:"optional"`
}

// gcmParams are of RFC 5084, section 3.2.
type gcmParams struct {
	Nonce []byte
	Tag   int `asn1:"optional,default:12"`
}

func (p *pbkdf2Params) check() error {
	if p.Iterations < 1 || len(p.Salt) == 0 {
		return fmt.Errorf("PBKDF2 with %d iterations and a salt of %d bytes: %w", p.Iterations, len(p.Salt), fault.Invalid)
	}
	if p.Iterations > MaxIterations {
		return &fault.LimitError{What: "iterations of PBKDF2", Where: "encrypted key", Max: MaxIterations, Seen: int64(p.Iterations)}
	}
	return checkSalt(p.Salt)
}

func checkSalt(salt []byte) error {
	if len(salt) > MaxSalt {
		return &fault.LimitError{What: "bytes of a salt", Where: "encrypted key", Max: MaxSalt, Seen: int64(len(salt))}
	}
	return nil
}

// checkScrypt bounds memory, which is 128·N·r, and work, which is p times that.
func checkScrypt(n, r, p int, salt []byte) error {
	if n < 2 || n&(n-1) != 0 || r < 1 || p < 1 || len(salt) == 0 {
		return fmt.Errorf("scrypt with N=%d, r=%d, p=%d and a salt of %d bytes: %w", n, r, p, len(salt), fault.Invalid)
	}
	const most = MaxScrypt / 128
	if n > most || r > most/n {
		return &fault.LimitError{What: fmt.Sprintf("bytes of memory for scrypt with N=%d, r=%d", n, r), Where: "encrypted key", Max: MaxScrypt}
	}
	if p > MaxParallel {
		return &fault.LimitError{What: "parallelization of scrypt", Where: "encrypted key", Max: MaxParallel, Seen: int64(p)}
	}
	return checkSalt(salt)
}

// decryptPKCS8 returns the PKCS #8 key in an encrypted one. All that is in the
// text is checked before the password is asked for.
func decryptPKCS8(der []byte, password func() ([]byte, error)) ([]byte, error) {
	var info encryptedKey
	var params pbes2
	if !unmarshal(der, &info) {
		return nil, fmt.Errorf("not an encrypted key of PKCS #8: %w", fault.Invalid)
	}
	if !info.Algorithm.Algorithm.Equal(oidPBES2) {
		return nil, fmt.Errorf("encrypted by %s; write it anew with openssl pkcs8 -topk8 -v2 aes-256-cbc: %w", info.Algorithm.Algorithm, fault.Unsupported)
	}
	if !unmarshal(info.Algorithm.Parameters.FullBytes, &params) {
		return nil, fmt.Errorf("not parameters of PBES2: %w", fault.Invalid)
	}
	open, size, err := readScheme(&params.Encrypt)
	if err != nil {
		return nil, err
	}
	derive, err := readKDF(&params.Derive, size)
	if err != nil {
		return nil, err
	}
	p, err := password()
	if err != nil {
		return nil, err
	}
	secret, err := derive(p)
	if err != nil {
		return nil, fmt.Errorf("derive a key from the password: %w", err)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	return open(block, info.Data)
}

// readKDF returns what makes a secret of size bytes of a password.
func readKDF(id *pkix.AlgorithmIdentifier, size int) (func([]byte) ([]byte, error), error) {
	switch oid := id.Algorithm; {
	case oid.Equal(oidPBKDF2):
		var p pbkdf2Params
		if !unmarshal(id.Parameters.FullBytes, &p) {
			return nil, fmt.Errorf("not parameters of PBKDF2: %w", fault.Invalid)
		}
		if err := p.check(); err != nil {
			return nil, err
		}
		h, err := readPRF(&p.PRF)
		if err != nil {
			return nil, err
		}
		if p.KeyLength != 0 && p.KeyLength != size {
			return nil, fmt.Errorf("PBKDF2 makes %d bytes, the cipher takes %d: %w", p.KeyLength, size, fault.Invalid)
		}
		return func(password []byte) ([]byte, error) {
			return pbkdf2.Key(h, string(password), p.Salt, p.Iterations, size)
		}, nil
	case oid.Equal(oidScrypt):
		var p scryptParams
		if !unmarshal(id.Parameters.FullBytes, &p) {
			return nil, fmt.Errorf("not parameters of scrypt: %w", fault.Invalid)
		}
		if err := checkScrypt(p.N, p.R, p.P, p.Salt); err != nil {
			return nil, err
		}
		if p.KeyLength != 0 && p.KeyLength != size {
			return nil, fmt.Errorf("scrypt makes %d bytes, the cipher takes %d: %w", p.KeyLength, size, fault.Invalid)
		}
		return func(password []byte) ([]byte, error) { return scrypt.Key(password, p.Salt, p.N, p.R, p.P, size) }, nil
	default:
		return nil, fmt.Errorf("a password by %s, want PBKDF2 or scrypt: %w", oid, fault.Unsupported)
	}
}

func readPRF(id *pkix.AlgorithmIdentifier) (func() hash.Hash, error) {
	switch oid := id.Algorithm; {
	case len(oid) == 0, oid.Equal(oidHMACSHA1): // the default
		return sha1.New, nil
	case oid.Equal(oidHMACSHA256):
		return sha256.New, nil
	case oid.Equal(oidHMACSHA384):
		return sha512.New384, nil
	case oid.Equal(oidHMACSHA512):
		return sha512.New, nil
	default:
		return nil, fmt.Errorf("PBKDF2 with %s, want HMAC with SHA-1 or SHA-2: %w", oid, fault.Unsupported)
	}
}

// readScheme returns what decrypts, and the size of its key.
func readScheme(id *pkix.AlgorithmIdentifier) (open func(cipher.Block, []byte) ([]byte, error), size int, err error) {
	for _, s := range aesSchemes {
		if !id.Algorithm.Equal(s.oid) {
			continue
		}
		if s.gcm {
			var p gcmParams
			if !unmarshal(id.Parameters.FullBytes, &p) || len(p.Nonce) == 0 || len(p.Nonce) > 64 || p.Tag < 12 || p.Tag > 16 {
				return nil, 0, fmt.Errorf("not parameters of AES-GCM: %w", fault.Invalid)
			}
			return func(b cipher.Block, data []byte) ([]byte, error) { return openGCM(b, &p, data) }, s.size, nil
		}
		var iv []byte
		if !unmarshal(id.Parameters.FullBytes, &iv) || len(iv) != aes.BlockSize {
			return nil, 0, fmt.Errorf("not parameters of AES-CBC: %w", fault.Invalid)
		}
		return func(b cipher.Block, data []byte) ([]byte, error) { return openCBC(b, iv, data) }, s.size, nil
	}
	return nil, 0, fmt.Errorf("encrypted by %s, want AES in CBC or GCM: %w", id.Algorithm, fault.Unsupported)
}

func wrongPassword() error { return fmt.Errorf("the password is wrong: %w", fault.Unauthenticated) }

// openCBC checks what a wrong password most likely breaks: padding (RFC 8018,
// 6.1.1), and that the content is a sequence of just this length.
func openCBC(b cipher.Block, iv, data []byte) ([]byte, error) {
	if len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, fmt.Errorf("AES-CBC over %d bytes: %w", len(data), fault.Invalid)
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(b, iv).CryptBlocks(plain, data)
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > aes.BlockSize {
		return nil, wrongPassword()
	}
	for _, c := range plain[len(plain)-pad:] {
		if int(c) != pad {
			return nil, wrongPassword()
		}
	}
	plain = plain[:len(plain)-pad]
	var sequence asn1.RawValue
	if !unmarshal(plain, &sequence) || sequence.Tag != asn1.TagSequence {
		return nil, wrongPassword()
	}
	return plain, nil
}

func openGCM(b cipher.Block, p *gcmParams, data []byte) ([]byte, error) {
	var aead cipher.AEAD
	var err error
	switch { // the library has one or the other unusual, not both
	case p.Tag == 16:
		aead, err = cipher.NewGCMWithNonceSize(b, len(p.Nonce))
	case len(p.Nonce) == 12:
		aead, err = cipher.NewGCMWithTagSize(b, p.Tag)
	default:
		return nil, fmt.Errorf("AES-GCM with a nonce of %d bytes and a tag of %d: %w", len(p.Nonce), p.Tag, fault.Unsupported)
	}
	if err != nil {
		return nil, fmt.Errorf("AES-GCM: %v: %w", err, fault.Invalid)
	}
	plain, err := aead.Open(nil, p.Nonce, data, nil)
	if err != nil {
		return nil, wrongPassword()
	}
	return plain, nil
}

// unmarshal reads DER that is all of the text.
func unmarshal(der []byte, out any) bool {
	rest, err := asn1.Unmarshal(der, out)
	return err == nil && len(rest) == 0
}
