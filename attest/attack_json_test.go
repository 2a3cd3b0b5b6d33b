package attest_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
)

func literal(s string) func(*lab) []byte { return func(*lab) []byte { return []byte(s) } }

// after is the good bundle's text with something behind it.
func after(s string) func(l *lab) []byte {
	return func(l *lab) []byte { return append(l.good().text(), s...) }
}

// member gives the good bundle another value at a place.
func member(value any, place ...any) func(l *lab, d doc) {
	return func(l *lab, d doc) {
		last := len(place) - 1
		d.at(place[:last]...)[place[last].(string)] = value
	}
}

// gone takes a member away.
func gone(place ...any) func(l *lab, d doc) {
	return func(l *lab, d doc) {
		last := len(place) - 1
		if _, ok := d.at(place[:last]...)[place[last].(string)]; !ok {
			l.t.Fatalf("there is no %v", place)
		}
		delete(d.at(place[:last]...), place[last].(string))
	}
}

const (
	env       = "dsseEnvelope"
	mat       = "verificationMaterial"
	entries   = "tlogEntries"
	inclusion = "inclusionProof"
	stampData = "timestampVerificationData"
)

var jsonAttacks = []attack{
	{name: "nothing", code: "malformed", text: literal("")},
	{name: "white space", code: "malformed", text: literal(" \n\t ")},
	{name: "null", code: "malformed", text: literal("null")},
	{name: "a number", code: "malformed", text: literal("1")},
	{name: "a string", code: "malformed", text: literal(`"bundle"`)},
	{name: "an array", code: "malformed", text: literal("[]")},
	{name: "an array around the bundle", code: "malformed", text: func(l *lab) []byte { return fmt.Appendf(nil, "[%s]", l.good().text()) }},
	{name: "an empty object", code: "malformed", text: literal("{}")},
	{name: "a statement without an envelope", code: "malformed", text: func(l *lab) []byte { return l.statement().text() }},
	{name: "a null byte behind it", code: "malformed", text: after("\x00")},
	{name: "garbage behind it", code: "malformed", text: after(" x")},
	{name: "another bundle behind it", code: "malformed", text: func(l *lab) []byte { return append(append(l.good().text(), '\n'), l.good().text()...) }},
	{name: "a brace behind it", code: "malformed", text: after("}")},
	{name: "a byte order mark", code: "malformed", text: func(l *lab) []byte { return append([]byte("\ufeff"), l.good().text()...) }},
	{name: "a comment", code: "malformed", text: replaced(`"mediaType"`, `/* */"mediaType"`)},
	{name: "a comma too many", code: "malformed", text: replaced(`"mediaType"`, `,"mediaType"`)},
	{name: "cut in half", code: "malformed", text: func(l *lab) []byte { text := l.good().text(); return text[:len(text)/2] }},
	{name: "without its last byte", code: "malformed", text: func(l *lab) []byte { text := l.good().text(); return text[:len(text)-1] }},
	{name: "bytes that are no UTF-8", code: "malformed", text: replaced(`"hint":"`, `"hint":"`+"\xff")},
	{name: "a lone surrogate", code: "malformed", text: replaced(`"hint":"`, `"hint":"\ud800`)},
	{name: "a control character in a string", code: "malformed", text: replaced(`"hint":"`, "\"hint\":\"\x01")},
	{name: "NaN", code: "malformed", text: replaced(`"logIndex":"3"`, `"logIndex":NaN`)},
	{name: "single quotes", code: "malformed", text: replaced(`"hint"`, `'hint'`)},
	{name: "UTF-16", code: "malformed", text: func(l *lab) []byte {
		var out []byte
		for _, b := range l.good().text() {
			out = append(out, b, 0)
		}
		return out
	}},
	{name: "deep arrays", code: "malformed", text: literal(`{"mediaType":` + strings.Repeat("[", 100_000))},
	{name: "deep objects", code: "malformed", text: literal(strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000))},
	{name: "deep within the predicate", code: "statement", bundle: payload(func(l *lab) []byte {
		return bytes.Replace(l.statement().text(), []byte(`"SPDX-2.3"`), []byte(strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)), 1)
	})},
	{name: "100 MB of white space", code: "malformed", text: func(l *lab) []byte {
		return append(l.good().text(), bytes.Repeat([]byte(" "), bundle.MaxBundle)...)
	}},
	{name: "100 MB of payload", code: "malformed", text: literal(`{"payloadType":"t","payload":"` + strings.Repeat("A", dsse.MaxEnvelope) + `","signatures":[{"sig":"AA=="}]}`)},
	{name: "10⁵ signatures", code: "malformed", text: plainText(func(l *lab, e doc) {
		sigs := []any{}
		for range 100_000 {
			sigs = append(sigs, e.at("signatures", 0))
		}
		e["signatures"] = sigs
	}), want: plainly},
	{name: "10⁴ entries", code: "malformed", change: func(l *lab, d doc) {
		list := make([]any, 10_000)
		for i := range list {
			list[i] = with(d.entry(), "logIndex", fmt.Sprint(i))
		}
		d.material()[entries] = list
	}},
	{name: "10⁴ timestamps", code: "malformed", change: func(l *lab, d doc) {
		list := make([]any, 10_000)
		for i := range list {
			list[i] = d.material().at(stampData)["rfc3161Timestamps"].([]any)[0]
		}
		d.material().at(stampData)["rfc3161Timestamps"] = list
	}},

	{name: "mediaType twice", code: "malformed", text: replaced(`"mediaType"`, `"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","mediaType"`)},
	{name: "an envelope twice", code: "malformed", text: replaced(`"dsseEnvelope"`, `"dsseEnvelope":{},"dsseEnvelope"`)},
	{name: "an envelope twice, once escaped", code: "malformed", text: replaced(`"mediaType"`, `"dsse\u0045nvelope":{},"mediaType"`)},
	{name: "payload twice", code: "malformed", text: replaced(`"payloadType"`, `"payload":"AAAA","payloadType"`)},
	{name: "payload twice, of which one is null", code: "malformed", text: replaced(`"payloadType"`, `"payload":null,"payloadType"`)},
	{name: "payload type twice", code: "malformed", text: replaced(`"payloadType"`, `"payloadType":"application/json","payloadType"`)},
	{name: "signatures twice", code: "malformed", text: replaced(`"signatures"`, `"signatures":[],"signatures"`)},
	{name: "sig twice", code: "malformed", text: replaced(`"sig"`, `"sig":"AAAA","sig"`)},
	{name: "material twice", code: "malformed", text: replaced(`"verificationMaterial"`, `"verificationMaterial":{},"verificationMaterial"`)},
	{name: "entries twice", code: "malformed", text: replaced(`"tlogEntries"`, `"tlogEntries":[],"tlogEntries"`)},
	{name: "root hash twice", code: "malformed", text: replaced(`"rootHash"`, `"rootHash":"AAAA","rootHash"`)},
	{name: "hint twice", code: "malformed", text: replaced(`"hint"`, `"hint":"a","hint"`)},
	{name: "payload of another case beside it", code: "malformed", text: replaced(`"payloadType"`, `"Payload":"AAAA","payloadType"`)},
	{name: "media type of another case alone", code: "malformed", text: replaced(`"mediaType"`, `"MediaType"`)},
	{name: "envelope of another case alone", code: "malformed", text: replaced(`"dsseEnvelope"`, `"DsseEnvelope"`)},
	{name: "name in snake case, as proto JSON may read it", code: "malformed", text: replaced(`"dsseEnvelope"`, `"dsse_envelope"`)},
	{name: "an unknown member", code: "malformed", change: member(1, "extra")},
	{name: "an unknown member of the envelope", code: "malformed", change: member(1, env, "extra")},
	{name: "an unknown member of an entry", code: "malformed", change: func(l *lab, d doc) { d.entry()["extra"] = 1 }},
	{name: "an unknown member of a proof", code: "malformed", change: func(l *lab, d doc) { d.proof()["extra"] = 1 }},

	{name: "no media type", code: "malformed", change: gone("mediaType")},
	{name: "media type of another thing", code: "malformed", change: member("application/json", "mediaType")},
	{name: "media type of a later version", code: "malformed", change: member("application/vnd.dev.sigstore.bundle.v0.4+json", "mediaType")},
	{name: "media type with something behind it", code: "malformed", change: member("application/vnd.dev.sigstore.bundle.v0.3+json; x", "mediaType")},
	{name: "media type a number", code: "malformed", change: member(3, "mediaType")},
	{name: "no envelope", code: "malformed", change: gone(env)},
	{name: "envelope null", code: "malformed", change: member(nil, env)},
	{name: "an envelope and a message", code: "malformed", change: member(doc{"signature": "AAAA"}, "messageSignature")},
	{name: "an envelope and a bundle in one object", code: "malformed", change: member(intoto.PayloadType, "payloadType")},
	{name: "no material", code: "malformed", change: gone(mat)},
	{name: "no key", code: "malformed", change: gone(mat, "publicKey")},
	{name: "a key and a certificate", code: "malformed", change: member(doc{"rawBytes": "AAAA"}, mat, "certificate")},
	{name: "a chain of certificates in version 0.3", code: "malformed", change: func(l *lab, d doc) {
		delete(d.material(), "publicKey")
		d.material()["x509CertificateChain"] = doc{"certificates": []any{doc{"rawBytes": "AAAA"}}}
	}},
	{name: "no payload", code: "malformed", change: gone(env, "payload")},
	{name: "payload a number", code: "malformed", change: member(1, env, "payload")},
	{name: "payload an object", code: "malformed", change: member(doc{}, env, "payload")},
	{name: "no payload type", code: "malformed", change: gone(env, "payloadType")},
	{name: "no signatures", code: "malformed", change: gone(env, "signatures")},
	{name: "signatures empty (CVE-2022-35929)", code: "malformed", change: member([]any{}, env, "signatures")},
	{name: "signatures null", code: "malformed", change: member(nil, env, "signatures")},
	{name: "signature null", code: "malformed", change: member([]any{nil}, env, "signatures")},
	{name: "signature empty (CVE-2025-62375)", code: "malformed", change: func(l *lab, d doc) { d.signature()["sig"] = "" }},
	{name: "a bundle with two signatures", code: "malformed", change: func(l *lab, d doc) {
		d.envelope()["signatures"] = []any{d.signature(), doc{"sig": b64(ecSign(l.nobody, []byte("x")))}}
	}},
	{name: "an envelope whose signatures are empty", code: "malformed", text: plainText(func(l *lab, e doc) { e["signatures"] = []any{} }), want: plainly},
	{name: "an envelope with a signature that is empty", code: "malformed", text: plainText(func(l *lab, e doc) { e.at("signatures", 0)["sig"] = "" }), want: plainly},
	{name: "an envelope whose payload is there twice", code: "malformed", want: plainly, text: func(l *lab) []byte {
		return bytes.Replace(plainText(nil)(l), []byte(`{"payload"`), []byte(`{"payload":"AAAA","payload"`), 1)
	}},
	{name: "an envelope whose payload is of another case", code: "malformed", want: plainly, text: func(l *lab) []byte {
		return bytes.Replace(plainText(nil)(l), []byte(`"payload"`), []byte(`"Payload"`), 1)
	}},
	{name: "a long key id", code: "malformed", text: plainText(func(l *lab, e doc) { e.at("signatures", 0)["keyid"] = strings.Repeat("k", dsse.MaxKeyID+1) }), want: plainly},
	{name: "a hint that is not the envelope's key id", code: "malformed", change: func(l *lab, d doc) { d.signature()["keyid"] = "another" }},
}

// spell gives the payload another spelling of base64.
func spell(how func(std string) string) func(l *lab) []byte {
	return plainText(func(l *lab, e doc) { e["payload"] = how(e["payload"].(string)) })
}

// padded makes the payload need padding and both letters that alphabets differ in.
func padded(l *lab) []byte {
	s := l.statement()
	for n := 0; ; n++ {
		s["predicate"] = doc{"x": strings.Repeat(">?", 4) + strings.Repeat("~", n)}
		if text := s.text(); len(text)%3 == 1 {
			return text
		}
	}
}

var base64Attacks = []attack{
	{name: "not base64", code: "malformed", text: spell(func(string) string { return "***" }), want: plainly},
	{name: "hexadecimal", code: "malformed", text: plainText(func(l *lab, e doc) { e["payload"] = fmt.Sprintf("%xz", l.statement().text()) }), want: plainly},
	{name: "a line break", code: "malformed", text: spell(func(s string) string { return s[:8] + "\n" + s[8:] }), want: plainly},
	{name: "a carriage return", code: "malformed", text: spell(func(s string) string { return s + "\r" }), want: plainly},
	{name: "a blank", code: "malformed", text: spell(func(s string) string { return s[:8] + " " + s[8:] }), want: plainly},
	{name: "blanks around it", code: "malformed", text: spell(func(s string) string { return " " + s }), want: plainly},
	{name: "padding inside", code: "malformed", text: spell(func(s string) string { return "AA==" + s }), want: plainly},
	{name: "too much padding", code: "malformed", text: spell(func(s string) string { return s + "=" }), want: plainly},
	{name: "without padding", code: "malformed", want: plainly, text: func(l *lab) []byte {
		return with(seal(intoto.PayloadType, padded(l), l.a), "payload", base64.RawStdEncoding.EncodeToString(padded(l))).text()
	}},
	{name: "bits behind the end", code: "malformed", want: plainly, text: func(l *lab) []byte {
		s := b64(padded(l)) // ends in "Q==", whose letter has four bits that count for nothing
		return with(seal(intoto.PayloadType, padded(l), l.a), "payload", strings.TrimSuffix(s, s[len(s)-3:])+string(s[len(s)-3]+1)+"==").text()
	}},
	{name: "both alphabets", code: "malformed", want: plainly, text: func(l *lab) []byte {
		s := b64([]byte{0xfb, 0xff, 0xbe, 0xfb, 0xff, 0xbe})
		return with(seal(intoto.PayloadType, unb64(s), l.a), "payload", s[:4]+"-_--").text()
	}},
	{name: "a signature in two lines", code: "malformed", text: plainText(func(l *lab, e doc) {
		s := e.at("signatures", 0)
		s["sig"] = s["sig"].(string)[:8] + "\n" + s["sig"].(string)[8:]
	}), want: plainly},
	{name: "a signature in two lines, in a bundle", code: "malformed", change: func(l *lab, d doc) {
		d.signature()["sig"] = d.signature()["sig"].(string)[:8] + "\n" + d.signature()["sig"].(string)[8:]
	}},
	{name: "a payload in two lines, in a bundle", code: "malformed", change: func(l *lab, d doc) {
		d.envelope()["payload"] = d.envelope()["payload"].(string)[:8] + "\n" + d.envelope()["payload"].(string)[8:]
	}},
	{name: "base64 twice", code: "not signed by whom it must be", text: spell(func(s string) string { return b64([]byte(s)) }), want: plainly},
}

func canonically(_ *lab, e *attest.Expectation) { e.Canonical = true }
