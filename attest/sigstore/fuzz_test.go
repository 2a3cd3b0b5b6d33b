package sigstore_test

import (
	"bytes"
	"context"
	"path"
	"testing"

	"github.com/stella-ops/stella/attest/sigstore"
)

// FuzzVerify changes bundles. None may be accepted that says something else than
// one of the good ones, and nothing may fail without a reason.
func FuzzVerify(f *testing.F) {
	s := newScene(f, step{})
	m := newScene(f, step{sign: func(s *scene) { s.message([]byte("content")) }})
	m.root = s.root // refused, and near to good
	for _, text := range [][]byte{s.text, m.text, []byte(managed)} {
		f.Add(text)
	}
	for name, text := range conformanceFiles(f) {
		if path.Base(name) == "bundle.sigstore.json" {
			f.Add(text)
		}
	}
	v, err := sigstore.NewVerifier(s.root, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := v.Verify(context.Background(), text, nil, s.policy)
		switch {
		case err == nil && !bytes.Equal(r.Payload, payload):
			t.Errorf("accepted: %q", r.Payload)
		case err != nil && (sigstore.ReasonOf(err) == "" || sigstore.ReasonOf(err) == sigstore.ReasonFailed):
			t.Errorf("no reason: %v", err)
		}
	})
}

const managed = `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"x"}},` +
	`"dsseEnvelope":{"payload":"e30=","payloadType":"t","signatures":[{"sig":"AAAA"}]}}`

// FuzzTrustRoot reads trust roots: what is read can be written, and be used.
func FuzzTrustRoot(f *testing.F) {
	own, err := newScene(f, step{}).root.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(own)
	for name, text := range conformanceFiles(f) {
		if path.Base(name) == "trusted_root.json" {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := sigstore.ParseTrustRoot(text)
		if err != nil {
			if sigstore.ReasonOf(err) == "" {
				t.Errorf("no reason: %v", err)
			}
			return
		}
		one, err := r.Encode()
		if err != nil {
			t.Fatalf("read and not written: %v", err)
		}
		again, err := sigstore.ParseTrustRoot(one)
		if err != nil {
			t.Fatalf("written and not read: %v", err)
		}
		two, err := again.Encode()
		if err != nil || !bytes.Equal(one, two) {
			t.Errorf("written twice: %v\n%s\n%s", err, one, two)
		}
		if _, err := sigstore.NewVerifier(r, nil); err != nil {
			t.Errorf("read and not used: %v", err)
		}
	})
}
