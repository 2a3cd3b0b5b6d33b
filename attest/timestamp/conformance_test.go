package timestamp_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"os"
	"path"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/timestamp"
	"github.com/stella-ops/stella/internal/testdata"
)

// bundle is what of a Sigstore bundle, and of a trusted root, is about
// timestamps.
type bundle struct {
	VerificationMaterial struct {
		TimestampVerificationData struct {
			RFC3161Timestamps []struct{ SignedTimestamp []byte } `json:"rfc3161Timestamps"`
		} `json:"timestampVerificationData"`
	} `json:"verificationMaterial"`
	MessageSignature *struct{ Signature []byte } `json:"messageSignature"`
	DSSEEnvelope     *struct {
		Signatures []struct{ Sig []byte } `json:"signatures"`
	} `json:"dsseEnvelope"`
}

func (b *bundle) message() []byte {
	if b.MessageSignature != nil {
		return b.MessageSignature.Signature
	}
	return b.DSSEEnvelope.Signatures[0].Sig
}

type trustedRoot struct {
	TimestampAuthorities []struct {
		URI       string `json:"uri"`
		CertChain struct {
			Certificates []struct{ RawBytes []byte } `json:"certificates"`
		} `json:"certChain"`
		ValidFor struct{ Start, End time.Time } `json:"validFor"`
	} `json:"timestampAuthorities"`
}

func (r *trustedRoot) authorities(t *testing.T) (out []*timestamp.Authority) {
	for _, a := range r.TimestampAuthorities {
		b := &timestamp.Authority{Name: a.URI, From: a.ValidFor.Start, To: a.ValidFor.End}
		for _, c := range a.CertChain.Certificates {
			cert, err := x509.ParseCertificate(c.RawBytes)
			if err != nil {
				t.Fatal(err)
			}
			b.Certificates = append(b.Certificates, cert)
		}
		out = append(out, b)
	}
	return out
}

// TestSigstoreBundles verifies the timestamps of the published conformance suite
// (sigstore-conformance). Of bundles that must fail, the timestamp is at fault in
// those that are named here; in the others it is good.
func TestSigstoreBundles(t *testing.T) {
	files := testdata.Open(t, "conformance/sigstore-bundle-verify.tar.gz")
	reasons := map[string]timestamp.Reason{
		"rekor2-timestamp-payload-mismatch_fail":                    timestamp.ReasonImprint,
		"rekor2-timestamp-untrusted-tsa-with-embedded-cert_fail":    timestamp.ReasonAuthority,
		"rekor2-timestamp-untrusted-tsa-without-embedded-cert_fail": timestamp.ReasonAuthority,
	}
	good, refused := 0, map[string]timestamp.Reason{}
	for _, name := range testdata.Names(files) {
		dir := path.Base(path.Dir(name))
		var b bundle
		if path.Base(name) != "bundle.sigstore.json" || json.Unmarshal(files[name], &b) != nil {
			continue
		}
		stamps := b.VerificationMaterial.TimestampVerificationData.RFC3161Timestamps
		text, own := files[path.Join(path.Dir(name), "trusted_root.json")]
		if len(stamps) == 0 || !own {
			continue
		}
		var root trustedRoot
		if err := json.Unmarshal(text, &root); err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		for _, s := range stamps {
			got, err := timestamp.Verify(s.SignedTimestamp, b.message(), root.authorities(t))
			if err != nil {
				refused[dir] = timestamp.ReasonOf(err)
			} else {
				good++
				t.Logf("%s: %s by %s, policy %s, ±%s", dir, got.Time.Format(time.RFC3339), got.Authority.Name, got.Policy, got.Accuracy)
			}
			if got := timestamp.ReasonOf(err); got != reasons[dir] {
				t.Errorf("%s: %q, want %q: %v", dir, got, reasons[dir], err)
			}
			if err == nil && dir == "rekor2-timestamp-with-embedded-cert" {
				everyByte(t, s.SignedTimestamp, b.message(), root.authorities(t))
			}
		}
	}
	if good < 10 || len(refused) != len(reasons) {
		t.Errorf("%d good, refused %v", good, refused)
	}
	t.Logf("%d good, refused %v", good, refused)
}

// everyByte changes one bit of each byte, or all eight in turn with STELLA_LONG:
// none is accepted, and each failure has a reason.
func everyByte(t *testing.T, der, message []byte, a []*timestamp.Authority) {
	t.Helper()
	seen := map[timestamp.Reason]int{}
	for i := range der {
		for bit := range 8 {
			if os.Getenv("STELLA_LONG") == "" && bit != []int{0, 5}[i%2] {
				continue
			}
			flip := byte(1) << bit
			changed := bytes.Clone(der)
			changed[i] ^= flip
			_, err := timestamp.Verify(changed, message, a)
			if err == nil {
				t.Errorf("byte %d of %d, ^%02x: accepted", i, len(der), flip)
				continue
			}
			reason := timestamp.ReasonOf(err)
			if reason == "" {
				t.Errorf("byte %d: no reason: %v", i, err)
			}
			seen[reason]++
		}
		if _, err := timestamp.Verify(der[:i], message, a); timestamp.ReasonOf(err) != timestamp.ReasonMalformed {
			t.Errorf("the first %d bytes: %v", i, err)
		}
	}
	t.Logf("%d bytes: %v", len(der), seen)
}
