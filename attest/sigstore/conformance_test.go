package sigstore_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/sigstore"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/internal/testdata"
)

const (
	conformancePack = "conformance/sigstore-bundle-verify.tar.gz"
	// What the suite's client is called with where a case does not say otherwise.
	conformanceIssuer  = "https://token.actions.githubusercontent.com"
	conformanceSubject = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
)

// conformanceFiles are the suite's cases by path below bundle-verify: the pack's,
// or, where STELLA_SIGSTORE_CONFORMANCE names test/assets/bundle-verify of a
// checkout of sigstore-conformance, those.
func conformanceFiles(t testing.TB) map[string][]byte {
	out := map[string][]byte{}
	if dir := os.Getenv("STELLA_SIGSTORE_CONFORMANCE"); dir != "" {
		names, err := filepath.Glob(filepath.Join(dir, "*", "*"))
		if err != nil || len(names) == 0 {
			t.Fatalf("no cases in %s: %v", dir, err)
		}
		for _, n := range append(names, filepath.Join(dir, "a.txt")) {
			text, err := os.ReadFile(n)
			if err != nil {
				t.Fatal(err)
			}
			rel, _ := filepath.Rel(dir, n)
			out[filepath.ToSlash(rel)] = text
		}
		return out
	}
	for name, text := range testdata.Open(t, conformancePack) {
		if _, rel, ok := strings.Cut(name, "bundle-verify/"); ok {
			out[rel] = text
		}
	}
	return out
}

// publicGood is the trust root of the public instance, which the suite takes by
// default and does not have. One of its cases is that trust root with one end of a
// validity more.
func publicGood(t testing.TB, files map[string][]byte) *sigstore.TrustRoot {
	text := files["trust-root-tlog-validity-end-inclusive/trusted_root.json"]
	root, err := sigstore.ParseTrustRoot(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range root.Logs {
		if root.Logs[i].URL == "https://rekor.sigstore.dev" {
			root.Logs[i].Until = root.Logs[i].Until.AddDate(1000, 0, 0)
		}
	}
	return root
}

// conformanceCase is what one case hands to a verifier.
type conformanceCase struct {
	bundle, artifact []byte
	root             *sigstore.TrustRoot
	policy           *sigstore.Policy
}

func readCase(t testing.TB, files map[string][]byte, name string) (*conformanceCase, error) {
	c := &conformanceCase{bundle: files[name+"/bundle.sigstore.json"], artifact: files[name+"/artifact"], policy: &sigstore.Policy{}}
	if c.artifact == nil {
		c.artifact = files["a.txt"]
	}
	if text, ok := files[name+"/trusted_root.json"]; ok {
		root, err := sigstore.ParseTrustRoot(text)
		if err != nil {
			return nil, err
		}
		c.root = root
	} else {
		c.root = publicGood(t, files)
	}
	if text, ok := files[name+"/key.pub"]; ok {
		key, err := dsse.ParsePublicKey(text)
		if err != nil {
			return nil, err
		}
		c.policy.Keys = []sigstore.Key{{Public: key}}
		return c, nil
	}
	id := sigstore.Identity{Issuer: conformanceIssuer, Subject: conformanceSubject}
	if text, ok := files[name+"/issuer"]; ok {
		id.Issuer = string(bytes.TrimSpace(text))
	}
	if text, ok := files[name+"/identity"]; ok {
		id.Subject = string(bytes.TrimSpace(text))
	}
	c.policy.Identities = []sigstore.Identity{id}
	return c, nil
}

// verify runs a case; a trust root that cannot be read is an error like others.
func verifyCase(t testing.TB, files map[string][]byte, name string, digest bool) (*sigstore.Result, error) {
	c, err := readCase(t, files, name)
	if err != nil {
		return nil, err
	}
	v, err := sigstore.NewVerifier(c.root, nil)
	if err != nil {
		return nil, err
	}
	artifact := &sigstore.Artifact{Content: c.artifact}
	if digest {
		artifact = &sigstore.Artifact{Digest: sum.Of(c.artifact)}
	}
	return v.Verify(context.Background(), c.bundle, artifact, c.policy)
}

const (
	good        sigstore.Reason = ""
	unusableKey sigstore.Reason = "unusable key" // the case's key cannot be read
)

// conformance has the reason for which each case of the suite is refused.
var conformance = map[string]sigstore.Reason{
	"bundle-empty-certificate-chain_fail":                       sigstore.ReasonMalformed,
	"bundle-from-wrong-instance_fail":                           sigstore.ReasonUnlogged,
	"bundle-invalid-base64-signature_fail":                      sigstore.ReasonMalformed,
	"bundle-malformed-json_fail":                                sigstore.ReasonMalformed,
	"bundle-negative-log-index_fail":                            sigstore.ReasonMalformed,
	"bundle-unknown-version_fail":                               sigstore.ReasonUnsupported,
	"bundle-with-root-cert_fail":                                sigstore.ReasonMalformed,
	"bundle-with-sct-with-extensions":                           good,
	"checkpoint-bad-keyhint_fail":                               sigstore.ReasonCheckpoint,
	"checkpoint-wrong-roothash_fail":                            sigstore.ReasonCheckpoint,
	"dsse-invalid-sig_fail":                                     sigstore.ReasonSignature,
	"dsse-mismatch-envelope_fail":                               sigstore.ReasonEntry,
	"dsse-mismatch-sig_fail":                                    sigstore.ReasonEntry,
	"happy-path-intoto-in-dsse-v3":                              good,
	"happy-path-v0.1":                                           good,
	"happy-path-v0.2":                                           good,
	"happy-path-v0.3-new-mediaType":                             good,
	"happy-path-v0.3":                                           good,
	"inclusion-proof-corrupted-hash_fail":                       sigstore.ReasonProof,
	"incorrect-public-key_fail":                                 sigstore.ReasonProof,
	"integrated-time-in-future_fail":                            sigstore.ReasonExpired,
	"intoto-expired-certificate_fail":                           sigstore.ReasonExpired,
	"intoto-log-entry-mismatch_fail":                            sigstore.ReasonEntry,
	"intoto-missing-inclusion-proof_fail":                       sigstore.ReasonProof,
	"intoto-set-outside-signing-cert-validity_fail":             sigstore.ReasonExpired,
	"intoto-tsa-timestamp-outside-cert-validity_fail":           sigstore.ReasonExpired,
	"intoto-with-custom-trust-root":                             good,
	"invalid-checkpoint-signature_fail":                         sigstore.ReasonCheckpoint,
	"invalid-ct-key_fail":                                       sigstore.ReasonSCT,
	"invalid-inclusion-proof_fail":                              sigstore.ReasonProof,
	"managed-key-and-trusted-root":                              good,
	"managed-key-happy-path":                                    good,
	"managed-key-no-key_fail":                                   sigstore.ReasonKey,
	"managed-key-wrong-key_fail":                                unusableKey,
	"message-digest-mismatch_fail":                              sigstore.ReasonArtifact,
	"rekor2-checkpoint-cosigned":                                good,
	"rekor2-checkpoint-missing-log-signature_fail":              sigstore.ReasonCheckpoint,
	"rekor2-checkpoint-missing-origin_fail":                     sigstore.ReasonCheckpoint,
	"rekor2-checkpoint-missing-root-hash_fail":                  sigstore.ReasonCheckpoint,
	"rekor2-checkpoint-missing-size_fail":                       sigstore.ReasonCheckpoint,
	"rekor2-checkpoint-multiple-cosigs":                         good,
	"rekor2-checkpoint-no-matching-signature_fail":              sigstore.ReasonCheckpoint,
	"rekor2-checkpoint-origin-not-first":                        good,
	"rekor2-checkpoint-two-sigs-cosigned":                       good,
	"rekor2-checkpoint-two-sigs-from-origin":                    good,
	"rekor2-dsse-happy-path":                                    good,
	"rekor2-dsse-invalid-sig_fail":                              sigstore.ReasonSignature,
	"rekor2-dsse-mismatch-envelope_fail":                        sigstore.ReasonEntry,
	"rekor2-dsse-mismatch-sig_fail":                             sigstore.ReasonEntry,
	"rekor2-happy-path":                                         good,
	"rekor2-no-inclusion-proof_fail":                            sigstore.ReasonProof,
	"rekor2-no-timestamp_fail":                                  sigstore.ReasonTimestamp,
	"rekor2-timestamp-outside-trust-root-tsa-validity_fail":     sigstore.ReasonTimestamp,
	"rekor2-timestamp-outside-tsa-cert-validity_fail":           sigstore.ReasonTimestamp,
	"rekor2-timestamp-payload-mismatch_fail":                    sigstore.ReasonTimestamp,
	"rekor2-timestamp-untrusted-tsa-with-embedded-cert_fail":    sigstore.ReasonTimestamp,
	"rekor2-timestamp-untrusted-tsa-without-embedded-cert_fail": sigstore.ReasonTimestamp,
	"rekor2-timestamp-with-embedded-cert":                       good,
	"rekor2-timestamp-with-expired-cert-chain":                  good,
	"rekor2-timestamp-with-incorrect-time_fail":                 sigstore.ReasonMalformed,
	"rekor2-timestamp-without-embedded-cert":                    good,
	"set-invalid-signature_fail":                                sigstore.ReasonPromise,
	"signature-mismatch_fail":                                   sigstore.ReasonSignature,
	"trust-root-tlog-missing-validity-start_fail":               sigstore.ReasonMalformed,
	"trust-root-tlog-validity-end-inclusive":                    good,
	"trust-root-tsa-validity-end-inclusive":                     good,
	"wrong-hashedrekord-artifact_fail":                          sigstore.ReasonEntry,
	"wrong-hashedrekord-cert-and-sig_fail":                      sigstore.ReasonEntry,
	"wrong-hashedrekord-entry_fail":                             sigstore.ReasonEntry,
	"wrong-material_fail":                                       sigstore.ReasonArtifact,
}

// TestConformance runs the cases of sigstore-conformance, with the artifact and
// with its digest.
func TestConformance(t *testing.T) {
	files := conformanceFiles(t)
	seen := map[string]bool{}
	for _, file := range testdata.Names(files) {
		name := path.Dir(file)
		if path.Base(file) != "bundle.sigstore.json" {
			continue
		}
		seen[name] = true
		want, ok := conformance[name]
		if !ok || strings.HasSuffix(name, "_fail") == (want == good) {
			t.Errorf("%s: not in the table, or wrongly", name)
		}
		for _, digest := range []bool{false, true} {
			r, err := verifyCase(t, files, name, digest)
			got := sigstore.ReasonOf(err)
			if err != nil && got == "" && errors.Is(err, sigstore.ErrInvalid) {
				got = unusableKey
			}
			if got != want || (err == nil) != (want == good) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
			if err == nil && (r.Identity == "" || len(r.Entries) == 0) {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
	for name := range conformance {
		if !seen[name] {
			t.Logf("the pack lacks %s", name)
		}
	}
	t.Logf("%d of %d cases", len(seen), len(conformance))
}

// TestConformanceTime reads a case whose timestamp has line breaks in its base64
// again without them, for the reason that the case is about.
func TestConformanceTime(t *testing.T) {
	files := conformanceFiles(t)
	const name = "rekor2-timestamp-with-incorrect-time_fail"
	file := name + "/bundle.sigstore.json"
	files[file] = regexp.MustCompile(`"signedTimestamp": "[^"]*"`).ReplaceAllFunc(files[file], func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(`\n`), nil) })
	if _, err := verifyCase(t, files, name, false); sigstore.ReasonOf(err) != sigstore.ReasonExpired {
		t.Errorf("%v, want %q", err, sigstore.ReasonExpired)
	}
}
