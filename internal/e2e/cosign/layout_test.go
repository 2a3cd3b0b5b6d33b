package cosign

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stella-ops/stella/scan/image"
)

// found are the media types of what is attached to the one image of a layout.
func found(t *testing.T, ref string) []string {
	t.Helper()
	list, err := image.Attestations(t.Context(), ref, nil, anonymous())
	if err != nil || len(list.Broken) > 0 {
		t.Fatal(err, list)
	}
	var types []string
	for _, a := range list.Attestations {
		types = append(types, a.MediaType)
	}
	slices.Sort(types)
	return types
}

// save has cosign attest in these formats, and save the image into a layout.
func (k *kit) save(t *testing.T, newFormat ...string) (layout string) {
	t.Helper()
	k.run(t, "generate-key-pair")
	k.write(t, "predicate.json", []byte(`{}`))
	for _, format := range newFormat {
		k.run(t, append([]string{"attest", "--key", "cosign.key", "--new-bundle-format=" + format, "--predicate", "predicate.json", "--type", predicateType, k.ref}, offline...)...)
	}
	k.run(t, "save", "--dir", "saved", k.ref)
	return "oci:" + filepath.Join(k.dir, "saved")
}

// TestSaved: what cosign saves into a layout is found there, in all its formats.
func TestSaved(t *testing.T) {
	k := newKit(t, true)
	layout := k.save(t, "true", "false")
	if got := found(t, layout); !slices.Equal(got, []string{bundleType, dsseType}) {
		t.Errorf("found %q", got)
	}
	m, err := image.Open(t.Context(), layout, anonymous())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Source.Manifest != k.digest {
		t.Errorf("the image is %s", m.Source.Manifest)
	}
}

// TestSavedAttach: cosign verifies what stella attaches to a layout that cosign has
// saved, and loads it into a registry. (It loads no referrers of an image that has
// attestations in the legacy format too.)
func TestSavedAttach(t *testing.T) {
	k := newKit(t, true)
	key := k.newKey(t)
	layout := k.save(t, "true")
	text, err := wrap(sign(t, key, k.digest), key.Public()).Encode()
	if err != nil {
		t.Fatal(err)
	}
	doc := image.BundleArtifact(text, predicateType, time.Time{})
	if _, err := image.Attach(t.Context(), layout, []image.Artifact{doc}, anonymous()); err != nil {
		t.Fatal(err)
	}
	verify := []string{"verify-attestation", "--key", "stella.pub", "--insecure-ignore-tlog", "--type", predicateType}
	k.run(t, append(verify, "--local-image", "saved")...)
	other := newKit(t, true)
	tag := other.host + "/team/loaded:1"
	k.run(t, "load", "--dir", "saved", tag)
	k.run(t, append(verify, tag)...)
	if got := found(t, tag); !slices.Equal(got, []string{bundleType, bundleType}) {
		t.Errorf("loaded, found %q", got)
	}
}
