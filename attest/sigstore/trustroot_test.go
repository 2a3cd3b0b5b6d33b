package sigstore_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/stella-ops/stella/attest/sigstore"
	"github.com/stella-ops/stella/attest/sigstore/sigstoretest"
	"github.com/stella-ops/stella/internal/testdata"
)

// TestTrustRootRoundTrip reads and writes the trust roots of the suite and of an
// instance. sigstore-go reads what was written as what was read.
func TestTrustRootRoundTrip(t *testing.T) {
	texts := map[string][]byte{}
	for name, text := range conformanceFiles(t) {
		if path.Base(name) == "trusted_root.json" && !strings.HasPrefix(name, "trust-root-tlog-missing") {
			texts[name] = text
		}
	}
	own, err := must(must(sigstoretest.New(noon)).TrustRoot()).Encode()
	if err != nil {
		t.Fatal(err)
	}
	texts["own"] = own
	for _, name := range testdata.Names(texts) {
		r, err := sigstore.ParseTrustRoot(texts[name])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		written, err := r.Encode()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := sigstore.ParseTrustRoot(written)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		twice, err := again.Encode()
		if err != nil || !bytes.Equal(written, twice) {
			t.Errorf("%s: written twice differs: %v", name, err)
		}
		before, err := root.NewTrustedRootFromJSON(texts[name])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		after, err := root.NewTrustedRootFromJSON(written)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(before.RekorLogs(), after.RekorLogs()); diff != "" {
			t.Errorf("%s: logs (-read +written):\n%s", name, diff)
		}
		if diff := cmp.Diff(before.CTLogs(), after.CTLogs()); diff != "" {
			t.Errorf("%s: logs of certificates (-read +written):\n%s", name, diff)
		}
		if len(before.FulcioCertificateAuthorities()) != len(after.FulcioCertificateAuthorities()) || len(before.TimestampingAuthorities()) != len(after.TimestampingAuthorities()) {
			t.Errorf("%s: authorities are lost", name)
		}
	}
	if n := len(texts); n < 20 {
		t.Errorf("%d trust roots", n)
	}
}

// TestTrustRootOrder holds that the order in which a trust root is put together is
// not in its text.
func TestTrustRootOrder(t *testing.T) {
	i := must(sigstoretest.New(noon))
	r := must(i.TrustRoot())
	r.Logs = append(r.Logs, must(must(sigstoretest.NewLog("second.stella.test")).Trusted(noon)))
	r.Authorities = append(r.Authorities, sigstore.Authority{Chain: chainOf(i)[1:], From: noon, Until: noon.Add(time.Hour), Operator: "somebody"})
	one, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	r.Logs[0], r.Logs[1] = r.Logs[1], r.Logs[0]
	r.Authorities[0], r.Authorities[1] = r.Authorities[1], r.Authorities[0]
	two, err := r.Encode()
	if err != nil || !bytes.Equal(one, two) {
		t.Errorf("%v\n%s\n%s", err, one, two)
	}
	got, err := sigstore.ParseTrustRoot(one)
	if err != nil {
		t.Fatal(err)
	}
	r.Logs[0], r.Logs[1] = r.Logs[1], r.Logs[0]
	r.Authorities[0], r.Authorities[1] = r.Authorities[1], r.Authorities[0]
	if diff := cmp.Diff(r, got); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
}

// TestKeyID compares with the logs of the public instances: Rekor v1 of ECDSA, and
// Rekor v2 of Ed25519, whose id is of C2SP signed-note.
func TestKeyID(t *testing.T) {
	r := publicGood(t, conformanceFiles(t))
	for _, l := range r.Logs {
		id, err := l.KeyID()
		if err != nil || !bytes.Equal(id, l.ID) {
			t.Errorf("%s: %x, %v, want %x", l.URL, id, err, l.ID)
		}
	}
	if len(r.Logs) != 2 || r.Logs[1].Origin() != "log2025-1.rekor.sigstore.dev" || hex.EncodeToString(r.Logs[1].ID[:4]) != "cf119915" {
		t.Errorf("%+v", r.Logs)
	}
}

func TestTrustRootKeys(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]any{"Ed25519": ed.Public(), "RSA": rsa2048.Public()}
	for name, c := range map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521(), "P-224": elliptic.P224()} {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = key.Public()
	}
	for name, key := range keys {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		r := &sigstore.TrustRoot{Logs: []sigstore.Log{{URL: "https://log.test", Key: der, From: noon}}}
		text, err := r.Encode()
		if name == "P-224" {
			if sigstore.ReasonOf(err) != sigstore.ReasonUnsupported {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		back, err := root.NewTrustedRootFromJSON(text)
		if err != nil || len(back.RekorLogs()) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBadTrustRoots(t *testing.T) {
	i := must(sigstoretest.New(noon))
	for name, c := range map[string]struct {
		want   sigstore.Reason
		change func(*sigstore.TrustRoot)
	}{
		"log without start":         {sigstore.ReasonMalformed, func(r *sigstore.TrustRoot) { r.Logs[0].From = time.Time{} }},
		"log that ends first":       {sigstore.ReasonMalformed, func(r *sigstore.TrustRoot) { r.Logs[0].Until = r.Logs[0].From.Add(-1) }},
		"log without key":           {sigstore.ReasonMalformed, func(r *sigstore.TrustRoot) { r.Logs[0].Key = nil }},
		"two logs of one id":        {sigstore.ReasonMalformed, func(r *sigstore.TrustRoot) { r.Logs = append(r.Logs, r.Logs[0]) }},
		"too many logs":             {sigstore.ReasonLimit, func(r *sigstore.TrustRoot) { r.Logs = make([]sigstore.Log, sigstore.MaxAuthority+1) }},
		"too many authorities":      {sigstore.ReasonLimit, func(r *sigstore.TrustRoot) { r.Timestamps = make([]sigstore.Authority, sigstore.MaxAuthority+1) }},
		"authority without start":   {sigstore.ReasonMalformed, func(r *sigstore.TrustRoot) { r.Authorities[0].From = time.Time{} }},
		"authority without any":     {sigstore.ReasonMalformed, func(r *sigstore.TrustRoot) { r.Authorities[0].Chain = nil }},
		"authority of 11":           {sigstore.ReasonLimit, func(r *sigstore.TrustRoot) { r.Authorities[0].Chain = make([][]byte, 11) }},
		"authority that is no text": {sigstore.ReasonMalformed, func(r *sigstore.TrustRoot) { r.Authorities[0].Chain = [][]byte{[]byte("x")} }},
		"chain of strangers":        {sigstore.ReasonMalformed, func(r *sigstore.TrustRoot) { r.Authorities[0].Chain[1] = chainOf(i)[2] }},
		"chain upside down": {sigstore.ReasonMalformed, func(r *sigstore.TrustRoot) {
			c := r.Authorities[0].Chain
			c[0], c[1] = c[1], c[0]
		}},
	} {
		r := must(i.TrustRoot())
		c.change(r)
		if _, err := r.Encode(); sigstore.ReasonOf(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if _, err := sigstore.NewVerifier(r, nil); sigstore.ReasonOf(err) != c.want {
			t.Errorf("%s: NewVerifier: %v, want %q", name, err, c.want)
		}
	}
	text, err := must(i.TrustRoot()).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		want     sigstore.Reason
		old, new string
	}{
		"other media type":      {sigstore.ReasonUnsupported, "version=0.1", "version=0.3"},
		"other hash":            {sigstore.ReasonUnsupported, "SHA2_256", "SHA2_512"},
		"other details":         {sigstore.ReasonMalformed, "PKIX_ECDSA_P256_SHA_256", "PKIX_ED25519"},
		"weak details":          {sigstore.ReasonMalformed, "PKIX_ECDSA_P256_SHA_256", "PKIX_ECDSA_P256_HMAC_SHA_256"},
		"unknown member":        {sigstore.ReasonMalformed, `{"`, `{"x":1,"`},
		"member twice":          {sigstore.ReasonMalformed, `{"`, `{"mediaType":"x","`},
		"no id":                 {sigstore.ReasonMalformed, `"logId":{"keyId"`, `"logId":{},"checkpointKeyId":{"keyId"`},
		"time that is none":     {sigstore.ReasonMalformed, `"start":"2025`, `"start":"x2025`},
		"something after":       {sigstore.ReasonMalformed, `}]}`, `}]}}`},
		"larger than the limit": {sigstore.ReasonLimit, `{`, `{` + strings.Repeat(" ", sigstore.MaxTrustRoot)},
	} {
		changed := strings.Replace(string(text), c.old, c.new, 1)
		if changed == string(text) {
			t.Fatalf("%s: nothing to replace", name)
		}
		if _, err := sigstore.ParseTrustRoot([]byte(changed)); sigstore.ReasonOf(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
