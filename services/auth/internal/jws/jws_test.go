package jws

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/stella-ops/stella/internal/fault"
)

// The examples of the standards.
const (
	// RFC 7515 §A.3: ES256.
	es256Text = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	es256Key  = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	// RFC 8037 §A.4: Ed25519.
	edText = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	edKey  = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	// RFC 7638 §3.1, and RFC 8037 §A.3.
	rsaKey   = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
	rsaPrint = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
	edPrint  = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
)

func TestStandards(t *testing.T) {
	for _, c := range []struct{ text, key, alg, payload string }{
		{es256Text, es256Key, ES256, `http://example.com/is_root`}, {edText, edKey, EdDSA, `Example of Ed25519 signing`},
	} {
		k, _, err := ParseKey([]byte(c.key))
		if err != nil {
			t.Fatal(err)
		}
		m, err := Parse(c.text, Algorithms())
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Verify(k); err != nil || m.Header.Algorithm != c.alg || !strings.Contains(string(m.Payload), c.payload) {
			t.Errorf("%s: %v %+v", c.alg, err, m.Header)
		}
		if _, err := Parse(c.text, []string{PS256}); err == nil {
			t.Errorf("%s is read where only PS256 is allowed", c.alg)
		}
	}
	for key, want := range map[string]string{rsaKey: rsaPrint, edKey: edPrint} {
		k, _, err := ParseKey([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Thumbprint(k.Public); err != nil || got != want {
			t.Errorf("thumbprint %s, want %s: %v", got, want, err)
		}
	}
}

// signers has a key of each kind, by algorithm.
func signers(t testing.TB) map[string]crypto.Signer {
	ec, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, ed, err2 := ed25519.GenerateKey(rand.Reader)
	r, err3 := rsa.GenerateKey(rand.Reader, 2048)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{ES256: ec, EdDSA: ed, PS256: r}
}

// device is a key that only signs.
type device struct{ crypto.Signer }

func TestSignAndVerify(t *testing.T) {
	keys := signers(t)
	var reader Reader
	for alg, key := range keys {
		for _, s := range []crypto.Signer{key, device{key}} {
			for i := range 3 {
				text, err := Sign([]byte{byte(i)}, "t+jwt", s, "k", i == 2)
				if err != nil {
					t.Fatalf("%s: %v", alg, err)
				}
				m, err := reader.Parse(text, Algorithms())
				if err != nil {
					t.Fatalf("%s: %v", alg, err)
				}
				if h := m.Header; h.Algorithm != alg || h.Type != "t+jwt" || (h.KeyID == "k") == (i == 2) || (h.Key != nil) != (i == 2) || m.Payload[0] != byte(i) {
					t.Errorf("%s %d: %+v", alg, i, h)
				}
				if err := m.Verify(Key{Public: key.Public()}); err != nil {
					t.Errorf("%s %d: %v", alg, i, err)
				}
				for other, o := range signers(t) {
					if err := m.Verify(Key{Public: o.Public()}); err == nil {
						t.Errorf("%s verifies by another key of %s", alg, other)
					}
				}
				if err := m.Verify(Key{Public: key.Public(), Algorithm: "RS256"}); err == nil {
					t.Errorf("%s verifies by a key that is for RS256", alg)
				}
			}
		}
	}
	if n := len(reader.young); n != 6 {
		t.Errorf("%d headers are remembered, want 6: what did not verify is not", n)
	}
}

// TestRememberedHeaders: a header that is known is still checked against what the caller
// allows, and a known header makes no signature good.
func TestRememberedHeaders(t *testing.T) {
	var reader Reader
	key := signers(t)[EdDSA]
	text, _ := Sign([]byte("a"), "t", key, "", true)
	other, _ := Sign([]byte("b"), "t", key, "", true)
	m, err := reader.Parse(text, Algorithms())
	if err != nil || m.Verify(*m.Header.Key) != nil {
		t.Fatal(err)
	}
	if _, err := reader.Parse(text, []string{ES256}); err == nil {
		t.Error("a remembered header passes for an algorithm that is not allowed")
	}
	parts, others := strings.Split(text, "."), strings.Split(other, ".")
	for name, mixed := range map[string]string{
		"payload":   parts[0] + "." + others[1] + "." + parts[2],
		"signature": parts[0] + "." + parts[1] + "." + others[2],
	} {
		m, err := reader.Parse(mixed, Algorithms())
		if err != nil {
			t.Fatal(err)
		}
		if m.Verify(*m.Header.Key) == nil {
			t.Errorf("the %s of another text verifies", name)
		}
	}
	for range 3 * maxHeads {
		reader.keep(rand.Text()+".a.b", &head{})
	}
	if n := len(reader.young) + len(reader.old); n > maxHeads {
		t.Errorf("%d headers are remembered", n)
	}
	reader.keep(strings.Repeat("x", maxHead+1)+".a.b", &head{})
	if reader.recall(strings.Repeat("x", maxHead+1)) != nil {
		t.Error("a header over the bound is remembered")
	}
}

// TestLowOrder holds our list against go-jose's.
func TestLowOrder(t *testing.T) {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	points := []string{"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"}
	for _, y := range []*big.Int{big.NewInt(0), big.NewInt(1), new(big.Int).Sub(p, big.NewInt(1)), p, new(big.Int).Add(p, big.NewInt(1))} {
		b := y.FillBytes(make([]byte, 32))
		for i := range 16 {
			b[i], b[31-i] = b[31-i], b[i]
		}
		points = append(points, hex.EncodeToString(b))
	}
	refused := 0
	for _, y := range points {
		for _, sign := range []byte{0, 0x80} {
			k, _ := hex.DecodeString(y)
			k[31] |= sign
			if err := CheckPublic(ed25519.PublicKey(k)); err == nil {
				t.Errorf("%x is taken", k)
			}
			if _, err := (jose.JSONWebKey{Key: ed25519.PublicKey(k)}).MarshalJSON(); err != nil {
				refused++
			}
		}
	}
	if refused < 12 {
		t.Errorf("go-jose refuses %d of %d", refused, 2*len(points))
	}
	for range 200 {
		pub, _, _ := ed25519.GenerateKey(rand.Reader)
		if err := CheckPublic(pub); err != nil {
			t.Errorf("%x: %v", pub, err)
		}
	}
}

func TestKeys(t *testing.T) {
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	for name, key := range map[string]crypto.PublicKey{
		"nil": nil, "P-384": p384.Public(), "no point": &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)},
		"infinity": &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int), Y: new(big.Int)}, "short": ed25519.PublicKey("x"), "symmetric": []byte("secret"),
		"RSA 1024": &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 3}, "RSA even": &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(0), 2047, 1), E: 3},
		"RSA e 1": &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 2047, 1), E: 1}, "RSA e 4": &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 2047, 1), E: 4},
	} {
		if err := CheckPublic(key); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Thumbprint(key); err == nil {
			t.Errorf("%s has a thumbprint", name)
		}
		if _, err := (Key{Public: key}).Marshal(); err == nil {
			t.Errorf("%s is written", name)
		}
	}
	for alg, key := range signers(t) {
		one := Key{ID: "k", Algorithm: alg, Use: "sig", Public: key.Public()}
		text, err := one.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, ours, err := ParseKey(text)
		if err != nil || !ours || back.ID != "k" || back.Algorithm != alg || !key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(back.Public) {
			t.Errorf("%s: %+v %v %v", alg, back, ours, err)
		}
		again, _ := back.Marshal()
		if !bytes.Equal(text, again) {
			t.Errorf("%s: %s, then %s", alg, text, again)
		}
	}
}

// TestEqual is row 43: what differs anywhere, or in length alone, is not equal.
func TestEqual(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"", "", true}, {"a", "a", true}, {"", "a", false}, {"abc", "abd", false}, {"abc", "bbc", false}, {"abc", "ab", false}, {"abc", "abcd", false}, {"a", "a\x00", false}} {
		if Equal(c.a, c.b) != c.want || Equal(c.b, c.a) != c.want {
			t.Errorf("%q and %q", c.a, c.b)
		}
	}
}

// FuzzParse: nothing panics, and what is read and verified is written the same way.
func FuzzParse(f *testing.F) {
	f.Add(es256Text)
	f.Add(edText)
	f.Add("a.b.c")
	for _, key := range signers(f) {
		text, _ := Sign([]byte(`{"a":1}`), "dpop+jwt", key, "", true)
		f.Add(text)
	}
	var reader Reader
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Parse(text, []string{ES256, EdDSA, PS256, RS256})
		m2, err2 := reader.Parse(text, []string{ES256, EdDSA, PS256, RS256})
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%v without a memory, %v with", err, err2)
		}
		if err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Fatalf("%v", err)
			}
			return
		}
		parts := strings.Split(text, ".")
		if len(parts) != 3 || strict64.EncodeToString(m.Payload) != parts[1] || strict64.EncodeToString(m.signature) != parts[2] {
			t.Fatal("another spelling is read")
		}
		if m.Header.Key == nil {
			return
		}
		if err := CheckPublic(m.Header.Key.Public); err != nil {
			t.Fatalf("a key is read that is not sound: %v", err)
		}
		verified := m.Verify(*m.Header.Key) == nil
		if verified != (m2.Verify(*m2.Header.Key) == nil) {
			t.Fatal("the memory decides")
		}
		if !verified {
			return
		}
		signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.PS256, jose.RS256})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signed.Verify(m.Header.Key.Public); err != nil {
			t.Fatal("go-jose says otherwise")
		}
	})
}

// FuzzHeader signs a header and a payload whatever they are: what is taken has our key in it,
// and go-jose reads the same algorithm, id and key.
func FuzzHeader(f *testing.F) {
	key := signers(f)[EdDSA].(ed25519.PrivateKey)
	jwk, err := Key{Public: key.Public()}.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"alg":"EdDSA","typ":"dpop+jwt","jwk":`+string(jwk)+`}`, `{"jti":"a"}`)
	f.Add(`{"alg":"EdDSA","kid":"k","jku":"https://a","x5c":["AA"],"jwk":`+edKey+`}`, `x`)
	f.Add(`{"alg":"ES256","jwk":`+es256Key+`}`, `x`)
	f.Add(`{"alg":"PS256","jwk":`+rsaKey+`}`, `x`)
	f.Fuzz(func(t *testing.T, head, payload string) {
		input := strict64.EncodeToString([]byte(head)) + "." + strict64.EncodeToString([]byte(payload))
		text := input + "." + strict64.EncodeToString(ed25519.Sign(key, []byte(input)))
		m, err := Parse(text, Algorithms())
		if err != nil {
			return
		}
		if theirs, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.PS256}); err == nil {
			if h := theirs.Signatures[0].Header; h.Algorithm != m.Header.Algorithm || h.KeyID != m.Header.KeyID || (h.JSONWebKey == nil) != (m.Header.Key == nil) {
				t.Fatalf("%q: read as %+v, by go-jose as %+v", head, m.Header, h)
			}
		}
		if k := m.Header.Key; k != nil && m.Verify(*k) == nil && !key.Public().(ed25519.PublicKey).Equal(k.Public) {
			t.Fatalf("%q: our signature verifies by another key", head)
		}
	})
}
