package bundle_test

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
)

func itoa(n int) string { return strconv.Itoa(n) }

func encode(t testing.TB, b *bundle.Bundle) string {
	t.Helper()
	text, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEncode(t *testing.T) {
	text := encode(t, sample())
	canonical := jsontext.Value(text).Clone()
	if err := canonical.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(canonical), text); diff != "" {
		t.Errorf("not canonical (-canonical +written):\n%s", diff)
	}
	got, err := bundle.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	entry := sample().Material.Entries[0]
	written, err := entry.Encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := bundle.DecodeEntry(written)
	if diff := cmp.Diff(&entry, read); err != nil || diff != "" {
		t.Errorf("entry: %v (-want +got):\n%s", err, diff)
	}
}

// entryOf is the text of the sample's log entry.
func entryOf(t testing.TB) string {
	text, err := sample().Material.Entries[0].Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// edits make the sample's text into another one that means the same.
var edits = map[string][]string{
	"older spelling":       {"application/vnd.dev.sigstore.bundle.v0.3+json", "application/vnd.dev.sigstore.bundle+json;version=0.3"},
	"version 0.2":          {".v0.3+json", "+json;version=0.2"},
	"version 0.1":          {".v0.3+json", "+json;version=0.1"},
	"number as a number":   {`"logIndex":"105"`, `"logIndex":105`},
	"base64 without pad":   {`"c2lnbmF0dXJl"`, `"c2lnbmF0dXJl"`, "YW5vdGhlcg==", "YW5vdGhlcg"},
	"lines in a timestamp": {"YW5vdGhlcg==", `YW5v\r\ndGhlcg==\n`},
	"null for absent":      {`"mediaType"`, `"messageSignature":null,"mediaType"`},
	"null of a list":       {`"publicKey"`, `"x509CertificateChain":null,"publicKey"`},
	"white space":          {`,"`, ",\n\t\""},
	"escapes":              {`"keyid"`, `"\u006beyid"`},
}

func TestDecodeSame(t *testing.T) {
	for name, edit := range edits {
		text := strings.NewReplacer(edit...).Replace(encode(t, sample()))
		got, err := bundle.Decode([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(sample(), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDecodeRefused(t *testing.T) {
	type edit struct{ name, old, new, want string }
	for kind, list := range map[error][]edit{
		bundle.ErrInvalid: {
			{"no media type", `"mediaType"`, `"mediatype"`, "mediaType is missing"},
			{"media type null", `"application/vnd.dev.sigstore.bundle.v0.3+json"`, `null`, "mediaType is missing"},
			{"no material", `"verificationMaterial":`, `"verificationMaterial":null,"x":`, "unknown"},
			{"unknown member", `"mediaType"`, `"comment":"","mediaType"`, "unknown"},
			{"unknown member within", `"keyid"`, `"ext":{},"keyid"`, "unknown"},
			{"another case", `"payloadType"`, `"PayloadType"`, "unknown"},
			{"snake case", `"logIndex":"105"`, `"log_index":"105"`, "unknown"},
			{"a member twice", `"payloadType"`, `"payload":"AA==","payloadType"`, "duplicate"},
			{"a member twice, escaped", `"payloadType"`, `"\u0070ayload":"AA==","payloadType"`, "duplicate"},
			{"trailing garbage", `"105"}]}}`, `"105"}]}}x`, "invalid character"},
			{"both contents", `"mediaType"`, `"messageSignature":{"signature":"AA=="},"mediaType"`, "both an envelope and a message"},
			{"no content", `"dsseEnvelope":`, `"x":`, "unknown"},
			{"no payload", `"payload":"`, `"payload":null,"x":"`, "unknown"},
			{"payload null", `"payload":"eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ=="`, `"payload":null`, "payload is missing"},
			{"payload with a line break", `"payload":"eyJ`, `"payload":"eyJ\n`, "illegal base64"},
			{"payload with a space", `"payload":"eyJ`, `"payload":" eyJ`, "illegal base64"},
			{"payload of both alphabets", `"payload":"eyJf`, `"payload":"+_Jf`, "illegal base64"},
			{"bits that say nothing", `"YW5vdGhlcg=="`, `"YW5vdGhlch=="`, "illegal base64"},
			{"half padded", `"YW5vdGhlcg=="`, `"YW5vdGhlcg="`, "illegal base64"},
			{"no payload type", `"application/vnd.in-toto+json"`, `""`, "payload type is empty"},
			{"no signatures", `[{"keyid":"key","sig":"c2lnbmF0dXJl"}]`, `[]`, "no signatures"},
			{"signature null", `[{"keyid":"key","sig":"c2lnbmF0dXJl"}]`, `[null]`, "null in an array"},
			{"empty signature", `"sig":"c2lnbmF0dXJl"`, `"sig":""`, "signature 0 is empty"},
			{"another hint", `"hint":"key"`, `"hint":"other"`, "key hint"},
			{"two keys", `"publicKey"`, `"certificate":{"rawBytes":"AA=="},"publicKey"`, "2 of publicKey"},
			{"no key", `"publicKey":{"hint":"key"},`, ``, "0 of publicKey"},
			{"a chain in 0.3", `"publicKey":{"hint":"key"}`, `"x509CertificateChain":{"certificates":[{"rawBytes":"AA=="}]}`, "version 0.3, which has one"},
			{"an empty certificate", `"publicKey":{"hint":"key"}`, `"certificate":{}`, "certificate 0 is missing or empty"},
			{"empty timestamp", `"YW5vdGhlcg=="`, `""`, "timestamp 1 is missing or empty"},
			{"entry null", `"tlogEntries":[`, `"tlogEntries":[null,`, "null in an array"},
			{"an entry twice", `"tlogEntries":[`, `"tlogEntries":[` + entryOf(t) + `,`, "log entries 0 and 1 are the same"},
			{"negative index", `"logIndex":"105"`, `"logIndex":"-1"`, "log index -1"},
			{"negative index as a number", `"logIndex":"105"`, `"logIndex":-1`, "log index -1"},
			{"index of 2^63", `"logIndex":"105"`, `"logIndex":"9223372036854775808"`, "no 64-bit integer"},
			{"index of 2^63 as a number", `"logIndex":"105"`, `"logIndex":9223372036854775808`, "no 64-bit integer"},
			{"index with an exponent", `"logIndex":"105"`, `"logIndex":1e2`, "no 64-bit integer"},
			{"index with a fraction", `"logIndex":"105"`, `"logIndex":"105.0"`, "no 64-bit integer"},
			{"index with a zero in front", `"logIndex":"105"`, `"logIndex":"0105"`, "no 64-bit integer"},
			{"index with a plus", `"logIndex":"105"`, `"logIndex":"+105"`, "no 64-bit integer"},
			{"index with a space", `"logIndex":"105"`, `"logIndex":" 105"`, "no 64-bit integer"},
			{"index in other digits", `"logIndex":"105"`, `"logIndex":"١٠٥"`, "no 64-bit integer"},
			{"index -0", `"logIndex":"105"`, `"logIndex":-0`, "no 64-bit integer"},
			{"index true", `"logIndex":"105"`, `"logIndex":true`, "want an integer"},
			{"index empty", `"logIndex":"105"`, `"logIndex":""`, "no 64-bit integer"},
			{"no log id", `"logId":`, `"logId":null,"x":`, "unknown"},
			{"log id null", `"logId":{"keyId":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}`, `"logId":null`, "logId is missing"},
			{"empty log id", `"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="`, `""`, "log id is missing or empty"},
			{"no kind", `"kindVersion":{"kind":"hashedrekord","version":"0.0.2"},`, ``, "kindVersion is missing"},
			{"empty kind", `"kind":"hashedrekord"`, `"kind":""`, "kind is missing or empty"},
			{"no body", `"canonicalizedBody":"eyJraW5kIjoiaGFzaGVkcmVrb3JkIn0=",`, ``, "canonicalized body is missing"},
			{"negative time", `"1700000000"`, `"-1"`, "integrated time -1"},
			{"empty promise", `"cHJvbWlzZQ=="`, `""`, "signedEntryTimestamp is missing"},
			{"no size", `"treeSize":"9"`, `"treeSize":"0"`, "tree size 0"},
			{"negative index of the proof", `"logIndex":"5"`, `"logIndex":"-5"`, "log index -5 of the inclusion proof"},
			{"short root", `"rootHash":"AAAA`, `"rootHash":"`, "root hash of 29 bytes"},
			{"short hash", `"AQEB`, `"`, "hash 0 of the inclusion proof has 29 bytes"},
			{"hash null", `"hashes":[`, `"hashes":[null,`, "null in an array"},
			{"no checkpoint", `"checkpoint":`, `"checkpoint":null,"x":`, "unknown"},
			{"empty checkpoint", `"envelope":"log.example`, `"envelope":"","x":"`, "unknown"},
			{"not UTF-8", `"hint":"key"`, "\"hint\":\"\xff\"", "UTF-8"},
			{"lone surrogate", `"hint":"key"`, `"hint":"\ud800"`, "surrogate"},
		},
		bundle.ErrUnsupported: {
			{"version 0.4", `.v0.3+json`, `.v0.4+json`, "mediaType"},
			{"version 0.3.1", `.v0.3+json`, `.v0.3.1+json`, "mediaType"},
			{"newer spelling of an old one", `.v0.3+json`, `.v0.1+json`, "mediaType"},
			{"no version", `.v0.3+json`, `+json`, "mediaType"},
			{"a space", `.v0.3+json`, `+json; version=0.3`, "mediaType"},
			{"another case", `vnd.dev`, `VND.dev`, "mediaType"},
		},
		bundle.ErrLimit: {
			{"two signatures", `"signatures":[`, `"signatures":[{"sig":"AA=="},`, "signatures"},
			{"33 entries", `"tlogEntries":[`, `"tlogEntries":[` + strings.Repeat("{},", bundle.MaxEntries), "log entries"},
			{"33 timestamps", `"rfc3161Timestamps":[`, `"rfc3161Timestamps":[` + strings.Repeat("{},", bundle.MaxTimestamps), "timestamps"},
			{"65 hashes", `"hashes":[`, `"hashes":[` + strings.Repeat(`"",`, bundle.MaxHashes), "hashes"},
			{"long hint", `"hint":"key"`, `"hint":"` + strings.Repeat("k", bundle.MaxHint+1) + `"`, "key hint"},
			{"long kind", `"kind":"hashedrekord"`, `"kind":"` + strings.Repeat("k", bundle.MaxName+1) + `"`, "kind"},
			{"long checkpoint", `"envelope":"`, `"envelope":"` + strings.Repeat("k", bundle.MaxCheckpoint), "checkpoint"},
			{"long timestamp", `"YW5vdGhlcg=="`, `"` + strings.Repeat("AAAA", bundle.MaxTimestamp/3+1) + `"`, "timestamp"},
		},
	} {
		for _, tt := range list {
			t.Run(tt.name, func(t *testing.T) {
				whole := encode(t, sample())
				if !strings.Contains(whole, tt.old) {
					t.Fatalf("the sample has no %s: %s", tt.old, whole)
				}
				b, err := bundle.Decode([]byte(strings.Replace(whole, tt.old, tt.new, 1)))
				if b != nil || !errors.Is(err, kind) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %v with %q", err, kind, tt.want)
				}
			})
		}
	}
}

func TestDecodeTruncated(t *testing.T) {
	text := encode(t, sample())
	for n := range len(text) {
		if _, err := bundle.Decode([]byte(text[:n])); !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, bundle.ErrInvalid) {
			t.Fatalf("cut after %d bytes: %v", n, err)
		}
	}
}

func TestVersions(t *testing.T) {
	text := encode(t, sample())
	chain := strings.Replace(text, `"publicKey":{"hint":"key"}`, `"x509CertificateChain":{"certificates":[{"rawBytes":"QQ=="},{"rawBytes":"Qg=="}]}`, 1)
	b, err := bundle.Decode([]byte(strings.Replace(chain, ".v0.3+json", "+json;version=0.2", 1)))
	if err != nil || len(b.Material.Certificates) != 2 {
		t.Fatalf("a chain in 0.2: %v", err)
	}
	if _, err := b.Encode(); !errors.Is(err, bundle.ErrUnsupported) {
		t.Errorf("Encode of a chain: %v, want ErrUnsupported", err)
	}

	i, j := strings.Index(text, `"inclusionProof"`), strings.Index(text, `"integratedTime"`)
	promised := text[:i] + text[j:]
	b, err = bundle.Decode([]byte(strings.Replace(promised, ".v0.3+json", "+json;version=0.1", 1)))
	if err != nil || b.Material.Entries[0].Proof != nil {
		t.Fatalf("an entry without proof in 0.1: %v", err)
	}
	if _, err := b.Encode(); !errors.Is(err, bundle.ErrUnsupported) {
		t.Errorf("Encode of an entry without proof: %v, want ErrUnsupported", err)
	}
	for _, v := range []string{"+json;version=0.2", "+json;version=0.3", ".v0.3+json"} {
		_, err = bundle.Decode([]byte(strings.Replace(promised, ".v0.3+json", v, 1)))
		if !errors.Is(err, bundle.ErrInvalid) || !strings.Contains(err.Error(), "inclusionProof is missing") {
			t.Errorf("an entry without proof in %s: %v", v, err)
		}
	}
	unpromised := strings.NewReplacer(".v0.3+json", "+json;version=0.1", `"inclusionPromise":{"signedEntryTimestamp":"cHJvbWlzZQ=="},`, "").Replace(text)
	if _, err = bundle.Decode([]byte(unpromised)); !errors.Is(err, bundle.ErrInvalid) || !strings.Contains(err.Error(), "inclusionPromise is missing") {
		t.Errorf("an entry without promise in 0.1: %v", err)
	}
}

func TestMessage(t *testing.T) {
	for _, tt := range []struct {
		message string
		want    bundle.MessageSignature
		kind    error
	}{
		{`{"signature":"QQ=="}`, bundle.MessageSignature{Signature: []byte("A")}, nil},
		{`{"messageDigest":null,"signature":"QQ=="}`, bundle.MessageSignature{Signature: []byte("A")}, nil},
		{`{"messageDigest":{"algorithm":"SHA2_256","digest":"%s"},"signature":"QQ=="}`, bundle.MessageSignature{Algorithm: crypto.SHA256, Digest: make([]byte, 32), Signature: []byte("A")}, nil},
		{`{"messageDigest":{"algorithm":1,"digest":"%s"},"signature":"QQ=="}`, bundle.MessageSignature{Algorithm: crypto.SHA256, Digest: make([]byte, 32), Signature: []byte("A")}, nil},
		{`{"messageDigest":{"algorithm":"SHA2_384","digest":"%s"},"signature":"QQ=="}`, bundle.MessageSignature{}, bundle.ErrInvalid},
		{`{"messageDigest":{"digest":"%s"},"signature":"QQ=="}`, bundle.MessageSignature{}, bundle.ErrInvalid},
		{`{"messageDigest":{"algorithm":"SHA3_256","digest":"%s"},"signature":"QQ=="}`, bundle.MessageSignature{}, bundle.ErrUnsupported},
		{`{"messageDigest":{"algorithm":"SHA2_256"},"signature":"QQ=="}`, bundle.MessageSignature{}, bundle.ErrInvalid},
		{`{"messageDigest":{"algorithm":"SHA2_256","digest":"%s"}}`, bundle.MessageSignature{}, bundle.ErrInvalid},
	} {
		zeros := "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
		message := strings.Replace(tt.message, "%s", zeros, 1)
		b, err := bundle.Decode(fmt.Appendf(nil, `{"mediaType":%q,"messageSignature":%s,"verificationMaterial":{"publicKey":{}}}`, bundle.MediaType, message))
		if tt.kind != nil {
			if !errors.Is(err, tt.kind) {
				t.Errorf("%s: %v, want %v", message, err, tt.kind)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", message, err)
			continue
		}
		if diff := cmp.Diff(&tt.want, b.Message); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", message, diff)
		}
		if again, err := bundle.Decode([]byte(encode(t, b))); err != nil || !cmp.Equal(b, again) {
			t.Errorf("%s: another bundle after Encode and Decode: %v", message, err)
		}
	}
}

func TestDecodeEntry(t *testing.T) {
	entry := sample().Material.Entries[0]
	text, err := entry.Encode()
	if err != nil {
		t.Fatal(err)
	}
	later := strings.Replace(string(text), `"logIndex"`, `"ofALaterRelease":[1],"logIndex"`, 1)
	got, err := bundle.DecodeEntry([]byte(later))
	if diff := cmp.Diff(&entry, got); err != nil || diff != "" {
		t.Errorf("with an unknown member: %v\n%s", err, diff)
	}
	for name, text := range map[string]string{
		"null": "null", "empty": "", "an object": "{}", "a list": "[]",
		"no proof": strings.Replace(string(text), `"inclusionProof"`, `"other"`, 1),
	} {
		if _, err := bundle.DecodeEntry([]byte(text)); !errors.Is(err, bundle.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNew(t *testing.T) {
	e := &dsse.Envelope{PayloadType: "a", Payload: []byte("b"), Signatures: []dsse.Signature{{KeyID: "key", Sig: []byte("c")}}}
	b := bundle.New(e, nil)
	if b.Material.KeyHint != "key" || b.Envelope.Signatures[0].KeyID != "" || e.Signatures[0].KeyID != "key" {
		t.Errorf("hint %q, key id %q, and %q in the envelope", b.Material.KeyHint, b.Envelope.Signatures[0].KeyID, e.Signatures[0].KeyID)
	}
	if text := encode(t, b); strings.Contains(text, "keyid") {
		t.Errorf("a key id is written: %s", text)
	}
	b = bundle.New(e, []byte("certificate"))
	if b.Material.KeyHint != "" || string(b.Material.Certificates[0]) != "certificate" {
		t.Errorf("with a certificate: %+v", b.Material)
	}
	encode(t, b)
	e.Signatures = append(e.Signatures, e.Signatures[0])
	if _, err := bundle.New(e, nil).Encode(); !errors.Is(err, bundle.ErrInvalid) {
		t.Errorf("two signatures: %v", err)
	}
}

func TestHelpers(t *testing.T) {
	b := sample()
	if got := b.Signature(); string(got) != "signature" {
		t.Errorf("Signature: %q", got)
	}
	if got := (&bundle.Bundle{Message: &bundle.MessageSignature{Signature: []byte("m")}}).Signature(); string(got) != "m" {
		t.Errorf("Signature of a message: %q", got)
	}
	if got := new(bundle.Bundle).Signature(); got != nil {
		t.Errorf("Signature of nothing: %q", got)
	}
	pae := dsse.PAE(b.Envelope.PayloadType, b.Envelope.Payload)
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		h := hash.New()
		h.Write(pae)
		if got, err := bundle.PAEDigest(b.Envelope, hash); err != nil || !bytes.Equal(got, h.Sum(nil)) {
			t.Errorf("%v: %x, %v", hash, got, err)
		}
	}
	for _, hash := range []crypto.Hash{0, crypto.SHA1, 99} {
		if _, err := bundle.PAEDigest(b.Envelope, hash); !errors.Is(err, bundle.ErrUnsupported) {
			t.Errorf("hash %d: %v", uint(hash), err)
		}
	}
}
