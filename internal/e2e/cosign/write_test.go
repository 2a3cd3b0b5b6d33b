package cosign

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/rekor"
	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/scan/image"
)

// attach attaches a bundle as cosign does.
func (k *kit) attach(t *testing.T, b *bundle.Bundle) {
	t.Helper()
	text, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := image.Attach(t.Context(), k.ref, []image.Artifact{image.BundleArtifact(text, predicateType, time.Time{})}, anonymous())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("attached to %s: %s %s", got.Subject, got.Manifests, got.Tag)
}

// wrap makes a bundle of an envelope.
func wrap(e *dsse.Envelope, key *dsse.PublicKey) *bundle.Bundle {
	hint := sha256.Sum256(key.DER())
	e.Signatures[0].KeyID = ""
	return &bundle.Bundle{Envelope: e, Material: bundle.VerificationMaterial{KeyHint: base64.StdEncoding.EncodeToString(hint[:])}}
}

// refused checks that cosign fails, and says this.
func (k *kit) refused(t *testing.T, says string, args ...string) {
	t.Helper()
	if out, err := k.try(t, args...); err == nil || !strings.Contains(out, says) {
		t.Errorf("cosign %s: %v, want a failure with %q", args[0], err, says)
	}
}

// TestWrite: what stella attaches is found and verified by cosign.
func TestWrite(t *testing.T) {
	for _, api := range []bool{true, false} {
		k := newKit(t, api)
		key := k.newKey(t)
		k.attach(t, wrap(sign(t, key, k.digest), key.Public()))
		verify := []string{"verify-attestation", "--key", "stella.pub", "--insecure-ignore-tlog", "--type", predicateType}
		if out := k.run(t, append(verify, k.ref)...); !strings.Contains(out, "were validated") && !strings.Contains(out, "verified") {
			t.Errorf("cosign is not clear: %s", out)
		}
		k.run(t, "tree", k.ref)
		k.refused(t, "none of the attestations matched", "verify-attestation", "--key", "stella.pub", "--insecure-ignore-tlog", "--type", "spdx", k.ref)
		k.run(t, "generate-key-pair")
		k.refused(t, "signature", "verify-attestation", "--key", "cosign.pub", "--insecure-ignore-tlog", "--type", predicateType, k.ref)
	}
}

// TestWriteLogged: what is in a log of stella's is verified as what is in Rekor, by
// keys of every algorithm that cosign knows, offline.
func TestWriteLogged(t *testing.T) {
	for name, logKey := range map[string]crypto.Signer{"Ed25519": ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), "P-256": newEC(t, elliptic.P256())} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t, true)
			key := k.newKey(t)
			private, err := dsse.NewPrivateKey(logKey)
			if err != nil {
				t.Fatal(err)
			}
			b := wrap(sign(t, key, k.digest), key.Public())
			unlogged, err := b.Encode()
			if err != nil {
				t.Fatal(err)
			}
			k.logged(t, b, key, private)
			k.attach(t, b)
			k.run(t, "verify-attestation", "--key", "stella.pub", "--trusted-root", "root.json", "--type", predicateType, k.ref)

			// The same in a file, about the image as a blob.
			text, err := b.Encode()
			if err != nil {
				t.Fatal(err)
			}
			k.write(t, "logged.json", text)
			k.write(t, "unlogged.json", unlogged)
			blob := []string{"verify-blob-attestation", "--key", "stella.pub", "--type", predicateType, "--digest", strings.TrimPrefix(k.digest, "sha256:"), "--digestAlg", "sha256"}
			k.run(t, append(blob, "--trusted-root", "root.json", "--bundle", "logged.json")...)
			k.run(t, append(blob, "--insecure-ignore-tlog", "--bundle", "unlogged.json")...)
			k.refused(t, "log", append(blob, "--trusted-root", "root.json", "--bundle", "unlogged.json")...)

			// An entry about the same payload, signed again, is none of this signature's.
			other := k.newKey(t)
			b.Envelope = sign(t, other, k.digest)
			swapped := wrap(b.Envelope, other.Public())
			swapped.Material.Entries = b.Material.Entries
			if text, err = swapped.Encode(); err != nil {
				t.Fatal(err)
			}
			k.write(t, "swapped.json", text)
			k.refused(t, "", append(blob, "--trusted-root", "root.json", "--bundle", "swapped.json")...)
		})
	}
}

// TestWriteKeys: keys of every algorithm that stella signs with, in a log.
func TestWriteKeys(t *testing.T) {
	for name, private := range map[string]crypto.Signer{
		"P-384": newEC(t, elliptic.P384()), "Ed25519": ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize)),
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t, true)
			key := k.useKey(t, private)
			log, err := dsse.NewPrivateKey(newEC(t, elliptic.P256()))
			if err != nil {
				t.Fatal(err)
			}
			b := wrap(sign(t, key, k.digest), key.Public())
			k.logged(t, b, key, log)
			k.attach(t, b)
			verify := []string{"verify-attestation", "--key", "stella.pub", "--type", predicateType, k.ref}
			if name == "P-384" { // cosign takes SHA-256 for granted unless it is told
				k.refused(t, "no matching attestations", append(verify, "--insecure-ignore-tlog")...)
				verify = append(verify, "--signature-digest-algorithm", "sha384")
			}
			k.run(t, append(verify, "--insecure-ignore-tlog")...)
			k.run(t, append(verify, "--trusted-root", "root.json")...)
		})
	}
}

// TestWriteIndex: of an image for several platforms, cosign looks at what the
// reference names, which is where stella attaches unless a platform is asked for.
func TestWriteIndex(t *testing.T) {
	k := newKit(t, true)
	key := k.newKey(t)
	index, err := random.Index(100, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	platforms := []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}
	i := -1
	index = mutate.AppendManifests(mutate.RemoveManifests(index, func(v1.Descriptor) bool { return true }), addenda(t, index, func() *v1.Platform { i++; return &platforms[i] })...)
	tag, err := name.NewTag(k.host + "/team/app:many")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(tag, index); err != nil {
		t.Fatal(err)
	}
	h, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	verify := []string{"verify-attestation", "--key", "stella.pub", "--insecure-ignore-tlog", "--type", predicateType}
	k.ref = tag.Name()
	k.attach(t, wrap(sign(t, key, h.String()), key.Public()))
	k.run(t, append(verify, k.ref)...)

	one := m.Manifests[1].Digest.String()
	byDigest := k.host + "/team/app@" + one
	k.refused(t, "no matching attestations", append(verify, byDigest)...)
	text, err := wrap(sign(t, key, one), key.Public()).Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := image.Attach(t.Context(), k.ref, []image.Artifact{image.BundleArtifact(text, predicateType, time.Time{})}, &image.Options{Credentials: image.NoCredentials, Platform: "linux/arm64"})
	if err != nil || got.Subject != one {
		t.Fatal(got, err)
	}
	k.run(t, append(verify, byDigest)...)
}

// addenda are the images of an index, each for another platform.
func addenda(t *testing.T, index v1.ImageIndex, next func() *v1.Platform) (out []mutate.IndexAddendum) {
	t.Helper()
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range m.Manifests {
		img, err := index.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: next()}})
	}
	return out
}

// TestWriteAboutAnother: a statement about another image counts for nothing.
func TestWriteAboutAnother(t *testing.T) {
	k := newKit(t, true)
	key := k.newKey(t)
	k.attach(t, wrap(sign(t, key, "sha256:"+strings.Repeat("a", 64)), key.Public()))
	k.refused(t, "", "verify-attestation", "--key", "stella.pub", "--insecure-ignore-tlog", "--type", predicateType, k.ref)
}

// TestWriteLegacy: cosign before version 3 finds it under its tag, beside its own.
func TestWriteLegacy(t *testing.T) {
	k := newKit(t, true)
	key := k.newKey(t)
	k.run(t, "generate-key-pair")
	k.write(t, "predicate.json", []byte(`{}`))
	legacy := func() {
		t.Helper()
		k.run(t, append([]string{"attest", "--key", "cosign.key", "--new-bundle-format=false", "--predicate", "predicate.json", "--type", predicateType, k.ref}, offline...)...)
	}
	legacy()
	text, err := sign(t, key, k.digest).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := image.AttachLegacy(t.Context(), k.ref, []image.Artifact{image.EnvelopeArtifact(text, predicateType)}, anonymous())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", got)
	}
	legacy()
	for _, public := range []string{"stella.pub", "cosign.pub"} {
		k.run(t, "verify-attestation", "--new-bundle-format=false", "--key", public, "--insecure-ignore-tlog", "--type", predicateType, k.ref)
	}
	if n := len(k.attestations(t)); n != 3 {
		t.Errorf("%d attestations, want 3", n)
	}
}

// logged enters a bundle into a log of stella's, and puts a trust root that names it
// into the folder.
func (k *kit) logged(t *testing.T, b *bundle.Bundle, signer *dsse.PrivateKey, logKey *dsse.PrivateKey) {
	t.Helper()
	note, err := tlog.NewLogSigner("log.stella.test", logKey.Public(), logKey)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tlog.Open(t.Context(), tlog.NewMem(), note, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, other := range []string{"one", "two"} { // so that there is something to prove
		if _, err := l.Submit(t.Context(), []byte(other)); err != nil {
			t.Fatal(err)
		}
	}
	body, err := rekor.OfBundle(b, signer.Public().DER()).Body()
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := l.Submit(t.Context(), body)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := tlog.ParseTree(receipt.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	proof := &bundle.Proof{LogIndex: receipt.Index, TreeSize: tree.Size, RootHash: tree.Root, Checkpoint: string(receipt.Checkpoint)}
	for _, h := range receipt.Proof {
		proof.Hashes = append(proof.Hashes, h)
	}
	b.Material.Entries = []bundle.Entry{{LogIndex: receipt.Index, LogID: l.Key().FullID(), Kind: rekor.Kind, Version: rekor.Version, Body: body, Proof: proof}}
	details := "PKIX_ECDSA_P256_SHA_256"
	if note.Key().Type() == tlog.TypeEd25519 {
		details = "PKIX_ED25519"
	}
	root, err := json.Marshal(map[string]any{
		"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"tlogs": []any{map[string]any{
			"baseUrl": "https://log.stella.test", "hashAlgorithm": "SHA2_256",
			"publicKey": map[string]any{"rawBytes": logKey.Public().DER(), "keyDetails": details, "validFor": map[string]string{"start": "2026-01-01T00:00:00Z"}},
			"logId":     map[string]any{"keyId": l.Key().FullID()},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	k.write(t, "root.json", root)
}
