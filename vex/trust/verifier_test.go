package trust_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/trust"
)

const openVEX = "https://openvex.dev/ns/v0.2.0"

// TestEnvelope checks what signatures over envelopes come to.
func TestEnvelope(t *testing.T) {
	first, second, gone, stranger := newKey(t, 1), newKey(t, 2), newKey(t, 3), newKey(t, 4)
	d := document(t, "  - {id: a-second, tier: 2, products: [\"*\"]}\n  - {id: b-first, tier: 1, products: [\"*\"]}\n",
		keyEntry("one", "b-first", "pem", string(first.Public().PEM())), keyEntry("two", "a-second", "pem", string(second.Public().PEM())),
		keyEntry("gone", "b-first", "pem", string(gone.Public().PEM()), "revoked: stolen in May"))
	v := d.Verifier(nil)
	payload := attestation(openVEX, "{}", digest("x"))
	signed := func(keys ...*dsse.PrivateKey) *dsse.Envelope {
		return envelope(t, intoto.PayloadType, payload, keys...)
	}
	edit := func(e *dsse.Envelope, edit func(*dsse.Envelope)) *dsse.Envelope { edit(e); return e }
	for _, tc := range []struct {
		name   string
		e      *dsse.Envelope
		want   vex.Signature
		signer string
		why    string
	}{
		{"signed", signed(first), vex.Verified, identity(first), ""},
		{"of the lower tier", signed(second), vex.Verified, identity(second), ""},
		{"of both: the higher tier decides", signed(second, first), vex.Verified, identity(first), ""},
		{"with a stranger's beside it", signed(stranger, first), vex.Verified, identity(first), ""},
		{"with a revoked one beside it", signed(gone, second), vex.Verified, identity(second), ""},
		{"of a stranger", signed(stranger), vex.Unchecked, "", "none of the keys"},
		{"of a revoked key", signed(gone), vex.Bad, "", `"gone", which is revoked: stolen in May`},
		{"without a hint", edit(signed(first), func(e *dsse.Envelope) { e.Signatures[0].KeyID = "" }), vex.Verified, identity(first), ""},
		{"under another's hint", edit(signed(first), func(e *dsse.Envelope) { e.Signatures[0].KeyID = stranger.KeyID() }), vex.Verified, identity(first), ""},
		{"a stranger's under a known hint", edit(signed(stranger), func(e *dsse.Envelope) { e.Signatures[0].KeyID = first.KeyID() }), vex.Bad, "", `"one", which it names, did not sign`},
		{"changed payload", edit(signed(first), func(e *dsse.Envelope) { e.Payload = append(e.Payload, ' ') }), vex.Bad, "", "did not sign"},
		{"changed payload without a hint", edit(signed(first), func(e *dsse.Envelope) { e.Payload = append(e.Payload, ' '); e.Signatures[0].KeyID = "" }), vex.Unchecked, "", "none of the keys"},
		{"changed type", edit(signed(first), func(e *dsse.Envelope) { e.PayloadType = "text/vex" }), vex.Bad, "", "did not sign"},
		{"changed signature", edit(signed(first), func(e *dsse.Envelope) { e.Signatures[0].Sig[3] ^= 1 }), vex.Bad, "", "did not sign"},
		{"another type", envelope(t, "application/json", payload, first), vex.Unchecked, "", "none of a VEX document"},
		{"a feed's role", envelope(t, "application/vnd.stella.role+json", payload, first), vex.Unchecked, "", "none of a VEX document"},
		{"a bare document", envelope(t, "text/vex", []byte(`{"@context":"https://openvex.dev/ns"}`), first), vex.Verified, identity(first), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := verify(t, v, &vex.Document{Content: encode(t, tc.e)})
			if got.Signature != tc.want || got.Signer != tc.signer || !strings.Contains(got.Why, tc.why) || (got.Why == "") != (tc.want == vex.Verified) {
				t.Errorf("got %+v", got)
			}
			if readable := tc.e.PayloadType == intoto.PayloadType || tc.e.PayloadType == "text/vex"; readable != bytes.Equal(got.Payload, tc.e.Payload) {
				t.Errorf("payload %q", got.Payload)
			}
		})
	}
}

func TestNotEnvelopes(t *testing.T) {
	k := newKey(t, 1)
	v := document(t, vendor, keyEntry("k", "vendor", "pem", string(k.Public().PEM()))).Verifier(&trust.Options{At: at})
	good := string(encode(t, envelope(t, intoto.PayloadType, attestation(openVEX, "{}", digest("x")), k)))
	for name, tc := range map[string]struct {
		content, proof string
		want           vex.Signature
		why            string
	}{
		"a plain document":        {`{"@context":"https://openvex.dev/ns"}`, "", vex.Unsigned, ""},
		"nothing":                 {"", "", vex.Unsigned, ""},
		"an envelope cut short":   {good[:len(good)-1], "", vex.Unsigned, ""}, // it is no document either
		"no signatures":           {`{"payload":"e30=","payloadType":"text/vex","signatures":[]}`, "", vex.Unchecked, "signatures"},
		"signatures are missing":  {`{"payload":"e30=","payloadType":"text/vex"}`, "", vex.Unchecked, "signatures is missing"},
		"a member twice":          {strings.Replace(good, `{`, `{"payload":"",`, 1), "", vex.Unsigned, ""},
		"a document and envelope": {strings.Replace(good, `{`, `{"@context":"https://openvex.dev/ns",`, 1), "", vex.Unsigned, ""},
		"a proof that is none":    {"{}", "x", vex.Unchecked, "cannot be read"},
		"a large proof":           {"{}", strings.Repeat("x", trust.MaxProof+1), vex.Unchecked, "more than"},
		"a bundle of a message":   {`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","messageSignature":{}}`, "", vex.Unchecked, "no envelope"},
		"a bundle, broken":        {`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":[]}`, "", vex.Unchecked, "cannot be read"},
	} {
		got := verify(t, v, &vex.Document{Content: []byte(tc.content), Proof: []byte(tc.proof)})
		if got.Signature != tc.want || !strings.Contains(got.Why, tc.why) || got.Signer != "" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// TestKeyAlgorithms: other tools' keys and their kinds of signature.
func TestKeyAlgorithms(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	payload := []byte("{}")
	pae := dsse.PAE("text/vex", payload)
	sum := sha256.Sum256(pae)
	must := func(sig []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	for name, tc := range map[string]struct {
		key crypto.PublicKey
		sig []byte
	}{
		"ECDSA":       {curve.Public(), must(ecdsa.SignASN1(rand.Reader, curve, sum[:]))},
		"RSA-PSS":     {r.Public(), must(rsa.SignPSS(rand.Reader, r, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))},
		"RSA PKCS #1": {r.Public(), must(rsa.SignPKCS1v15(rand.Reader, r, crypto.SHA256, sum[:]))},
	} {
		pub, err := dsse.NewPublicKey(tc.key)
		if err != nil {
			t.Fatal(err)
		}
		v := document(t, vendor, keyEntry("k", "vendor", "pem", string(pub.PEM()))).Verifier(nil)
		e := &dsse.Envelope{PayloadType: "text/vex", Payload: payload, Signatures: []dsse.Signature{{Sig: tc.sig}}}
		if got := verify(t, v, &vex.Document{Content: encode(t, e)}); got.Signature != vex.Verified || got.Signer != "key:sha256:"+pub.KeyID() {
			t.Errorf("%s: %+v", name, got)
		}
		e.Payload = []byte("{} ")
		if got := verify(t, v, &vex.Document{Content: encode(t, e)}); got.Signature != vex.Unchecked {
			t.Errorf("%s, changed: %+v", name, got)
		}
	}
}

// log is a Sigstore of the test.
type log func(bundle []byte) (*dsse.Verified, error)

func (l log) VerifyBundle(_ context.Context, bundle []byte) (*dsse.Verified, error) { return l(bundle) }

func TestBundle(t *testing.T) {
	k := newKey(t, 1)
	d := document(t, vendor, keyEntry("k", "vendor", "pem", string(k.Public().PEM())))
	payload := attestation(openVEX, "{}", digest("x"))
	e := string(encode(t, envelope(t, intoto.PayloadType, payload, k)))
	foreign := string(encode(t, envelope(t, intoto.PayloadType, payload, newKey(t, 2))))
	bundle := func(material, envelope string) []byte {
		return []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":` + material + `,"dsseEnvelope":` + envelope + `}`)
	}
	const subject = "sigstore:https://issuer.example.com|https://ci.example.com/vendor/app"
	says := func(out *dsse.Verified, err error) trust.Sigstore {
		return log(func([]byte) (*dsse.Verified, error) { return out, err })
	}
	good := &dsse.Verified{PayloadType: intoto.PayloadType, Payload: payload, Keys: []string{subject}}
	certified := `{"certificate":{"rawBytes":"AAAA"},"tlogEntries":[]}`
	down := errors.New("the log is away")
	for _, tc := range []struct {
		name     string
		content  []byte
		sigstore trust.Sigstore
		want     vex.Signature
		signer   string
		why      string
		err      error
	}{
		{"plain key", bundle(`{"publicKey":{"hint":"x"}}`, e), nil, vex.Verified, identity(k), "", nil},
		{"plain key of a stranger", bundle(`{"publicKey":{"hint":"x"}}`, foreign), nil, vex.Unchecked, "", "none of the keys", nil},
		{"nothing about the key", bundle(`{}`, e), nil, vex.Verified, identity(k), "", nil},
		{"certificate, nobody to ask", bundle(certified, e), nil, vex.Unchecked, "", "needs a sigstore verifier", nil},
		{"chain, nobody to ask", bundle(`{"x509CertificateChain":{"certificates":[]}}`, e), nil, vex.Unchecked, "", "needs a sigstore verifier", nil},
		{"certificate", bundle(certified, foreign), says(good, nil), vex.Verified, subject, "", nil},
		{"certificate, not so", bundle(certified, e), says(nil, fmt.Errorf("the root differs: %w", dsse.ErrMismatch)), vex.Bad, "", "the root differs", nil},
		{"certificate, log away", bundle(certified, e), says(nil, down), "", "", "", down},
		{"certificate of nobody", bundle(certified, e), says(&dsse.Verified{PayloadType: intoto.PayloadType, Payload: payload}, nil), vex.Unchecked, "", "names 0 signers", nil},
		{"certificate, in a key's name", bundle(certified, e), says(&dsse.Verified{PayloadType: intoto.PayloadType, Payload: payload, Keys: []string{identity(k)}}, nil), vex.Unchecked, "", "want one certificate's", nil},
		{"certificate for something else", bundle(certified, e), says(&dsse.Verified{PayloadType: "application/json", Keys: []string{subject}}, nil), vex.Unchecked, "", "application/json", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := d.Verifier(&trust.Options{Sigstore: tc.sigstore}).Verify(t.Context(), &vex.Document{Content: tc.content})
			if !errors.Is(err, tc.err) || got.Signature != tc.want || got.Signer != tc.signer || !strings.Contains(got.Why, tc.why) {
				t.Errorf("got %+v, %v", got, err)
			}
			if tc.err == nil && !bytes.Equal(got.Payload, payload) {
				t.Errorf("payload %q", got.Payload)
			}
		})
	}
}

// TestOpenPGP checks what detached signatures come to.
func TestOpenPGP(t *testing.T) {
	content := []byte(`{"document":{"csaf_version":"2.0"}}`)
	made := at.AddDate(0, -2, 0)
	first, expiring := pgpKey(t, "first", at.AddDate(-2, 0, 0), 0), pgpKey(t, "expiring", at.AddDate(-1, 0, 0), 200)
	revoked, retired, gone, stranger := pgpKey(t, "revoked", at.AddDate(-1, 0, 0), 0), pgpKey(t, "retired", at.AddDate(-1, 0, 0), 0), pgpKey(t, "gone", at.AddDate(-1, 0, 0), 0), pgpKey(t, "stranger", at.AddDate(-1, 0, 0), 0)
	second := pgpKey(t, "second", at.AddDate(-1, 0, 0), 0)
	when := &packet.Config{Time: func() time.Time { return at.AddDate(0, -1, 0) }}
	sig := map[string][]byte{}
	for _, e := range []*openpgp.Entity{first, second, revoked, retired, gone, stranger} {
		for name := range e.Identities {
			sig[strings.Fields(name)[0]] = sign(t, content, made, 0, e)
		}
	}
	late := sign(t, content, at.AddDate(0, 0, -1), 0, retired)
	if err := revoked.Revoke(packet.KeyCompromised, "lost", when); err != nil {
		t.Fatal(err)
	}
	if err := retired.Revoke(packet.KeyRetired, "retired", when); err != nil {
		t.Fatal(err)
	}
	d := document(t, "  - {id: a-second, tier: 2, products: [\"*\"]}\n  - {id: b-first, tier: 1, products: [\"*\"]}\n",
		keyEntry("first", "b-first", "openpgp", publicBlock(t, first)), keyEntry("expiring", "b-first", "openpgp", publicBlock(t, expiring)),
		keyEntry("revoked", "b-first", "openpgp", publicBlock(t, revoked)), keyEntry("retired", "b-first", "openpgp", publicBlock(t, retired)),
		keyEntry("gone", "b-first", "openpgp", publicBlock(t, gone), "revoked: stolen in May"), keyEntry("second", "a-second", "openpgp", publicBlock(t, second)))
	flipped := bytes.Replace(content, []byte("2.0"), []byte("2.1"), 1)
	for _, tc := range []struct {
		name           string
		content, proof []byte
		at             time.Time
		want           vex.Signature
		signer, why    string
	}{
		{"signed", content, sig["first"], at, vex.Verified, fingerprint(first), ""},
		{"of two issuers", content, sign(t, content, made, 0, second, first), at, vex.Verified, fingerprint(first), ""},
		{"with a stranger's", content, sign(t, content, made, 0, stranger, second), at, vex.Verified, fingerprint(second), ""},
		{"of a stranger", content, sig["stranger"], at, vex.Unchecked, "", "of which the trust document has no key"},
		{"changed", flipped, sig["first"], at, vex.Bad, "", `"first" did not sign this`},
		{"changed, of a stranger", flipped, sig["stranger"], at, vex.Unchecked, "", "no key"},
		{"longer", append(slices.Clone(content), '\n'), sig["first"], at, vex.Bad, "", "did not sign this"},
		{"while the key was valid", content, sign(t, content, at.AddDate(-1, 1, 0), 0, expiring), at, vex.Verified, fingerprint(expiring), ""},
		{"for a term that is over", content, sign(t, content, made, 3600, first), at, vex.Unchecked, "", "is not valid at 2026-06-01T12:00:00Z"},
		{"for a term that is not", content, sign(t, content, made, 3600, first), made.Add(time.Minute), vex.Verified, fingerprint(first), ""},
		{"from the future", content, sign(t, content, at.AddDate(0, 1, 0), 0, first), at, vex.Unchecked, "", "is not valid at"},
		{"of a key that was stolen", content, sig["revoked"], at, vex.Bad, "", "which its owner revoked"},
		{"of a key before it retired", content, sig["retired"], at, vex.Verified, fingerprint(retired), ""},
		{"of a key after it retired", content, late, at, vex.Bad, "", "which its owner revoked"},
		{"of a key that is revoked here", content, sig["gone"], at, vex.Bad, "", "which is revoked: stolen in May"},
		{"without a time", content, sig["first"], time.Time{}, vex.Unchecked, "", "no time was given"},
		{"a key as a proof", content, []byte(publicBlock(t, first)), at, vex.Unchecked, "", "cannot be read"},
		{"a broken block", content, sig["first"][:len(sig["first"])/2], at, vex.Unchecked, "", "cannot be read"},
		{"text before it", content, append([]byte("x\n"), sig["first"]...), at, vex.Unchecked, "", "cannot be read"},
		{"two blocks", content, append(slices.Clone(sig["stranger"]), sig["first"]...), at, vex.Unchecked, "", "cannot be read"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := verify(t, d.Verifier(&trust.Options{At: tc.at}), &vex.Document{Content: tc.content, Proof: tc.proof})
			if got.Signature != tc.want || got.Signer != tc.signer || !strings.Contains(got.Why, tc.why) || got.Payload != nil {
				t.Errorf("got %+v", got)
			}
		})
	}
	t.Run("after the key's end", func(t *testing.T) {
		// The library signs with no key that is over; a clock that is wrong does.
		e := pgpKey(t, "short", at.AddDate(-1, 0, 0), 0)
		proof := sign(t, content, made, 0, e)
		var days uint32 = 200 * 24 * 3600
		for _, id := range e.Identities {
			for _, s := range id.SelfCertifications {
				s.Packet.KeyLifetimeSecs = &days
				if err := s.Packet.SignUserId(id.UserId.Id, e.PrimaryKey, e.PrivateKey, &packet.Config{Time: func() time.Time { return s.Packet.CreationTime }}); err != nil {
					t.Fatal(err)
				}
			}
		}
		v := document(t, vendor, keyEntry("short", "vendor", "openpgp", publicBlock(t, e))).Verifier(&trust.Options{At: at})
		if got := verify(t, v, &vex.Document{Content: content, Proof: proof}); got.Signature == vex.Verified || got.Signature == vex.Bad {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("concurrent", func(t *testing.T) {
		v := d.Verifier(&trust.Options{At: at})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if got := verify(t, v, &vex.Document{Content: content, Proof: sig["first"]}); got.Signature != vex.Verified {
					t.Errorf("got %+v", got)
				}
			})
		}
		wg.Wait()
	})
}

// TestProviders checks the signatures of the provider trees, which come with their
// key.
func TestProviders(t *testing.T) {
	files := testdata.Open(t, "vex/csaf-provider-trees.tar.gz")
	for _, tree := range []string{"testdata/simple-directory-provider/", "testdata/simple-rolie-provider/"} {
		text := "issuers:\n" + vendor + "keys:\n" + keyEntry("provider", "vendor", "openpgp", string(files[tree+"openpgp/pubkey.asc"]))
		d, err := trust.Parse("t", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		v := d.Verifier(&trust.Options{At: at})
		name := tree + "white/avendor-advisory-0004.json"
		got := verify(t, v, &vex.Document{Content: files[name], Proof: files[name+".asc"]})
		if got.Signature != vex.Verified || got.Signer != "pgp:A8914CA2F11139C6A69A0018FB3CD9B15DE61596" {
			t.Errorf("%s: %+v", name, got)
		}
		other := append(bytes.Clone(files[name]), ' ')
		if got := verify(t, v, &vex.Document{Content: other, Proof: files[name+".asc"]}); got.Signature != vex.Bad {
			t.Errorf("%s, changed: %+v", name, got)
		}
	}
}

// TestSigstoreBundles reads published bundles: none of them counts without their
// verifier, and one of a plain key does with the key.
func TestSigstoreBundles(t *testing.T) {
	files := testdata.Open(t, "conformance/sigstore-bundle-verify.tar.gz")
	k := newKey(t, 1)
	v := document(t, vendor, keyEntry("k", "vendor", "pem", string(k.Public().PEM()))).Verifier(nil)
	seen := map[vex.Signature]int{}
	for _, name := range testdata.Names(files) {
		if strings.HasSuffix(name, "bundle.sigstore.json") {
			got := verify(t, v, &vex.Document{Content: files[name]})
			if seen[got.Signature]++; got.Signature == vex.Verified || got.Signature == vex.Bad {
				t.Errorf("%s: %+v", name, got)
			}
		}
	}
	t.Log(seen)
	if seen[vex.Unchecked] < 20 {
		t.Errorf("%v", seen)
	}
}

func FuzzVerify(f *testing.F) {
	k, e := newKey(f, 1), pgpKey(f, "first", at.AddDate(-1, 0, 0), 0)
	v := document(f, vendor, keyEntry("k", "vendor", "pem", string(k.Public().PEM())), keyEntry("p", "vendor", "openpgp", publicBlock(f, e))).Verifier(&trust.Options{At: at})
	good := encode(f, envelope(f, intoto.PayloadType, attestation(openVEX, "{}", digest("x")), k))
	proof := sign(f, []byte("{}"), at.AddDate(0, -1, 0), 0, e)
	f.Add(good, []byte(nil))
	f.Add([]byte("{}"), proof)
	f.Fuzz(func(t *testing.T, content, sig []byte) {
		got := verify(t, v, &vex.Document{Content: content, Proof: sig})
		if got.Signature == vex.Verified && got.Signer != identity(k) && string(content) != "{}" {
			t.Errorf("%+v", got)
		}
		if (got.Signature == vex.Bad || got.Signature == vex.Unchecked) != (got.Why != "") {
			t.Errorf("%+v", got)
		}
	})
}
