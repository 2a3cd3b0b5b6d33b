package sigstore_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/sigstore"
	"github.com/stella-ops/stella/attest/sigstore/sigstoretest"
	"github.com/stella-ops/stella/attest/timestamp/timestamptest"
)

var (
	noon    = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	subject = "https://ci.stella.test/org/repo/.ci/build.yml@refs/heads/main"
	image   = "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
	payload = []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"image","digest":{"sha256":"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"}}],"predicateType":"https://stella.test/p","predicate":{"a":1}}`)
)

// scene is a signature from its making to its verification, at all points of which
// a case can step in. What a case leaves alone is good.
type scene struct {
	*sigstoretest.Instance
	t testing.TB

	payloadType string
	payload     []byte
	subject     string
	from        time.Time               // of the certificate
	cert        func(*x509.Certificate) // changes the certificate before it is signed
	key         dsse.Signer
	public      *dsse.PublicKey

	root     *sigstore.TrustRoot
	opts     *sigstore.Options
	artifact *sigstore.Artifact
	policy   *sigstore.Policy
	bundle   *bundle.Bundle
	text     []byte // the bundle's, where a case wrote it itself
}

// step is what a case does before something is made of what it changes.
type step struct {
	make func(*scene) // before anything is issued
	sign func(*scene) // after signing: the bundle, its proofs and the trust root
	text func([]byte) []byte
}

// newScene plays a scene up to its bundle.
func newScene(t testing.TB, st step) *scene {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := dsse.NewPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{
		Instance: must(sigstoretest.New(noon)), t: t, payloadType: intoto.PayloadType, payload: payload, subject: subject, from: noon, key: unnamed{signer}, public: signer.Public(),
		artifact: &sigstore.Artifact{Digest: image},
		policy:   &sigstore.Policy{Identities: []sigstore.Identity{{Issuer: sigstoretest.Issuer, Subject: subject}}},
	}
	s.root = must(s.TrustRoot())
	if st.make != nil {
		st.make(s)
	}
	cert := must(s.Certificate(key.Public(), s.subject, s.from, s.cert))
	s.bundle = s.mustBundle(s.key, cert, s.payloadType, s.payload)
	if st.sign != nil {
		st.sign(s)
	}
	if s.text == nil {
		if s.text, err = s.bundle.Encode(); err != nil {
			t.Fatal(err)
		}
	}
	if st.text != nil {
		s.text = st.text(s.text)
	}
	return s
}

// unnamed is a signer without a key id.
type unnamed struct{ *dsse.PrivateKey }

func (unnamed) KeyID() string { return "" }

// verify verifies the scene's bundle.
func (s *scene) verify() (*sigstore.Result, error) {
	s.t.Helper()
	v, err := sigstore.NewVerifier(s.root, s.opts)
	if err != nil {
		return nil, err
	}
	return v.Verify(context.Background(), s.text, s.artifact, s.policy)
}

// stamp gives the bundle one timestamp, of a time.
func (s *scene) stamp(at time.Time) {
	s.bundle.Material.Timestamps = [][]byte{must(s.Timestamp(s.bundle.Signature(), at))}
}

// entry returns the bundle's entry.
func (s *scene) entry() *bundle.Entry { return &s.bundle.Material.Entries[0] }

// relog logs what the bundle is now.
func (s *scene) relog() {
	s.bundle.Material.Entries = []bundle.Entry{must(s.Log.Append(rekor.OfBundle(s.bundle, nil)))}
}

// manage makes the bundle one of a managed key, and expects it.
func (s *scene) manage(k sigstore.Key) {
	s.policy = &sigstore.Policy{Keys: []sigstore.Key{k}}
	s.bundle.Material.Certificates = nil
	s.bundle.Material.KeyHint = "hint"
	s.bundle.Material.Entries = []bundle.Entry{must(s.Log.Append(rekor.OfBundle(s.bundle, s.public.DER())))}
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func bytesReader(b []byte) io.Reader { return bytes.NewReader(b) }

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func response(r *http.Request, status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r, ProtoMajor: 1, ProtoMinor: 1}
}

// must returns a value that there has to be.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// mustBundle signs as Instance.Bundle does.
func (s *scene) mustBundle(key dsse.Signer, cert []byte, payloadType string, payload []byte) *bundle.Bundle {
	return must(s.Bundle(context.Background(), key, cert, payloadType, payload))
}

// chainOf returns the certificates of an instance's timestamp authority.
func chainOf(i *sigstoretest.Instance) [][]byte { return must(i.TrustRoot()).Timestamps[0].Chain }

// stamper replaces the timestamp authority by one whose certificate is valid from
// and until.
func (s *scene) stamper(from, until time.Time) {
	err := s.SetTSA(func(which string, c *x509.Certificate) {
		if which == timestamptest.Leaf {
			c.NotBefore, c.NotAfter = from, until
		}
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
