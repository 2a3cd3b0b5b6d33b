package dsse_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/testdata"
)

// TestProtocolVector holds the package against the vector of the
// specification: encoding, envelope, and a deterministic P-256 signature.
func TestProtocolVector(t *testing.T) {
	text := string(testdata.Open(t, "conformance/dsse.tar.gz")["protocol.md"])
	find := func(pattern string) string {
		t.Helper()
		m := regexp.MustCompile(pattern).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("the specification has no %s", pattern)
		}
		return m[1]
	}
	number := func(name string) *big.Int {
		n, _ := new(big.Int).SetString(find(`(?m)^`+name+`: (\d+)$`), 10)
		return n
	}
	e, err := dsse.Decode([]byte(find(`(?s)(\{"payload": .*?\]\})`)))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(dsse.PAE(e.PayloadType, e.Payload)), find(`(?m)^(DSSEv1 \d.*)$`); got != want {
		t.Errorf("PAE %q, want %q", got, want)
	}
	private := &ecdsa.PrivateKey{PublicKey: ecdsa.PublicKey{Curve: elliptic.P256(), X: number("X"), Y: number("Y")}, D: number("d")}
	k, err := dsse.NewPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	// The reference concatenates r and s; this package writes DER.
	raw := e.Signatures[0].Sig
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := dsse.Sign(context.Background(), e.PayloadType, e.Payload, k)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(signed.Signatures[0].Sig, der) {
		t.Errorf("signature %x, the specification's is %x", signed.Signatures[0].Sig, der)
	}
	e.Signatures[0].Sig = der // without a key id, as there
	v, err := trust(1, k).Verify(e, "http://example.com/HelloWorld")
	if err != nil || string(v.Payload) != "hello world" {
		t.Errorf("verified %v, %v", v, err)
	}
}

// TestP384Vector is RFC 6979, A.2.6, SHA-384, message "sample".
func TestP384Vector(t *testing.T) {
	n := func(s string) *big.Int { i, _ := new(big.Int).SetString(s, 16); return i }
	d := n("6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5")
	p, err := ecdsa.ParseRawPrivateKey(elliptic.P384(), d.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	k, err := dsse.NewPrivateKey(p)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := k.Sign(context.Background(), []byte("sample"))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := asn1.Marshal(struct{ R, S *big.Int }{
		n("94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46"),
		n("99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8"),
	})
	if !bytes.Equal(sig, want) {
		t.Errorf("signature %x, want %x", sig, want)
	}
}

type wycheproof struct {
	TestGroups []struct {
		PublicKeyDER string          `json:"publicKeyDer"`
		PublicKeyPEM string          `json:"publicKeyPem"`
		Public       json.RawMessage `json:"public"`
		Tests        []struct {
			ID      int    `json:"tcId"`
			Comment string `json:"comment"`
			Msg     string `json:"msg"`
			Sig     string `json:"sig"`
			JWS     any    `json:"jws"`
			Result  string `json:"result"`
		} `json:"tests"`
	} `json:"testGroups"`
}

func readWycheproof(t *testing.T, name string) *wycheproof {
	t.Helper()
	w := new(wycheproof)
	if err := json.Unmarshal(testdata.Open(t, "conformance/wycheproof.tar.gz")["testvectors_v1/"+name], w); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWycheproof(t *testing.T) {
	for name, want := range map[string][2]int{"ed25519_test.json": {88, 63}, "ecdsa_secp256r1_sha256_test.json": {174, 310}} {
		t.Run(name, func(t *testing.T) {
			accepted, refused := 0, 0
			for _, g := range readWycheproof(t, name).TestGroups {
				k, err := dsse.ParsePublicKey([]byte(g.PublicKeyPEM))
				if err != nil {
					t.Fatal(err)
				}
				if hex.EncodeToString(k.DER()) != g.PublicKeyDER {
					t.Errorf("DER %x, want %s", k.DER(), g.PublicKeyDER)
				}
				for _, c := range g.Tests {
					msg, _ := hex.DecodeString(c.Msg)
					sig, _ := hex.DecodeString(c.Sig)
					err := k.Verify(msg, sig)
					if (err == nil) != (c.Result == "valid") {
						t.Errorf("test %d, %s: %s, got %v", c.ID, c.Comment, c.Result, err)
					}
					if err == nil {
						accepted++
					} else {
						refused++
					}
				}
			}
			if got := [2]int{accepted, refused}; got != want {
				t.Errorf("accepted and refused %v, want %v", got, want)
			}
		})
	}
}

// TestWycheproofPSS takes the signatures of JSON Web Signatures under PS256
// keys. What is wrong with the header alone is not for this package to see.
func TestWycheproofPSS(t *testing.T) {
	valid, invalid := 0, 0
	for _, g := range readWycheproof(t, "json_web_signature_test.json").TestGroups {
		var jwk struct{ Kty, Alg, N, E string }
		if json.Unmarshal(g.Public, &jwk) != nil || jwk.Kty != "RSA" || jwk.Alg != "PS256" {
			continue
		}
		n, _ := base64.RawURLEncoding.DecodeString(jwk.N)
		e, _ := base64.RawURLEncoding.DecodeString(jwk.E)
		k, err := dsse.NewPublicKey(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range g.Tests {
			jws, _ := c.JWS.(string)
			i := strings.LastIndexByte(jws, '.')
			if i < 0 {
				continue
			}
			header, _, _ := strings.Cut(jws, ".")
			text, _ := base64.RawURLEncoding.DecodeString(header)
			var h struct{ Alg string }
			sig, err := base64.RawURLEncoding.DecodeString(jws[i+1:])
			if err != nil || json.Unmarshal(text, &h) != nil || h.Alg != "PS256" {
				continue
			}
			err = k.Verify([]byte(jws[:i]), sig)
			if (err == nil) != (c.Result == "valid") {
				t.Errorf("test %d, %s: %s, got %v", c.ID, c.Comment, c.Result, err)
			}
			if err == nil {
				valid++
			} else {
				invalid++
			}
		}
	}
	if valid < 6 || invalid < 30 {
		t.Errorf("only %d valid and %d invalid signatures were looked at", valid, invalid)
	}
	t.Logf("%d valid, %d invalid", valid, invalid)
}

// TestSigstoreBundles verifies the envelopes of published bundles with the key
// of their certificate, and every one of them fails when a byte is changed.
func TestSigstoreBundles(t *testing.T) {
	bad := map[string]bool{"dsse-invalid-sig_fail": true}
	seen := 0
	for name, text := range testdata.Open(t, "conformance/sigstore-bundle-verify.tar.gz") {
		var b struct {
			DSSEEnvelope         json.RawMessage
			VerificationMaterial struct {
				Certificate          struct{ RawBytes []byte }
				X509CertificateChain struct {
					Certificates []struct{ RawBytes []byte }
				}
			}
		}
		if path.Base(name) != "bundle.sigstore.json" || json.Unmarshal(text, &b) != nil || b.DSSEEnvelope == nil {
			continue
		}
		seen++
		t.Run(path.Base(path.Dir(name)), func(t *testing.T) {
			e, err := dsse.Decode(b.DSSEEnvelope)
			if err != nil {
				t.Fatal(err)
			}
			der := b.VerificationMaterial.Certificate.RawBytes
			if chain := b.VerificationMaterial.X509CertificateChain.Certificates; der == nil && len(chain) > 0 {
				der = chain[0].RawBytes
			}
			cert, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			k, err := dsse.NewPublicKey(cert.PublicKey)
			if err != nil {
				t.Fatal(err)
			}
			tr := dsse.Trust{Threshold: 1, Keys: []dsse.Verifier{k}}
			_, err = tr.Verify(e, "application/vnd.in-toto+json")
			if (err != nil) != bad[path.Base(path.Dir(name))] {
				t.Errorf("verify: %v", err)
			}
			e.Payload[len(e.Payload)/2] ^= 1
			if _, err := tr.Verify(e, "application/vnd.in-toto+json"); err == nil {
				t.Error("a changed payload was verified")
			}
		})
	}
	if seen < 5 {
		t.Errorf("%d bundles with envelopes", seen)
	}
}
