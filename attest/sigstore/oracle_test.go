package sigstore_test

import (
	"errors"
	"path"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/stella-ops/stella/attest/sigstore"
	"github.com/stella-ops/stella/internal/testdata"
)

// alone asks sigstore-go, put together as its documentation says, without this
// package: a log entry and a time are needed, and one where the trust root has
// logs of certificates.
func alone(trusted *sigstore.TrustRoot, text []byte, artifact *sigstore.Artifact, id sigstore.Identity, opts *sigstore.Options) error {
	file, err := trusted.Encode()
	if err != nil {
		return err
	}
	material, err := root.NewTrustedRootFromJSON(file)
	if err != nil {
		return err
	}
	logs, times := 1, 1
	if opts != nil {
		logs, times = max(1, opts.Logs), max(1, opts.Times)
	}
	need := []verify.VerifierOption{verify.WithTransparencyLog(logs), verify.WithObserverTimestamps(times)}
	if opts != nil && opts.NoLog {
		need = need[1:]
	}
	if len(trusted.CertificateLogs) > 0 {
		need = append(need, verify.WithSignedCertificateTimestamps(1))
	}
	v, err := verify.NewVerifier(material, need...)
	if err != nil {
		return err
	}
	b := &bundle.Bundle{}
	if err := b.UnmarshalJSON(text); err != nil {
		return err
	}
	pattern := ""
	if id.SubjectPattern != "" {
		pattern = "^(" + id.SubjectPattern + ")$"
	}
	want, err := verify.NewShortCertificateIdentity(id.Issuer, "", id.Subject, pattern)
	if err != nil {
		return err
	}
	what := verify.WithoutArtifactUnsafe()
	switch {
	case artifact != nil && artifact.Content != nil:
		what = verify.WithArtifact(bytesReader(artifact.Content))
	case artifact != nil && len(artifact.Digest) == len("sha256:")+64:
		what = verify.WithArtifactDigest("sha256", unhex(artifact.Digest[7:]))
	case artifact != nil:
		return errors.New("no artifact that it knows")
	}
	_, err = v.Verify(b, verify.NewPolicy(what, verify.WithCertificateIdentity(want)))
	return err
}

// wider are the bad scenes that sigstore-go alone accepts. They are why this
// package looks for itself; whoever takes a newer version sees here what changed.
var wider = []string{
	"a good stamp and a bad one",
	"a host beside the name",
	"an address beside the name",
	"certificate for any use",
	"certificate for nothing",
	"certificate for servers too",
	"certificate of an authority",
	"chain of 50",
	"entry of another payload, none needed",
	"index after the tree",
	"index of the proof below zero",
	"key not for signatures",
	"label of another kind",
	"label of another version",
	"log key of later, CVE-2026-54787",
	"log key over before, CVE-2026-54787",
	"one key for two logs, CVE-2026-49834",
	"root in the chain",
	"root of another tree",
	"statement of another version",
	"time that the log did not sign",
	"tree of another size",
	"two URIs",
	"two issuers",
	"two names",
	"type of a patch",
}

// TestLibrary holds that nothing is accepted here that sigstore-go refuses, and
// says which bad scenes it accepts.
func TestLibrary(t *testing.T) {
	for name, st := range goodScenes {
		s := newScene(t, st)
		if len(s.policy.Keys) > 0 || s.payloadType == "application/vnd.stella.test" {
			continue // keys need another set-up; payloads other than statements it refuses at the end
		}
		err := errors.New("no identity fits")
		for _, id := range s.policy.Identities {
			if e := alone(s.root, s.text, s.artifact, id, s.opts); e == nil {
				err = nil
			}
		}
		if err != nil {
			t.Errorf("%s: accepted here, refused there: %v", name, err)
		}
	}
	var accepted []string
	for name, bad := range badScenes() {
		s := newScene(t, bad.step)
		if s.policy == nil || len(s.policy.Identities) == 0 || len(s.policy.Keys) > 0 || len(s.text) > 1<<20 || name == "digest in upper case" {
			continue // what is wrong is not in the bundle
		}
		if alone(s.root, s.text, s.artifact, s.policy.Identities[0], s.opts) == nil {
			accepted = append(accepted, name)
		}
	}
	slices.Sort(accepted)
	if diff := cmp.Diff(wider, accepted); diff != "" {
		t.Errorf("accepted by sigstore-go alone (-want +got):\n%s", diff)
	}
}

func TestLibraryConformance(t *testing.T) {
	files := conformanceFiles(t)
	for _, file := range testdata.Names(files) {
		name := path.Dir(file)
		if path.Base(file) != "bundle.sigstore.json" {
			continue
		}
		c, err := readCase(t, files, name)
		if err != nil || len(c.policy.Keys) > 0 {
			continue
		}
		err = alone(c.root, c.bundle, &sigstore.Artifact{Content: c.artifact}, c.policy.Identities[0], nil)
		if (err == nil) != (conformance[name] == good) {
			t.Logf("%s: %q here, there: %v", name, conformance[name], err)
		}
		if err != nil && conformance[name] == good {
			t.Errorf("%s: accepted here, refused there: %v", name, err)
		}
	}
}
