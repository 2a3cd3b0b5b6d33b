package rekor_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/rekor"
)

// TestBody: the bodies of each kind of key are what the specification of Rekor v2
// says, put together here by other means, and canonical.
func TestBody(t *testing.T) {
	p256, p384, ed := ecKey(elliptic.P256(), 7), ecKey(elliptic.P384(), 7), edKey(7)
	b64 := base64.StdEncoding.EncodeToString
	for _, tt := range []struct {
		name, details, algorithm string
		key                      crypto.Signer
		hash                     crypto.Hash
	}{
		{"P-256", "PKIX_ECDSA_P256_SHA_256", "SHA2_256", p256, crypto.SHA256},
		{"P-384", "PKIX_ECDSA_P384_SHA_384", "SHA2_384", p384, crypto.SHA384},
		{"Ed25519", "PKIX_ED25519_PH", "SHA2_512", ed, crypto.SHA512},
	} {
		for _, certificate := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, " certificate ", certificate), func(t *testing.T) {
				r := signed(t, tt.key, "{}")
				verifier := map[string]any{"keyDetails": tt.details}
				if certificate {
					r.PublicKey, r.Certificate = nil, certified(t, tt.key, "a")
					verifier["x509Certificate"] = map[string]any{"rawBytes": b64(r.Certificate)}
				} else {
					verifier["publicKey"] = map[string]any{"rawBytes": b64(r.PublicKey)}
				}
				h := tt.hash.New()
				h.Write(dsse.PAE(r.Envelope.PayloadType, r.Envelope.Payload))
				want := map[string]any{"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": map[string]any{"hashedRekordV002": map[string]any{
					"data":      map[string]any{"algorithm": tt.algorithm, "digest": b64(h.Sum(nil))},
					"signature": map[string]any{"content": b64(r.Envelope.Signatures[0].Sig), "verifier": verifier},
				}}}
				body, err := r.Body()
				if err != nil {
					t.Fatal(err)
				}
				var got map[string]any
				if err := json.Unmarshal(body, &got); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				canonical := jsontext.Value(bytes.Clone(body))
				if err := canonical.Canonicalize(); err != nil || !bytes.Equal(canonical, body) {
					t.Errorf("not canonical: %s", body)
				}
				if err := r.Check(body); err != nil {
					t.Errorf("Check of Body: %v", err)
				}
				if again, err := r.Body(); err != nil || !bytes.Equal(body, again) {
					t.Errorf("another body: %v", err)
				}
			})
		}
	}
}

func TestRSA(t *testing.T) {
	r := &rekor.Record{Message: message(crypto.SHA256, "a"), PublicKey: spki(t, rsaKey(t, 2048).Public())}
	body, err := r.Body()
	if err != nil || !bytes.Contains(body, []byte(`"PKIX_RSA_PSS_2048_SHA256"`)) {
		t.Fatalf("%s, %v", body, err)
	}
	other := bytes.Replace(body, []byte("PSS"), []byte("PKCS1V15"), 1)
	if err := r.Check(other); err != nil {
		t.Errorf("PKCS #1 v1.5: %v", err)
	}
	if err := r.Check(bytes.Replace(body, []byte("2048"), []byte("3072"), 1)); !errors.Is(err, rekor.ReasonAlgorithm) {
		t.Errorf("another size: %v", err)
	}
	odd := &rekor.Record{Message: message(crypto.SHA256, "a"), PublicKey: spki(t, rsaKey(t, 2056).Public())}
	if _, err := odd.Body(); !errors.Is(err, rekor.ErrUnsupported) {
		t.Errorf("2056 bits: %v", err)
	}
}

func TestNoRecord(t *testing.T) {
	good := signed(t, ecKey(elliptic.P256(), 7), "{}")
	e, public := good.Envelope, good.PublicKey
	two := *e
	two.Signatures = append(two.Signatures[:1:1], dsse.Signature{KeyID: "b", Sig: []byte("b")})
	empty := *e
	empty.Signatures = []dsse.Signature{{}}
	for _, tt := range []struct {
		name   string
		record rekor.Record
		kind   error
	}{
		{"nothing", rekor.Record{}, rekor.ErrInvalid},
		{"no key", rekor.Record{Envelope: e}, rekor.ErrInvalid},
		{"two keys", rekor.Record{Envelope: e, PublicKey: public, Certificate: public}, rekor.ErrInvalid},
		{"no content", rekor.Record{PublicKey: public}, rekor.ErrInvalid},
		{"two contents", rekor.Record{Envelope: e, Message: message(crypto.SHA256, "a"), PublicKey: public}, rekor.ErrInvalid},
		{"two signatures", rekor.Record{Envelope: &two, PublicKey: public}, rekor.ErrInvalid},
		{"an empty signature", rekor.Record{Envelope: &empty, PublicKey: public}, rekor.ErrInvalid},
		{"no digest", rekor.Record{Message: &bundle.MessageSignature{Signature: []byte("a")}, PublicKey: public}, rekor.ErrUnsupported},
		{"a short digest", rekor.Record{Message: &bundle.MessageSignature{Algorithm: crypto.SHA256, Digest: []byte("a"), Signature: []byte("a")}, PublicKey: public}, rekor.ErrInvalid},
		{"a digest that the key cannot have", rekor.Record{Message: message(crypto.SHA512, "a"), PublicKey: public}, rekor.ErrUnsupported},
		{"no DER", rekor.Record{Envelope: e, PublicKey: []byte("x")}, rekor.ErrInvalid},
		{"no certificate", rekor.Record{Envelope: e, Certificate: public}, rekor.ErrInvalid},
		{"P-521", rekor.Record{Envelope: e, PublicKey: spki(t, ecKey(elliptic.P521(), 7).Public())}, rekor.ErrUnsupported},
	} {
		if body, err := tt.record.Body(); body != nil || !errors.Is(err, tt.kind) {
			t.Errorf("%s: Body: %v, want %v", tt.name, err, tt.kind)
		}
		if text, err := tt.record.Request(); text != nil || !errors.Is(err, tt.kind) {
			t.Errorf("%s: Request: %v, want %v", tt.name, err, tt.kind)
		}
		body, err := good.Body()
		if err != nil {
			t.Fatal(err)
		}
		if tt.record.Check(body) == nil {
			t.Errorf("%s: Check takes an entry for it", tt.name)
		}
	}
}

// TestOthers: of several records that are alike, an entry is that of one. All of
// these entries are valid ones of the same log.
func TestOthers(t *testing.T) {
	key, other := ecKey(elliptic.P256(), 7), ecKey(elliptic.P256(), 8)
	base := signed(t, key, "{}")
	again := *base.Envelope // signed again: another signature, as good as the first
	again.Signatures = []dsse.Signature{{KeyID: "k", Sig: []byte("another good signature")}}
	retyped := *base.Envelope
	retyped.PayloadType = "application/vnd.other"
	records := map[string]*rekor.Record{
		"base":                         base,
		"other payload":                signed(t, key, "{ }"),
		"other type":                   {Envelope: &retyped, PublicKey: base.PublicKey},
		"other key":                    signed(t, other, "{}"),
		"other key, same signature":    {Envelope: base.Envelope, PublicKey: spki(t, other.Public())},
		"other signature":              {Envelope: &again, PublicKey: base.PublicKey},
		"certificate":                  {Envelope: base.Envelope, Certificate: certified(t, key, "a")},
		"other certificate of the key": {Envelope: base.Envelope, Certificate: certified(t, key, "b")},
		"message":                      {Message: message(crypto.SHA256, "a"), PublicKey: base.PublicKey},
		"other message":                {Message: message(crypto.SHA256, "b"), PublicKey: base.PublicKey},
		"P-384":                        signed(t, ecKey(elliptic.P384(), 7), "{}"),
		"Ed25519":                      signed(t, edKey(7), "{}"),
	}
	want := map[string]error{
		"other payload": rekor.ReasonSignature, "other type": rekor.ReasonDigest, "other key": rekor.ReasonKey, "other key, same signature": rekor.ReasonKey,
		"other signature": rekor.ReasonSignature, "certificate": rekor.ReasonKey, "other certificate of the key": rekor.ReasonKey,
		"message": rekor.ReasonSignature, "other message": rekor.ReasonSignature, "P-384": rekor.ReasonKey, "Ed25519": rekor.ReasonKey,
	}
	for a, record := range records {
		body, err := record.Body()
		if err != nil {
			t.Fatalf("%s: %v", a, err)
		}
		for b, r := range records {
			switch err := r.Check(body); {
			case a == b && err != nil:
				t.Errorf("%s: %v", a, err)
			case a != b && err == nil:
				t.Errorf("the entry of %q is taken for that of %q", a, b)
			case a != b && b == "base":
				if !errors.Is(err, want[a]) {
					t.Errorf("the entry of %q for base: %v, want %v", a, err, want[a])
				}
				if !errors.Is(err, rekor.ErrMismatch) {
					t.Errorf("%v is not ErrMismatch", err)
				}
			}
		}
	}
}

func TestCheckRefused(t *testing.T) {
	r := signed(t, ecKey(elliptic.P256(), 7), "{}")
	body, err := r.Body()
	if err != nil {
		t.Fatal(err)
	}
	whole := string(body)
	for _, tt := range []struct {
		name, old, new string
		want           rekor.Reason
	}{
		{"empty", whole, "", rekor.ReasonMalformed},
		{"null", whole, "null", rekor.ReasonKind},
		{"an array", whole, "[]", rekor.ReasonMalformed},
		{"cut", whole, whole[:len(whole)-1], rekor.ReasonMalformed},
		{"trailing garbage", whole, whole + "x", rekor.ReasonMalformed},
		{"trailing space", whole, whole + "\n", rekor.ReasonSpelling},
		{"space in front", whole, " " + whole, rekor.ReasonSpelling},
		{"another order", `"apiVersion":"0.0.2","kind":"hashedrekord"`, `"kind":"hashedrekord","apiVersion":"0.0.2"`, rekor.ReasonSpelling},
		{"an escape", `"kind"`, `"\u006bind"`, rekor.ReasonSpelling},
		{"an escape in base64", `"content":"ME`, `"content":"\u004dE`, rekor.ReasonSpelling},
		{"a null member", `"spec":{`, `"spec":{"dsseV002":null,`, rekor.ReasonSpelling},
		{"a member twice", `"kind"`, `"kind":"dsse","kind"`, rekor.ReasonMalformed},
		{"an unknown member", `"kind"`, `"note":1,"kind"`, rekor.ReasonMalformed},
		{"an unknown member within", `"keyDetails"`, `"note":1,"keyDetails"`, rekor.ReasonMalformed},
		{"another case", `"kind"`, `"Kind"`, rekor.ReasonKind},
		{"a later version", `"0.0.2"`, `"0.0.3"`, rekor.ReasonKind},
		{"an unknown kind", `"hashedrekord"`, `"rekord"`, rekor.ReasonKind},
		{"an older version", `"0.0.2"`, `"0.0.1"`, rekor.ReasonContent},
		{"the kind of another spec", `"hashedrekord"`, `"dsse"`, rekor.ReasonMalformed},
		{"no spec", `"spec":`, `"spec":null,"x":`, rekor.ReasonMalformed},
		{"spec null", whole[strings.Index(whole, `{"hashedRekordV002`) : len(whole)-1], `null`, rekor.ReasonMalformed},
		{"both specs", `"spec":{`, `"spec":{"dsseV002":{"payloadHash":{"algorithm":"","digest":""},"signatures":[]},`, rekor.ReasonMalformed},
		{"two keys", `"publicKey":`, `"x509Certificate":{"rawBytes":""},"publicKey":`, rekor.ReasonMalformed},
		{"no key", whole[strings.Index(whole, `,"publicKey"`):], "}}}}}", rekor.ReasonMalformed},
		{"no signature", whole[strings.Index(whole, `,"signature"`):], "}}}", rekor.ReasonMalformed},
		{"a deprecated name of the algorithm", "PKIX_ECDSA_P256_SHA_256", "PKIX_ECDSA_P256_HMAC_SHA_256", rekor.ReasonAlgorithm},
		{"another hash", "SHA2_256", "SHA2_384", rekor.ReasonAlgorithm},
		{"a hash by its number", `"SHA2_256"`, `"1"`, rekor.ReasonAlgorithm},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(whole, tt.old) {
				t.Fatalf("the body has no %s", tt.old)
			}
			err := r.Check([]byte(strings.Replace(whole, tt.old, tt.new, 1)))
			var e *rekor.CheckError
			if !errors.As(err, &e) || e.Reason != tt.want || !strings.Contains(err.Error(), string(tt.want)) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	if err := r.Check(make([]byte, bundle.MaxBody+1)); !errors.Is(err, rekor.ErrLimit) {
		t.Errorf("a large body: %v", err)
	}
}

func TestCheckEntry(t *testing.T) {
	r := signed(t, ecKey(elliptic.P256(), 7), "{}")
	body, err := r.Body()
	if err != nil {
		t.Fatal(err)
	}
	e := &bundle.Entry{Kind: rekor.Kind, Version: rekor.Version, Body: body}
	if err := r.CheckEntry(e); err != nil {
		t.Error(err)
	}
	if err := r.CheckEntry(nil); !errors.Is(err, rekor.ReasonMalformed) {
		t.Errorf("no entry: %v", err)
	}
	for _, label := range [][2]string{{"hashedrekord", "0.0.1"}, {"dsse", "0.0.2"}, {"", ""}, {"Hashedrekord", "0.0.2"}} {
		if err := r.CheckEntry(&bundle.Entry{Kind: label[0], Version: label[1], Body: body}); !errors.Is(err, rekor.ReasonLabel) || !errors.Is(err, rekor.ErrMismatch) {
			t.Errorf("%q: %v", label, err)
		}
	}
}

// TestDSSEV2: the kind that early Rekor v2 logs had, which is only checked.
func TestDSSEV2(t *testing.T) {
	key := ecKey(elliptic.P256(), 7)
	r := signed(t, key, "{}")
	b64 := base64.StdEncoding.EncodeToString
	body := func(digest, sig string) []byte {
		return fmt.Appendf(nil, `{"apiVersion":"0.0.2","kind":"dsse","spec":{"dsseV002":{"payloadHash":{"algorithm":"SHA2_256","digest":%q},"signatures":[{"content":%q,"verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{"rawBytes":%q}}}]}}}`,
			digest, sig, b64(r.PublicKey))
	}
	const empty = "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=" // SHA-256 of {}
	sig := b64(r.Envelope.Signatures[0].Sig)
	if err := r.Check(body(empty, sig)); err != nil {
		t.Error(err)
	}
	if err := r.Check(body(b64(make([]byte, 32)), sig)); !errors.Is(err, rekor.ReasonDigest) {
		t.Errorf("another payload: %v", err)
	}
	if err := r.Check(body(empty, "AAAA")); !errors.Is(err, rekor.ReasonSignature) {
		t.Errorf("another signature: %v", err)
	}
	m := &rekor.Record{Message: message(crypto.SHA256, "a"), PublicKey: r.PublicKey}
	if err := m.Check(body(empty, sig)); !errors.Is(err, rekor.ReasonContent) {
		t.Errorf("for a message: %v", err)
	}
}
