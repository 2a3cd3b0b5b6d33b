package dsse_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest/dsse"
)

// otherS returns the other signature with the same r.
func otherS(t *testing.T, der []byte) []byte {
	t.Helper()
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		t.Fatal(err)
	}
	sig.S.Sub(elliptic.P256().Params().N, sig.S)
	out, err := asn1.Marshal(sig)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestKeysThroughPEM(t *testing.T) {
	for _, k := range []*dsse.PrivateKey{key(t, "a"), ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384())} {
		text, err := k.PEM()
		if err != nil {
			t.Fatal(err)
		}
		same, err := dsse.ParsePrivateKey(text)
		if err != nil {
			t.Fatal(err)
		}
		public, err := dsse.ParsePublicKey(k.Public().PEM())
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(public.DER())
		if id := hex.EncodeToString(sum[:]); same.KeyID() != id || public.KeyID() != id || k.KeyID() != id {
			t.Errorf("ids %s, %s, %s, want %s", same.KeyID(), public.KeyID(), k.KeyID(), id)
		}
	}
}

// TestOneKeyOneEncoding: a key that is written in another way is the same key.
func TestOneKeyOneEncoding(t *testing.T) {
	p, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	want, err := dsse.NewPublicKey(p.Public())
	if err != nil {
		t.Fatal(err)
	}
	type info struct {
		Algorithm struct{ OID, Curve asn1.ObjectIdentifier }
		Key       asn1.BitString
	}
	var i info
	if _, err := asn1.Unmarshal(want.DER(), &i); err != nil {
		t.Fatal(err)
	}
	i.Key.Bytes = elliptic.MarshalCompressed(elliptic.P256(), p.X, p.Y)
	i.Key.BitLength = 8 * len(i.Key.Bytes)
	der, err := asn1.Marshal(i)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := dsse.ParsePublicKeyDER(der); err == nil && got.KeyID() != want.KeyID() {
		t.Errorf("the compressed key is %s, the other %s", got.KeyID(), want.KeyID())
	}
	want.DER()[0] ^= 0xff // a copy
	if again, err := dsse.ParsePublicKeyDER(want.DER()); err != nil || again.KeyID() != want.KeyID() {
		t.Errorf("changing what DER returned changed the key: %v", err)
	}
}

func TestPublicKeysRefused(t *testing.T) {
	good := key(t, "a").Public().PEM()
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	for name, c := range map[string]struct {
		key any // text, or a key of the library
		err error
	}{
		"nothing":              {"", dsse.ErrInvalid},
		"no PEM":               {"ssh-ed25519 AAAA", dsse.ErrInvalid},
		"text before":          {"key:\n" + string(good), dsse.ErrInvalid},
		"text after":           {string(good) + "x", dsse.ErrInvalid},
		"two blocks":           {string(good) + string(good), dsse.ErrInvalid},
		"cut":                  {string(good[:len(good)/2]), dsse.ErrInvalid},
		"certificate":          {strings.ReplaceAll(string(good), "PUBLIC KEY", "CERTIFICATE"), dsse.ErrUnsupported},
		"private key":          {strings.ReplaceAll(string(good), "PUBLIC KEY", "PRIVATE KEY"), dsse.ErrUnsupported},
		"headers":              {strings.Replace(string(good), "\n", "\nProc-Type: 4,ENCRYPTED\n\n", 1), dsse.ErrUnsupported},
		"not SPKI":             {string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte{0x30, 0}})), dsse.ErrInvalid},
		"long":                 {strings.Repeat(" ", dsse.MaxKeyText) + string(good), dsse.ErrLimit},
		"P-521":                {p521.Public(), dsse.ErrUnsupported},
		"RSA of 1024 bits":     {&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}, dsse.ErrUnsupported},
		"RSA of 2^20 bits":     {&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1<<20), E: 65537}, dsse.ErrUnsupported},
		"RSA without modulus":  {&rsa.PublicKey{}, dsse.ErrInvalid},
		"nil RSA":              {(*rsa.PublicKey)(nil), dsse.ErrInvalid},
		"nil ECDSA":            {(*ecdsa.PublicKey)(nil), dsse.ErrInvalid},
		"ECDSA beside a curve": {&ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}, dsse.ErrInvalid},
		"ECDSA at infinity":    {&ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int), Y: new(big.Int)}, dsse.ErrInvalid},
		"Ed25519 of 31 bytes":  {ed25519.PublicKey(make([]byte, 31)), dsse.ErrInvalid},
		"a secret":             {[]byte("secret"), dsse.ErrUnsupported},
		"nil":                  {nil, dsse.ErrUnsupported},
	} {
		var err error
		if text, ok := c.key.(string); ok {
			_, err = dsse.ParsePublicKey([]byte(text))
		} else {
			_, err = dsse.NewPublicKey(c.key)
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
}

func TestPrivateKeysRefused(t *testing.T) {
	good, err := key(t, "a").PEM()
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaDER, _ := x509.MarshalPKCS8PrivateKey(r)
	for name, c := range map[string]struct {
		key any
		err error
	}{
		"EC block":        {strings.ReplaceAll(string(good), "PRIVATE KEY", "EC PRIVATE KEY"), dsse.ErrUnsupported},
		"encrypted":       {strings.ReplaceAll(string(good), "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), dsse.ErrUnsupported},
		"not PKCS #8":     {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("geheim")})), dsse.ErrInvalid},
		"RSA":             {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rsaDER})), dsse.ErrUnsupported},
		"nil":             {nil, dsse.ErrUnsupported},
		"nil ECDSA":       {(*ecdsa.PrivateKey)(nil), dsse.ErrInvalid},
		"short Ed25519":   {ed25519.PrivateKey("geheim"), dsse.ErrInvalid},
		"two of them":     {string(good) + string(good), dsse.ErrInvalid},
		"a public key":    {string(key(t, "a").Public().PEM()), dsse.ErrUnsupported},
		"a secret of DSA": {struct{}{}, dsse.ErrUnsupported},
	} {
		var err error
		if text, ok := c.key.(string); ok {
			_, err = dsse.ParsePrivateKey([]byte(text))
		} else {
			_, err = dsse.NewPrivateKey(c.key)
		}
		if !errors.Is(err, c.err) || strings.Contains(fmt.Sprint(err), "geheim") {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
}

// TestForeignPublicHalf: signing with a public half that is not the key's own
// would give the private key away.
func TestForeignPublicHalf(t *testing.T) {
	seed, other := make([]byte, 32), key(t, "other").Public().DER()
	mixed := ed25519.PrivateKey(append(seed, other[len(other)-32:]...))
	k, err := dsse.NewPrivateKey(mixed)
	if err != nil {
		t.Fatal(err)
	}
	if k.KeyID() == key(t, "other").KeyID() {
		t.Error("the foreign half was taken")
	}
}

// TestPrivateKeysDoNotPrint: no verb shows the secret.
func TestPrivateKeysDoNotPrint(t *testing.T) {
	k := key(t, "a")
	seed := sha256.Sum256([]byte("a"))
	want := "private key " + k.KeyID()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%c", "%T"} {
		for _, v := range []any{k, *k, struct{ K *dsse.PrivateKey }{k}, []dsse.PrivateKey{*k}} {
			got := fmt.Sprintf(verb, v)
			if strings.Contains(got, fmt.Sprint(seed[0])+" "+fmt.Sprint(seed[1])) || strings.Contains(strings.ToLower(got), hex.EncodeToString(seed[:4])) {
				t.Errorf("%s shows %s", verb, got)
			}
		}
		if got := fmt.Sprintf(verb, k); verb != "%T" && got != want {
			t.Errorf("%s prints %s", verb, got)
		}
	}
	if got := fmt.Sprint(dsse.PrivateKey{}); got != "private key none" {
		t.Error(got)
	}
}

func TestRSAVerifies(t *testing.T) {
	p, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	k, err := dsse.NewPublicKey(p.Public())
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("m"))
	pss, err := p.Sign(rand.Reader, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Verify([]byte("m"), pss); err != nil {
		t.Error(err)
	}
	old, err := p.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Verify([]byte("m"), old); !errors.Is(err, dsse.ErrMismatch) {
		t.Errorf("PKCS #1 v1.5: %v", err)
	}
}
