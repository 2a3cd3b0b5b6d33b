package bundle_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
)

// sameMeaning compares a bundle with its JSON, read by other means: a plain
// decoder of the standard library.
func sameMeaning(t *testing.T, text []byte, b *bundle.Bundle) {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	flatten("", m, want)
	delete(want, ".mediaType")
	got := map[string]string{}
	describe(b, got)
	for k, v := range want {
		if v != "" && got[k] != v {
			t.Errorf("%s: %q, want %q", k, got[k], v)
		}
	}
	for k, v := range got {
		if _, ok := want[k]; !ok && v != "" && v != "0" {
			t.Errorf("%s: %q, which the text does not have", k, v)
		}
	}
}

func flatten(at string, v any, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			flatten(at+"."+k, x, into)
		}
	case []any:
		for i, x := range v {
			if at == ".verificationMaterial.x509CertificateChain.certificates" && i == 0 {
				at, i = ".verificationMaterial.certificate", -1
			}
			if i < 0 {
				flatten(at, x, into)
				continue
			}
			flatten(fmt.Sprintf("%s.%d", at, i), x, into)
		}
	default:
		s := fmt.Sprint(v)
		if strings.HasSuffix(at, ".signedTimestamp") {
			s = strings.ReplaceAll(s, "\n", "")
		}
		into[at] = s
	}
}

func describe(b *bundle.Bundle, into map[string]string) {
	b64 := base64.StdEncoding.EncodeToString
	if e := b.Envelope; e != nil {
		into[".dsseEnvelope.payload"] = b64(e.Payload)
		into[".dsseEnvelope.payloadType"] = e.PayloadType
		for i, s := range e.Signatures {
			into[fmt.Sprintf(".dsseEnvelope.signatures.%d.sig", i)] = b64(s.Sig)
			into[fmt.Sprintf(".dsseEnvelope.signatures.%d.keyid", i)] = s.KeyID
		}
	}
	if s := b.Message; s != nil {
		into[".messageSignature.signature"] = b64(s.Signature)
		into[".messageSignature.messageDigest.digest"] = b64(s.Digest)
		into[".messageSignature.messageDigest.algorithm"] = map[crypto.Hash]string{crypto.SHA256: "SHA2_256", crypto.SHA384: "SHA2_384", crypto.SHA512: "SHA2_512"}[s.Algorithm]
	}
	const m = ".verificationMaterial"
	into[m+".publicKey.hint"] = b.Material.KeyHint
	for _, c := range b.Material.Certificates {
		into[m+".certificate.rawBytes"] = b64(c)
	}
	for i, s := range b.Material.Timestamps {
		into[fmt.Sprintf("%s.timestampVerificationData.rfc3161Timestamps.%d.signedTimestamp", m, i)] = b64(s)
	}
	for i, e := range b.Material.Entries {
		at := fmt.Sprintf("%s.tlogEntries.%d", m, i)
		into[at+".logIndex"] = fmt.Sprint(e.LogIndex)
		into[at+".logId.keyId"] = b64(e.LogID)
		into[at+".kindVersion.kind"] = e.Kind
		into[at+".kindVersion.version"] = e.Version
		into[at+".integratedTime"] = fmt.Sprint(e.Promise.IntegratedTime)
		into[at+".inclusionPromise.signedEntryTimestamp"] = b64(e.Promise.SignedEntryTimestamp)
		into[at+".canonicalizedBody"] = b64(e.Body)
		if p := e.Proof; p != nil {
			into[at+".inclusionProof.logIndex"] = fmt.Sprint(p.LogIndex)
			into[at+".inclusionProof.treeSize"] = fmt.Sprint(p.TreeSize)
			into[at+".inclusionProof.rootHash"] = b64(p.RootHash[:])
			into[at+".inclusionProof.checkpoint.envelope"] = p.Checkpoint
			for j, h := range p.Hashes {
				into[fmt.Sprintf("%s.inclusionProof.hashes.%d", at, j)] = b64(h[:])
			}
		}
	}
}

// sample is a bundle with everything in it that version 0.3 can say.
func sample() *bundle.Bundle {
	proof := &bundle.Proof{LogIndex: 5, TreeSize: 9, Hashes: make([][32]byte, 4), Checkpoint: "log.example\n9\nAAAA\n\n— log.example AAAA\n"}
	for i := range proof.Hashes {
		proof.Hashes[i] = [32]byte(bytes.Repeat([]byte{byte(i + 1)}, 32))
	}
	return &bundle.Bundle{
		Envelope: &dsse.Envelope{
			PayloadType: "application/vnd.in-toto+json", Payload: []byte(`{"_type":"https://in-toto.io/Statement/v1"}`),
			Signatures: []dsse.Signature{{KeyID: "key", Sig: []byte("signature")}},
		},
		Material: bundle.VerificationMaterial{
			KeyHint: "key",
			Entries: []bundle.Entry{{
				LogIndex: 105, LogID: bytes.Repeat([]byte{7}, 32), Kind: "hashedrekord", Version: "0.0.2", Body: []byte(`{"kind":"hashedrekord"}`),
				Proof: proof, Promise: bundle.Promise{IntegratedTime: 1700000000, SignedEntryTimestamp: []byte("promise")},
			}},
			Timestamps: [][]byte{[]byte("a timestamp"), []byte("another")},
		},
	}
}
