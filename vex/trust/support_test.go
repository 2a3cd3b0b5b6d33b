package trust_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/trust"
)

// at is when everything in these tests is decided.
var at = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func newKey(t testing.TB, n byte) *dsse.PrivateKey {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	k, err := dsse.NewPrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func identity(k *dsse.PrivateKey) string { return "key:sha256:" + k.KeyID() }

// envelope signs a payload.
func envelope(t testing.TB, payloadType string, payload []byte, keys ...*dsse.PrivateKey) *dsse.Envelope {
	t.Helper()
	signers := make([]dsse.Signer, len(keys))
	for i, k := range keys {
		signers[i] = k
	}
	e, err := dsse.Sign(context.Background(), payloadType, payload, signers...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func encode(t testing.TB, e *dsse.Envelope) []byte {
	t.Helper()
	text, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// attestation is an in-toto statement about things with these digests.
func attestation(predicateType, predicate string, digests ...string) []byte {
	var subjects []string
	for _, d := range digests {
		subjects = append(subjects, fmt.Sprintf(`{"name":"app","digest":{"sha256":%q}}`, strings.TrimPrefix(d, "sha256:")))
	}
	return fmt.Appendf(nil, `{"_type":%q,"subject":[%s],"predicateType":%q,"predicate":%s}`, intoto.TypeV1, strings.Join(subjects, ","), predicateType, predicate)
}

// document is a trust document of issuers and keys, as YAML.
func document(t testing.TB, issuers string, keys ...string) *trust.Document {
	t.Helper()
	text := "issuers:\n" + issuers
	if len(keys) > 0 {
		text += "keys:\n" + strings.Join(keys, "")
	}
	d, err := trust.Parse("trust.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// keyEntry is a key in YAML; more are its further members.
func keyEntry(name, issuer, member, text string, more ...string) string {
	s := fmt.Sprintf("  - name: %s\n    issuer: %s\n", name, issuer)
	for _, m := range more {
		s += "    " + m + "\n"
	}
	s += "    " + member + ": |\n"
	for line := range strings.Lines(text) {
		s += "      " + line
	}
	if !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return s
}

// pgpKey makes an OpenPGP key that is valid from a time on for a number of days, 0
// for ever.
func pgpKey(t testing.TB, name string, from time.Time, days int) *openpgp.Entity {
	t.Helper()
	config := &packet.Config{Time: func() time.Time { return from }, Algorithm: packet.PubKeyAlgoEdDSA, KeyLifetimeSecs: uint32(days * 24 * 3600)}
	e, err := openpgp.NewEntity(name, "", name+"@example.com", config)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func fingerprint(e *openpgp.Entity) string {
	return "pgp:" + strings.ToUpper(hex.EncodeToString(e.PrimaryKey.Fingerprint))
}

func armored(t testing.TB, kind string, write func(b *bytes.Buffer) error) string {
	t.Helper()
	var body, out bytes.Buffer
	if err := write(&body); err != nil {
		t.Fatal(err)
	}
	w, err := armor.Encode(&out, kind, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(body.Bytes())
	w.Close()
	return out.String() + "\n"
}

func publicBlock(t testing.TB, e *openpgp.Entity) string {
	return armored(t, openpgp.PublicKeyType, func(b *bytes.Buffer) error { return e.Serialize(b) })
}

// sign makes an armoured detached signature at a time.
func sign(t testing.TB, content []byte, when time.Time, lifetime uint32, signers ...*openpgp.Entity) []byte {
	t.Helper()
	config := &packet.Config{Time: func() time.Time { return when }, SigLifetimeSecs: lifetime}
	return []byte(armored(t, openpgp.SignatureType, func(b *bytes.Buffer) error {
		return openpgp.DetachSign(b, signers, bytes.NewReader(content), config)
	}))
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func verify(t testing.TB, v vex.Verifier, doc *vex.Document) vex.Verification {
	t.Helper()
	out, err := v.Verify(context.Background(), doc)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
