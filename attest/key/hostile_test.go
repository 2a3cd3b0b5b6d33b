package key

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
)

// unasked fails the test: what a text asks for is refused before the password is
// asked for, so before any work.
func unasked(t testing.TB, name string) func() ([]byte, error) {
	return func() ([]byte, error) {
		t.Errorf("%s: the password was asked for", name)
		return nil, errors.New("stop")
	}
}

func der(t testing.TB, v any) asn1.RawValue {
	t.Helper()
	b, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return asn1.RawValue{FullBytes: b}
}

func algorithm(t testing.TB, oid asn1.ObjectIdentifier, params any) pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: der(t, params)}
}

// encrypted makes a PEM block of parts.
func encrypted(t testing.TB, derive, encrypt pkix.AlgorithmIdentifier, data []byte) []byte {
	t.Helper()
	info := encryptedKey{Algorithm: algorithm(t, oidPBES2, pbes2{derive, encrypt}), Data: data}
	return pem.EncodeToMemory(&pem.Block{Type: blockEncrypted, Bytes: der(t, info).FullBytes})
}

func TestHostilePKCS8(t *testing.T) {
	salt, data := []byte("12345678"), make([]byte, 48)
	cbc := algorithm(t, aesSchemes[4].oid, make([]byte, 16))
	type numbers struct { // scrypt's, as large as one likes
		Salt    []byte
		N, R, P int64
	}
	type iterations struct {
		Salt []byte
		N    int64
	}
	good := algorithm(t, oidPBKDF2, iterations{salt, 1000})
	for name, c := range map[string]struct {
		text []byte
		err  error
	}{
		"iterations beyond the limit": {encrypted(t, algorithm(t, oidPBKDF2, iterations{salt, MaxIterations + 1}), cbc, data), ErrLimit},
		"2^62 iterations":             {encrypted(t, algorithm(t, oidPBKDF2, iterations{salt, 1 << 62}), cbc, data), ErrLimit},
		"no iterations":               {encrypted(t, algorithm(t, oidPBKDF2, iterations{salt, 0}), cbc, data), ErrInvalid},
		"minus one iteration":         {encrypted(t, algorithm(t, oidPBKDF2, iterations{salt, -1}), cbc, data), ErrInvalid},
		"no salt":                     {encrypted(t, algorithm(t, oidPBKDF2, iterations{nil, 1000}), cbc, data), ErrInvalid},
		"a long salt":                 {encrypted(t, algorithm(t, oidPBKDF2, iterations{make([]byte, MaxSalt+1), 1000}), cbc, data), ErrLimit},
		"a salt from elsewhere":       {encrypted(t, algorithm(t, oidPBKDF2, good), cbc, data), ErrInvalid},
		"PBKDF2 by MD5":               {encrypted(t, algorithm(t, oidPBKDF2, pbkdf2Params{salt, 1000, 0, algorithm(t, asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 5}, 1)}), cbc, data), ErrUnsupported},
		"PBKDF2 of another length":    {encrypted(t, algorithm(t, oidPBKDF2, pbkdf2Params{Salt: salt, Iterations: 1000, KeyLength: 16}), cbc, data), ErrInvalid},
		"PBKDF1":                      {encrypted(t, algorithm(t, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 3}, 1), cbc, data), ErrUnsupported},
		"scrypt of 1 GiB":             {encrypted(t, algorithm(t, oidScrypt, numbers{salt, 1 << 20, 8, 1}), cbc, data), ErrLimit},
		"scrypt at the limit of r":    {encrypted(t, algorithm(t, oidScrypt, numbers{salt, 2, 1 << 40, 1}), cbc, data), ErrLimit},
		"scrypt that overflows":       {encrypted(t, algorithm(t, oidScrypt, numbers{salt, 1 << 62, 1 << 62, 1}), cbc, data), ErrLimit},
		"scrypt in parallel":          {encrypted(t, algorithm(t, oidScrypt, numbers{salt, 1 << 14, 8, MaxParallel + 1}), cbc, data), ErrLimit},
		"scrypt of no power of two":   {encrypted(t, algorithm(t, oidScrypt, numbers{salt, 1000, 8, 1}), cbc, data), ErrInvalid},
		"scrypt of one":               {encrypted(t, algorithm(t, oidScrypt, numbers{salt, 1, 8, 1}), cbc, data), ErrInvalid},
		"scrypt of minus one":         {encrypted(t, algorithm(t, oidScrypt, numbers{salt, -16, 8, 1}), cbc, data), ErrInvalid},
		"scrypt with r of 0":          {encrypted(t, algorithm(t, oidScrypt, numbers{salt, 16, 0, 1}), cbc, data), ErrInvalid},
		"scrypt with p of 0":          {encrypted(t, algorithm(t, oidScrypt, numbers{salt, 16, 8, 0}), cbc, data), ErrInvalid},
		"scrypt of another length":    {encrypted(t, algorithm(t, oidScrypt, scryptParams{salt, 16, 8, 1, 24}), cbc, data), ErrInvalid},
		"a short vector":              {encrypted(t, good, algorithm(t, aesSchemes[4].oid, make([]byte, 15)), data), ErrInvalid},
		"GCM without nonce":           {encrypted(t, good, algorithm(t, aesSchemes[5].oid, gcmParams{Tag: 16}), data), ErrInvalid},
		"GCM with a tag of 1":         {encrypted(t, good, algorithm(t, aesSchemes[5].oid, gcmParams{make([]byte, 12), 1}), data), ErrInvalid},
		"RC2":                         {encrypted(t, good, algorithm(t, asn1.ObjectIdentifier{1, 2, 840, 113549, 3, 2}, salt), data), ErrUnsupported},
		"no PBES2":                    {pem.EncodeToMemory(&pem.Block{Type: blockEncrypted, Bytes: der(t, encryptedKey{algorithm(t, oidPBKDF2, 1), data}).FullBytes}), ErrUnsupported},
		"PBES2 of nothing":            {pem.EncodeToMemory(&pem.Block{Type: blockEncrypted, Bytes: der(t, encryptedKey{algorithm(t, oidPBES2, 1), data}).FullBytes}), ErrInvalid},
		"bytes after":                 {pem.EncodeToMemory(&pem.Block{Type: blockEncrypted, Bytes: append(der(t, encryptedKey{algorithm(t, oidPBES2, pbes2{good, cbc}), data}).FullBytes, 0)}), ErrInvalid},
		"nothing":                     {pem.EncodeToMemory(&pem.Block{Type: blockEncrypted}), ErrInvalid},
	} {
		if _, err := Parse(c.text, "k", unasked(t, name)); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
	for name, data := range map[string][]byte{"no data": nil, "half a block": make([]byte, 17)} {
		_, err := Parse(encrypted(t, good, cbc, data), "k", func() ([]byte, error) { return []byte("x"), nil })
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGCM reads what others write by RFC 5084, which openssl does not.
func TestGCM(t *testing.T) {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range aesSchemes {
		if !s.gcm {
			continue
		}
		for _, tag := range []int{12, 13, 16} {
			secret, err := pbkdf2.Key(sha256.New, "correct", []byte("salt"), 10, s.size)
			if err != nil {
				t.Fatal(err)
			}
			block, err := aes.NewCipher(secret)
			if err != nil {
				t.Fatal(err)
			}
			aead, err := cipher.NewGCMWithTagSize(block, tag)
			if err != nil {
				t.Fatal(err)
			}
			nonce := make([]byte, 12)
			text := encrypted(t, algorithm(t, oidPBKDF2, pbkdf2Params{Salt: []byte("salt"), Iterations: 10, PRF: algorithm(t, oidHMACSHA256, asn1.NullRawValue)}),
				algorithm(t, s.oid, gcmParams{nonce, tag}), aead.Seal(nil, nonce, plain, nil))
			k, err := Parse(text, "k", func() ([]byte, error) { return []byte("correct"), nil })
			if err != nil || k.KeyID() == "" {
				t.Errorf("%d, %d: %v", s.size, tag, err)
			}
			if _, err := Parse(text, "k", func() ([]byte, error) { return []byte("wrong"), nil }); !errors.Is(err, ErrUnauthenticated) {
				t.Errorf("wrong password: %v", err)
			}
		}
	}
}

func TestHostileCosign(t *testing.T) {
	const good = `{"kdf":{"name":"scrypt","params":{"N":32768,"r":8,"p":1},"salt":"c2FsdA=="},"cipher":{"name":"nacl/secretbox","nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},"ciphertext":"AAAA"}`
	sub := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatal(old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, c := range map[string]struct {
		text string
		err  error
	}{
		"N of 2^40":         {sub("32768", "1099511627776"), ErrLimit},
		"N beyond":          {sub("32768", "1e30"), ErrInvalid},
		"N a fraction":      {sub("32768", "1.5"), ErrInvalid},
		"N a text":          {sub("32768", `"32768"`), ErrInvalid},
		"r of 10^6":         {sub(`"r":8`, `"r":1000000`), ErrLimit},
		"p of 17":           {sub(`"p":1`, `"p":17`), ErrLimit},
		"another KDF":       {sub(`"scrypt"`, `"argon2"`), ErrUnsupported},
		"another cipher":    {sub(`nacl/secretbox`, `none`), ErrUnsupported},
		"a short nonce":     {sub("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAA"), ErrInvalid},
		"a long nonce":      {sub("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), ErrInvalid},
		"no salt":           {sub("c2FsdA==", ""), ErrInvalid},
		"salt twice":        {sub(`"salt"`, `"salt":"AAAA","salt"`), ErrInvalid},
		"an unknown member": {sub(`"kdf"`, `"x":1,"kdf"`), ErrInvalid},
		"text after":        {good + "{}", ErrInvalid},
		"nothing":           {"", ErrInvalid},
		"null":              {"null", ErrUnsupported},
	} {
		for _, block := range []string{blockSigstore, blockCosign} {
			text := pem.EncodeToMemory(&pem.Block{Type: block, Bytes: []byte(c.text)})
			if _, err := Parse(text, "k", unasked(t, name)); !errors.Is(err, c.err) {
				t.Errorf("%s: %v, want %v", name, err, c.err)
			}
		}
	}
	text := pem.EncodeToMemory(&pem.Block{Type: blockCosign, Bytes: []byte(good)})
	if _, err := Parse(text, "k", func() ([]byte, error) { return nil, nil }); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("a cut ciphertext: %v", err)
	}
}

func TestTextsRefused(t *testing.T) {
	block := func(kind, content string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(content)}))
	}
	for name, c := range map[string]struct {
		text string
		err  error
	}{
		"nothing":             {"", ErrInvalid},
		"no PEM":              {"geheim", ErrInvalid},
		"text before":         {"geheim\n" + block(blockPKCS8, "geheim"), ErrInvalid},
		"text after":          {block(blockPKCS8, "geheim") + "geheim", ErrInvalid},
		"two":                 {block(blockPKCS8, "geheim") + block(blockPKCS8, "geheim"), ErrInvalid},
		"parameters alone":    {block("EC PARAMETERS", "geheim"), ErrInvalid},
		"a certificate":       {block("CERTIFICATE", "geheim"), ErrUnsupported},
		"a public key":        {block("PUBLIC KEY", "geheim"), ErrUnsupported},
		"a key of OpenSSH":    {block("OPENSSH PRIVATE KEY", "geheim"), ErrUnsupported},
		"no PKCS #8":          {block(blockPKCS8, "geheim"), ErrInvalid},
		"no SEC 1":            {block(blockSEC1, "geheim"), ErrInvalid},
		"no PKCS #1":          {block(blockPKCS1, "geheim"), ErrInvalid},
		"too long":            {strings.Repeat(" ", MaxText) + block(blockPKCS8, "geheim"), ErrLimit},
		"a type like a story": {block("geheim"+strings.Repeat("x", 100), "geheim"), ErrUnsupported},
	} {
		_, err := Parse([]byte(c.text), "", unasked(t, name))
		if !errors.Is(err, c.err) || strings.Contains(fmt.Sprint(err), "geheim") && name != "a type like a story" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(pem.EncodeToMemory(&pem.Block{Type: blockPKCS8, Bytes: []byte{0x30, 0}})))
	good := algorithm(f, oidPBKDF2, pbkdf2Params{Salt: []byte("salt"), Iterations: 10})
	f.Add(encrypted(f, good, algorithm(f, aesSchemes[4].oid, make([]byte, 16)), make([]byte, 48)))
	f.Add(encrypted(f, algorithm(f, oidScrypt, scryptParams{[]byte("salt"), 16, 8, 1, 0}), algorithm(f, aesSchemes[5].oid, gcmParams{make([]byte, 12), 16}), make([]byte, 48)))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: blockCosign, Bytes: []byte(`{"kdf":{"name":"scrypt","params":{"N":2,"r":1,"p":1},"salt":"c2FsdA=="},"cipher":{"name":"nacl/secretbox","nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},"ciphertext":"AAAA"}`)}))
	away := errors.New("no password")
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, password := range []func() ([]byte, error){nil, func() ([]byte, error) { return nil, away }} {
			k, err := Parse(text, "k", password)
			if (k == nil) != (err != nil) {
				t.Fatal(k, err)
			}
			if err != nil && !errors.Is(err, away) && fault.KindOf(err) == "" {
				t.Fatalf("untyped error %v", err)
			}
		}
	})
}

// FuzzPBES2 works on the inner encoding, with work that is small.
func FuzzPBES2(f *testing.F) {
	for _, text := range [][]byte{
		encrypted(f, algorithm(f, oidPBKDF2, pbkdf2Params{Salt: []byte("salt"), Iterations: 10}), algorithm(f, aesSchemes[4].oid, make([]byte, 16)), make([]byte, 48)),
		encrypted(f, algorithm(f, oidScrypt, scryptParams{[]byte("salt"), 16, 8, 1, 0}), algorithm(f, aesSchemes[5].oid, gcmParams{make([]byte, 12), 16}), make([]byte, 48)),
	} {
		block, _ := pem.Decode(text)
		f.Add(block.Bytes)
	}
	stop := errors.New("stop")
	f.Fuzz(func(t *testing.T, der []byte) {
		_, err := decryptPKCS8(der, func() ([]byte, error) { return nil, stop })
		if err == nil || !errors.Is(err, stop) && fault.KindOf(err) == "" {
			t.Fatalf("%v", err)
		}
	})
}
