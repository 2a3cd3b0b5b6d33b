package attest_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/key"
)

type ecPair struct{ R, S *big.Int }

func rsOf(sig []byte) (r, s *big.Int) {
	var p ecPair
	if _, err := asn1.Unmarshal(sig, &p); err != nil {
		panic(err)
	}
	return p.R, p.S
}

func sigOf(r, s *big.Int) []byte {
	b, err := asn1.Marshal(ecPair{r, s})
	if err != nil {
		panic(err)
	}
	return b
}

// over is the envelope of the statement with a signature by a trusted key over something
// else than what it must be over.
func over(message func(payload []byte) []byte) func(l *lab) []byte {
	return plainText(func(l *lab, e doc) {
		e.at("signatures", 0)["sig"] = b64(ecSign(l.a, message(unb64(e["payload"].(string)))))
	})
}

const (
	unsigned = "not signed by whom it must be"
	statType = intoto.PayloadType
)

var paeAttacks = []attack{
	{name: "over the payload alone", code: unsigned, want: plainly, text: over(func(p []byte) []byte { return p })},
	{name: "over the payload in base64", code: unsigned, want: plainly, text: over(func(p []byte) []byte { return pae(statType, []byte(b64(p))) })},
	{name: "over the hash of what it must be over", code: unsigned, want: plainly, text: over(func(p []byte) []byte { h := sha256.Sum256(pae(statType, p)); return h[:] })},
	{name: "over another type", code: unsigned, want: plainly, text: over(func(p []byte) []byte { return pae("application/json", p) })},
	{name: "over no type", code: unsigned, want: plainly, text: over(func(p []byte) []byte { return pae("", p) })},
	{name: "of another version of the encoding", code: unsigned, want: plainly, text: over(func(p []byte) []byte { return bytes.Replace(pae(statType, p), []byte("DSSEv1"), []byte("DSSEv2"), 1) })},
	{name: "without a version", code: unsigned, want: plainly, text: over(func(p []byte) []byte { return bytes.TrimPrefix(pae(statType, p), []byte("DSSEv1 ")) })},
	{name: "without lengths", code: unsigned, want: plainly, text: over(func(p []byte) []byte { return fmt.Appendf(nil, "DSSEv1 %s %s", statType, p) })},
	{name: "with lengths of eight bytes", code: unsigned, want: plainly, text: over(func(p []byte) []byte {
		return fmt.Appendf(nil, "DSSEv1 %08d %s %08d %s", len(statType), statType, len(p), p)
	})},
	{name: "with lengths in the wrong order", code: unsigned, want: plainly, text: over(func(p []byte) []byte {
		return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(p), statType, len(statType), p)
	})},
	{name: "the payload before the type", code: unsigned, want: plainly, text: over(func(p []byte) []byte {
		return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(p), p, len(statType), statType)
	})},
	{name: "with a line end behind it", code: unsigned, want: plainly, text: over(func(p []byte) []byte { return append(pae(statType, p), '\n') })},
	{name: "a part of the type moved into the payload", code: "payload type", want: plainly, text: func(l *lab) []byte {
		// "DSSEv1 28 TYPE 3 abc" is also what "TYPE 3 abc" would give, were lengths not signed.
		e := seal(statType, []byte("abc"), l.a)
		e["payloadType"], e["payload"] = statType+" 3", b64([]byte("abc"))
		return e.text()
	}},
	{name: "payload with a line end that is not signed (CVE-2026-44309)", code: unsigned, want: plainly, text: plainText(func(l *lab, e doc) {
		e["payload"] = b64(append(unb64(e["payload"].(string)), '\n'))
	})},
	{name: "payload written anew, the same JSON (CVE-2026-44309)", code: unsigned, want: plainly, text: plainText(func(l *lab, e doc) {
		e["payload"] = b64(bytes.ReplaceAll(unb64(e["payload"].(string)), []byte(":"), []byte(": ")))
	})},
	{name: "payload with other line ends (CVE-2024-51746)", code: unsigned, want: plainly, text: func(l *lab) []byte {
		text := bytes.ReplaceAll(l.statement().text(), []byte(","), []byte(",\n"))
		return with(seal(statType, text, l.a), "payload", b64(bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")))).text()
	}},
	{name: "another payload under the signature (CVE-2022-36056)", code: unsigned, want: plainly, text: plainText(func(l *lab, e doc) {
		e["payload"] = b64(with(l.statement(), "predicateType", intoto.PredicateVerdict).text())
	})},
	{name: "no payload under the signature", code: unsigned, want: plainly, text: plainText(func(l *lab, e doc) { e["payload"] = "" })},
	{name: "signature of another bundle", code: unsigned, change: func(l *lab, d doc) {
		s := l.signed(with(l.statement(), "predicate", doc{}).text(), l.a).signature()["sig"]
		d.signature()["sig"] = s
		d.material()[stampData] = doc{"rfc3161Timestamps": []any{doc{"signedTimestamp": b64(l.stamp(unb64(s.(string))))}}}
	}},
}

// by is the envelope of the statement with signatures of keys.
func by(keys func(l *lab) []*ecdsa.PrivateKey) func(l *lab) []byte {
	return func(l *lab) []byte { return seal(statType, l.statement().text(), keys(l)...).text() }
}

func only(k func(l *lab) *ecdsa.PrivateKey) func(l *lab) []byte {
	return by(func(l *lab) []*ecdsa.PrivateKey { return []*ecdsa.PrivateKey{k(l)} })
}

// of is the envelope of a statement of a predicate type that the narrow key signed.
func of(predicateType string) func(l *lab) []byte {
	return func(l *lab) []byte {
		return seal(statType, with(l.statement(), "predicateType", predicateType).text(), l.narrow).text()
	}
}

// anything expects no predicate.
func anything(_ *lab, e *attest.Expectation) { e.Logged, e.Stamped, e.Predicates = false, false, nil }

// two expects two keys.
func two(_ *lab, e *attest.Expectation) { e.Logged, e.Stamped, e.Threshold = false, false, 2 }

var keyAttacks = []attack{
	{name: "an unknown key", code: unsigned, want: plainly, text: only(func(l *lab) *ecdsa.PrivateKey { return l.nobody })},
	{name: "an unknown key with a bundle of its own (CVE-2022-23649)", code: unsigned, bundle: func(l *lab) doc { return l.signed(l.statement().text(), l.nobody) }},
	{name: "an unknown key that hints at a trusted one", code: unsigned, bundle: func(l *lab) doc {
		d := l.signed(l.statement().text(), l.nobody)
		d.material().at("publicKey")["hint"] = idOf(l.a.Public())
		return d
	}},
	{name: "an unknown key, with the trusted key's entry beside it", code: unsigned, bundle: func(l *lab) doc {
		d := l.signed(l.statement().text(), l.nobody)
		d.material()[entries] = l.good().material()[entries]
		return d
	}},
	{name: "a key that expired", code: "key/key no longer valid", want: plainly, text: only(func(l *lab) *ecdsa.PrivateKey { return l.past })},
	{name: "a key that expired before it was stamped (CVE-2026-54787)", code: "key/key no longer valid", bundle: func(l *lab) doc { return l.signed(l.statement().text(), l.past) }},
	{name: "a key that is not valid yet", code: "key/key not yet valid", want: plainly, text: only(func(l *lab) *ecdsa.PrivateKey { return l.future })},
	{name: "a key that was not valid when it was stamped (CVE-2026-54787)", code: "key/key not yet valid", bundle: func(l *lab) doc { return l.signed(l.statement().text(), l.future) }},
	{name: "a key that is revoked (CVE-2024-56138)", code: "key/key revoked", want: plainly, text: only(func(l *lab) *ecdsa.PrivateKey { return l.stolen })},
	{name: "a key that was revoked before it was stamped", code: "key/key revoked", bundle: func(l *lab) doc { return l.signed(l.statement().text(), l.stolen) }},
	{name: "a key that never was to be believed", code: "key/key revoked", bundle: func(l *lab) doc { return l.signed(l.statement().text(), l.never) }},
	{name: "a revoked key with a stamp of nobody known", code: "key/key revoked", bundle: func(l *lab) doc { return l.signed(l.statement().text(), l.stolen) },
		want: func(l *lab, e *attest.Expectation) { e.Stamped, e.Unknown = false, true }, trust: func(l *lab, t *attest.Trust) { t.Authorities = nil }},
	{name: "a key in the ring twice, once revoked", code: "key/key revoked", want: plainly, text: plainText(nil), trust: func(l *lab, t *attest.Trust) {
		m := t.Keys.Members[0]
		m.Revoked = &key.Revocation{Reason: "lost"}
		t.Keys.Members = append(t.Keys.Members, m)
	}},
	{name: "a key in the ring twice, once expired", code: "key/key no longer valid", want: plainly, text: plainText(nil), trust: func(l *lab, t *attest.Trust) {
		m := t.Keys.Members[0]
		m.To = now.Add(-1)
		t.Keys.Members = append(t.Keys.Members, m)
	}},
	{name: "a key in the ring twice, once for other things", code: "key/key for other purposes", want: plainly, text: plainText(nil), trust: func(l *lab, t *attest.Trust) {
		m := t.Keys.Members[0]
		m.Purposes = []string{intoto.PredicateVerdict}
		t.Keys.Members = append(t.Keys.Members, m)
	}},
	{name: "a member without a time", code: "key/key not yet valid", want: plainly, text: plainText(nil), trust: func(l *lab, t *attest.Trust) { t.Keys.Members[0].From = time.Time{} }},
	{name: "a member without purposes", code: "key/key for other purposes", want: plainly, text: plainText(nil), trust: func(l *lab, t *attest.Trust) { t.Keys.Members[0].Purposes = nil }},
	{name: "a member whose purpose is empty", code: "key/key for other purposes", want: plainly, text: plainText(nil), trust: func(l *lab, t *attest.Trust) { t.Keys.Members[0].Purposes = []string{""} }},
	{name: "members without keys", code: unsigned, want: plainly, text: plainText(nil), trust: func(l *lab, t *attest.Trust) { t.Keys.Members = make([]key.Member, 3) }},
	{name: "an empty ring", code: unsigned, want: plainly, text: plainText(nil), trust: func(l *lab, t *attest.Trust) { t.Keys = key.Ring{} }},
	{name: "a trust that is zero", code: unsigned, want: plainly, text: plainText(nil), trust: func(l *lab, t *attest.Trust) { *t = attest.Trust{} }},

	{name: "a key for verdicts", code: "key/key for other purposes", want: plainly, text: only(func(l *lab) *ecdsa.PrivateKey { return l.narrow })},
	{name: "a key for another version of VEX", code: "key/key for other purposes", want: anything, text: of(intoto.PredicateOpenVEX + "/v0.0.1")},
	{name: "a key for one version of VEX, and none is named", code: "key/key for other purposes", want: anything, text: of(intoto.PredicateOpenVEX)},
	{name: "a key for another version of vulns", code: "key/key for other purposes", want: anything, text: of("https://in-toto.io/attestation/vulns/v0.3")},
	{name: "a key for an earlier version of vulns", code: "key/key for other purposes", want: anything, text: of("https://in-toto.io/attestation/vulns/v0.1")},
	{name: "a key for another type that begins alike", code: "key/key for other purposes", want: anything, text: of(intoto.PredicateVerdict + "1")},
	{name: "a key for a type that is not known", code: "key/key for other purposes", want: anything, text: of("https://example.com/unknown")},

	{name: "a trusted key that is not asked for", code: unsigned, text: nil, want: func(l *lab, e *attest.Expectation) { e.Signers = []string{idOf(l.b.Public())} }},
	{name: "the asked key's id in upper case", code: unsigned, want: func(l *lab, e *attest.Expectation) { e.Signers = []string{strings.ToUpper(idOf(l.a.Public()))} }},
	{name: "the beginning of the asked key's id", code: unsigned, want: func(l *lab, e *attest.Expectation) { e.Signers = []string{idOf(l.a.Public())[:16]} }},
	{name: "an empty id is asked for", code: unsigned, want: func(l *lab, e *attest.Expectation) { e.Signers = []string{""} }},

	{name: "one signature where two keys must sign", code: "below threshold", want: two, text: plainText(nil)},
	{name: "one signature twice", code: "below threshold", want: two, text: plainText(func(l *lab, e doc) { e["signatures"] = []any{e.at("signatures", 0), e.at("signatures", 0)} })},
	{name: "two signatures of one key", code: "below threshold", want: two, text: by(func(l *lab) []*ecdsa.PrivateKey { return []*ecdsa.PrivateKey{l.a, l.a} })},
	{name: "two signatures of one key under two names", code: "below threshold", want: two, text: plainText(func(l *lab, e doc) {
		again := seal(statType, l.statement().text(), l.a).at("signatures", 0)
		again["keyid"] = idOf(l.b.Public())
		e["signatures"] = []any{e.at("signatures", 0), again}
	})},
	{name: "a signature and its twin", code: "below threshold", want: two, text: plainText(func(l *lab, e doc) {
		s := e.at("signatures", 0)
		e["signatures"] = []any{s, doc{"keyid": "twin", "sig": b64(twin(l.a, unb64(s["sig"].(string))))}}
	})},
	{name: "a trusted key and a stranger", code: "below threshold", want: two, text: by(func(l *lab) []*ecdsa.PrivateKey { return []*ecdsa.PrivateKey{l.a, l.nobody} })},
	{name: "a trusted key and a revoked one", code: "below threshold", want: two, text: by(func(l *lab) []*ecdsa.PrivateKey { return []*ecdsa.PrivateKey{l.a, l.stolen} })},
	{name: "a trusted key and an expired one", code: "below threshold", want: two, text: by(func(l *lab) []*ecdsa.PrivateKey { return []*ecdsa.PrivateKey{l.past, l.a} })},
	{name: "a trusted key and one for other things", code: "below threshold", want: two, text: by(func(l *lab) []*ecdsa.PrivateKey { return []*ecdsa.PrivateKey{l.a, l.narrow} })},
	{name: "two keys, of which one is asked for", code: "below threshold", text: by(func(l *lab) []*ecdsa.PrivateKey { return []*ecdsa.PrivateKey{l.a, l.b} }),
		want: func(l *lab, e *attest.Expectation) { two(l, e); e.Signers = []string{idOf(l.a.Public())} }},
	{name: "two revoked keys", code: "key/key revoked", want: two, text: by(func(l *lab) []*ecdsa.PrivateKey { return []*ecdsa.PrivateKey{l.stolen, l.never} })},
	{name: "a threshold above all keys", code: "below threshold", text: by(func(l *lab) []*ecdsa.PrivateKey { return []*ecdsa.PrivateKey{l.a, l.b} }),
		want: func(l *lab, e *attest.Expectation) { two(l, e); e.Threshold = 1 << 62 }},
	{name: "two keys where a bundle has one signature", code: "below threshold", want: func(l *lab, e *attest.Expectation) { e.Threshold = 2 }},
	{name: "one key in the ring twice where two must sign", code: "below threshold", want: two, text: plainText(nil), trust: func(l *lab, t *attest.Trust) {
		t.Keys.Members = append(t.Keys.Members, t.Keys.Members[0])
	}},
}

// bent is the envelope of the statement with the signature changed.
func bent(how func(l *lab, message, sig []byte) []byte) func(l *lab) []byte {
	return plainText(func(l *lab, e doc) {
		s := e.at("signatures", 0)
		s["sig"] = b64(how(l, pae(statType, unb64(e["payload"].(string))), unb64(s["sig"].(string))))
	})
}

var signatureAttacks = []attack{
	{name: "one bit", code: unsigned, want: plainly, text: bent(func(l *lab, _, sig []byte) []byte { sig[len(sig)-1] ^= 1; return sig })},
	{name: "a byte behind it", code: unsigned, want: plainly, text: bent(func(l *lab, _, sig []byte) []byte { return append(sig, 0) })},
	{name: "without its last byte", code: unsigned, want: plainly, text: bent(func(l *lab, _, sig []byte) []byte { return sig[:len(sig)-1] })},
	{name: "r and s beside each other", code: unsigned, want: plainly, text: bent(func(l *lab, _, sig []byte) []byte {
		r, s := rsOf(sig)
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	})},
	{name: "zeros", code: unsigned, want: plainly, text: bent(func(l *lab, _, sig []byte) []byte { return sigOf(new(big.Int), new(big.Int)) })},
	{name: "r is 0", code: unsigned, want: plainly, text: bent(func(l *lab, _, sig []byte) []byte { _, s := rsOf(sig); return sigOf(new(big.Int), s) })},
	{name: "s and the order", code: unsigned, want: plainly, text: bent(func(l *lab, _, sig []byte) []byte {
		r, s := rsOf(sig)
		return sigOf(r, new(big.Int).Add(s, l.a.Params().N))
	})},
	{name: "r and the order", code: unsigned, want: plainly, text: bent(func(l *lab, _, sig []byte) []byte {
		r, s := rsOf(sig)
		return sigOf(new(big.Int).Add(r, l.a.Params().N), s)
	})},
	{name: "negative", code: unsigned, want: plainly, text: bent(func(l *lab, _, sig []byte) []byte { r, s := rsOf(sig); return sigOf(r, new(big.Int).Neg(s)) })},
	{name: "a zero before r", code: unsigned, want: plainly, text: bent(func(l *lab, _, sig []byte) []byte {
		r, s := rsOf(sig)
		rb, sb := append([]byte{0, 0}, r.Bytes()...), append([]byte{0}, s.Bytes()...)
		body := append(append([]byte{2, byte(len(rb))}, rb...), append([]byte{2, byte(len(sb))}, sb...)...)
		return append([]byte{0x30, byte(len(body))}, body...)
	})},
	{name: "a length in two bytes", code: unsigned, want: plainly, text: bent(func(l *lab, _, sig []byte) []byte { return append([]byte{0x30, 0x81, sig[1]}, sig[2:]...) })},
	{name: "an indefinite length", code: unsigned, want: plainly, text: bent(func(l *lab, _, sig []byte) []byte { return append(append([]byte{0x30, 0x80}, sig[2:]...), 0, 0) })},
	{name: "r and s swapped", code: unsigned, want: plainly, text: bent(func(l *lab, _, sig []byte) []byte { r, s := rsOf(sig); return sigOf(s, r) })},
	{name: "SHA-512 with P-256", code: unsigned, want: plainly, text: bent(func(l *lab, m, _ []byte) []byte {
		h := sha512.Sum512(m)
		sig, _ := ecdsa.SignASN1(rand.Reader, l.a, h[:])
		return sig
	})},
	{name: "SHA-256 with P-384", code: unsigned, want: plainly, text: bent(func(l *lab, m, _ []byte) []byte {
		h := sha256.Sum256(m)
		sig, _ := ecdsa.SignASN1(rand.Reader, l.p384, h[:])
		return sig
	})},
	{name: "Ed25519 over the hash", code: unsigned, want: plainly, text: bent(func(l *lab, m, _ []byte) []byte { h := sha256.Sum256(m); return ed25519.Sign(l.ed, h[:]) })},
	{name: "Ed25519ph", code: unsigned, want: plainly, text: bent(func(l *lab, m, _ []byte) []byte {
		h := sha512.Sum512(m)
		sig, _ := l.ed.Sign(nil, h[:], &ed25519.Options{Hash: 7})
		return sig
	})},
	{name: "64 zeros", code: unsigned, want: plainly, text: bent(func(*lab, []byte, []byte) []byte { return make([]byte, 64) })},
	{name: "64 KiB", code: "malformed", want: plainly, text: bent(func(*lab, []byte, []byte) []byte { return make([]byte, 64<<10+1) })},
}

// typed is the envelope of the statement under another type, signed under it.
func typed(payloadType string) func(l *lab) []byte {
	return func(l *lab) []byte { return seal(payloadType, l.statement().text(), l.a).text() }
}

var typeAttacks = []attack{
	{name: "general", code: "payload type", want: plainly, text: typed("application/json")},
	{name: "general, without the signature over it", code: "payload type", want: plainly, text: plainText(func(l *lab, e doc) { e["payloadType"] = "application/json" })},
	{name: "empty", code: "malformed", want: plainly, text: typed("")},
	{name: "with a parameter", code: "payload type", want: plainly, text: typed(statType + "; charset=utf-8")},
	{name: "in upper case", code: "payload type", want: plainly, text: typed(strings.ToUpper(statType))},
	{name: "with a blank", code: "payload type", want: plainly, text: typed(statType + " ")},
	{name: "of another application (CVE-2022-35929)", code: "payload type", want: plainly, text: typed("application/vnd.dev.cosign.simplesigning.v1+json")},
	{name: "of another application, in a bundle (CVE-2026-39395)", code: "payload type", bundle: func(l *lab) doc {
		return l.bundle(seal("text/plain", l.statement().text(), l.a), l.a.Public())
	}},
	{name: "a statement where another type is expected", code: "payload type", text: plainText(nil), want: func(l *lab, e *attest.Expectation) {
		*e = attest.Expectation{At: now, PayloadType: "application/vnd.example"}
	}},
	{name: "no statement, and subjects are expected", code: "statement", text: typed("application/vnd.example"), want: func(l *lab, e *attest.Expectation) {
		*e = attest.Expectation{At: now, PayloadType: "application/vnd.example", Subjects: []string{image}}
	}},
	{name: "no statement, and a predicate is expected", code: "statement", text: typed("application/vnd.example"), want: func(l *lab, e *attest.Expectation) {
		*e = attest.Expectation{At: now, PayloadType: "application/vnd.example", Predicates: []string{intoto.PredicateSPDX}}
	}},
	{name: "no statement, and an artifact is expected", code: "statement", text: typed("application/vnd.example"), want: func(l *lab, e *attest.Expectation) {
		*e = attest.Expectation{At: now, PayloadType: "application/vnd.example", Artifact: []byte("image")}
	}},
	{name: "a type that the key is not for", code: "key/key for other purposes", text: func(l *lab) []byte { return seal("application/vnd.example", []byte("x"), l.narrow).text() },
		want: func(l *lab, e *attest.Expectation) {
			*e = attest.Expectation{At: now, PayloadType: "application/vnd.example"}
		}},
}
