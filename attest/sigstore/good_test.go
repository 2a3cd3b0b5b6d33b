package sigstore_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/sigstore"
	"github.com/stella-ops/stella/attest/sigstore/sigstoretest"
	"github.com/stella-ops/stella/vex/trust"
)

var (
	_ trust.Sigstore      = (*sigstore.Verifier)(nil)
	_ attest.Certificates = (*sigstore.Verifier)(nil)
)

// goodScenes must be accepted. Many are one step on the right side of a bad one.
var goodScenes = map[string]step{
	"as it should be":                    {},
	"signed when the certificate begins": {make: func(s *scene) { s.cert = func(c *x509.Certificate) { c.NotBefore = noon } }},
	"signed when the certificate ends": {make: func(s *scene) {
		s.cert = func(c *x509.Certificate) { c.NotBefore, c.NotAfter = noon.Add(-time.Minute), noon }
	}},
	"authority trusted since this very time": {sign: func(s *scene) { s.root.Authorities[0].From = noon }},
	"authority trusted until this very time": {sign: func(s *scene) { s.root.Authorities[0].Until = noon }},
	"log key valid until this very time":     {sign: func(s *scene) { s.root.Logs[0].Until = noon }},
	"stamper trusted until this very time":   {sign: func(s *scene) { s.root.Timestamps[0].Until = noon }},
	"subject is an email address": {make: func(s *scene) {
		s.subject = "alice@stella.test"
		s.policy.Identities[0].Subject = "alice@stella.test"
	}},
	"subject by pattern": {sign: func(s *scene) {
		s.policy.Identities[0] = sigstore.Identity{Issuer: sigstoretest.Issuer, SubjectPattern: `https://ci\.stella\.test/org/.*`}
	}},
	"second identity fits": {sign: func(s *scene) {
		s.policy.Identities = append([]sigstore.Identity{{Issuer: "https://other.test", Subject: subject}}, s.policy.Identities...)
	}},
	"name constraints allow it": {make: func(s *scene) {
		s.CA = must(sigstoretest.NewAuthority("constrained", noon, func(c *x509.Certificate) {
			c.PermittedDNSDomainsCritical, c.PermittedURIDomains = true, []string{"ci.stella.test"}
		}))
		s.root.Authorities[0].Chain = s.CA.Chain()
	}},
	"other authorities beside": {sign: func(s *scene) {
		other := must(sigstoretest.NewAuthority("other", noon, nil))
		s.root.Authorities = append([]sigstore.Authority{{Chain: other.Chain(), From: noon}}, s.root.Authorities...)
	}},
	"an entry of an unknown log beside": {sign: func(s *scene) {
		e := *s.entry()
		e.LogID = []byte("unknown")
		s.bundle.Material.Entries = append(s.bundle.Material.Entries, e)
	}},
	"a timestamp of an unknown authority beside": {sign: func(s *scene) {
		other := must(sigstoretest.New(noon))
		if err := other.SetTSA(func(_ string, c *x509.Certificate) { c.Subject.CommonName += ", somebody's" }); err != nil {
			s.t.Fatal(err)
		}
		s.bundle.Material.Timestamps = append(s.bundle.Material.Timestamps, must(other.Timestamp(s.bundle.Signature(), noon)))
	}},
	"no log, where none is needed": {sign: func(s *scene) {
		s.opts, s.bundle.Material.Entries = &sigstore.Options{NoLog: true}, nil
	}},
	"no artifact": {sign: func(s *scene) { s.artifact = nil }},
	"payload of its own": {make: func(s *scene) {
		s.payloadType, s.payload, s.artifact = "application/vnd.stella.test", []byte("\x00"), nil
	}},
	"managed key": {sign: func(s *scene) { s.manage(sigstore.Key{Public: s.public}) }},
	"managed key, valid until this very time": {sign: func(s *scene) { s.manage(sigstore.Key{Public: s.public, From: noon, Until: noon}) }},
	"managed key without time": {sign: func(s *scene) {
		s.manage(sigstore.Key{Public: s.public})
		s.bundle.Material.Timestamps = nil
	}},
	"two logs": {sign: func(s *scene) {
		other := must(sigstoretest.NewLog("second.stella.test"))
		s.root.Logs = append(s.root.Logs, must(other.Trusted(noon.AddDate(-1, 0, 0))))
		s.opts = &sigstore.Options{Logs: 2}
		first := s.bundle.Material.Entries
		s.Log = other
		s.relog()
		s.bundle.Material.Entries = append(s.bundle.Material.Entries, first...)
	}},
	"two stampers": {sign: func(s *scene) {
		other := must(sigstoretest.New(noon))
		s.root.Timestamps = append(s.root.Timestamps, sigstore.Authority{URL: "https://second.stella.test", Chain: chainOf(other), From: noon})
		s.bundle.Material.Timestamps = append(s.bundle.Material.Timestamps, must(other.Timestamp(s.bundle.Signature(), noon.Add(time.Minute))))
		s.opts = &sigstore.Options{Times: 2}
	}},
	"a message": {sign: func(s *scene) { s.message([]byte("content")) }},
}

// message makes the bundle one of a message's signature.
func (s *scene) message(content []byte) {
	sig, err := s.key.Sign(context.Background(), content)
	if err != nil {
		s.t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	s.bundle.Envelope, s.bundle.Message = nil, &bundle.MessageSignature{Algorithm: 5, Digest: sum[:], Signature: sig} // crypto.SHA256
	s.artifact = &sigstore.Artifact{Content: content}
	s.stamp(noon)
	s.relog()
}

func TestGood(t *testing.T) {
	for name, st := range goodScenes {
		if _, err := newScene(t, st).verify(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestResult(t *testing.T) {
	s := newScene(t, step{})
	r, err := s.verify()
	if err != nil {
		t.Fatal(err)
	}
	want := &sigstore.Result{
		Identity: "sigstore:" + sigstoretest.Issuer + "|" + subject, Issuer: sigstoretest.Issuer, Subject: subject,
		Certificate: s.bundle.Material.Certificates[0], KeyID: s.public.KeyID(), PayloadType: s.payloadType, Payload: s.payload, Statement: r.Statement,
		Times:   []sigstore.SignedTime{{At: noon, Source: sigstore.SourceTimestamp, URL: sigstoretest.Stamper}},
		Entries: []sigstore.Entry{{Log: "https://" + sigstoretest.Origin, ID: s.entry().LogID, Index: 2, Kind: "hashedrekord 0.0.2", Size: 4, Root: s.entry().Proof.RootHash[:]}},
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if r.Statement == nil || !r.Statement.About(image) {
		t.Errorf("statement %+v", r.Statement)
	}

	v, err := sigstore.NewVerifier(s.root, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.VerifyBundle(context.Background(), s.text)
	if err != nil || string(got.Payload) != string(payload) || got.PayloadType != s.payloadType || len(got.Keys) != 1 || got.Keys[0] != want.Identity {
		t.Errorf("VerifyBundle: %+v, %v", got, err)
	}
	managed := newScene(t, step{sign: func(s *scene) { s.manage(sigstore.Key{Public: s.public}) }})
	r, err = managed.verify()
	if err != nil || r.Identity != "key:sha256:"+managed.public.KeyID() || r.KeyID != managed.public.KeyID() || r.Certificate != nil {
		t.Errorf("managed key: %+v, %v", r, err)
	}
	message := newScene(t, step{sign: func(s *scene) { s.message([]byte("content")) }})
	if r, err = message.verify(); err != nil || !strings.HasPrefix(r.Digest, "sha256:ed7002b4") || r.Payload != nil {
		t.Errorf("message: %+v, %v", r, err)
	}
	if _, err := v.VerifyBundle(context.Background(), message.text); sigstore.ReasonOf(err) != sigstore.ReasonArtifact {
		t.Errorf("VerifyBundle of a message: %v", err)
	}
}
