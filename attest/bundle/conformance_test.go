package bundle_test

import (
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/attest/bundle"
	"github.com/stella-ops/stella/internal/testdata"
)

// pack are the bundles of the Sigstore conformance suite.
const pack = "conformance/sigstore-bundle-verify.tar.gz"

// refused are the bundles of the pack that are none: the format itself says so.
// All others are well formed, and fail, where they must, under verification.
var refused = map[string]struct {
	kind error
	text string
}{
	"bundle-invalid-base64-signature_fail": {bundle.ErrInvalid, "illegal base64"},
	"bundle-unknown-version_fail":          {bundle.ErrUnsupported, "version=99.9"},
	"bundle-with-root-cert_fail":           {bundle.ErrInvalid, "checkpoint of the inclusion proof is missing"},
	"invalid-inclusion-proof_fail":         {bundle.ErrInvalid, "checkpoint of the inclusion proof is missing"},
	"intoto-missing-inclusion-proof_fail":  {bundle.ErrInvalid, "inclusionProof is missing"},
	"rekor2-no-inclusion-proof_fail":       {bundle.ErrInvalid, "inclusionProof is missing"},
}

func TestConformance(t *testing.T) {
	files := openPack(t)
	seen := map[string]bool{}
	for _, name := range testdata.Names(files) {
		if path.Base(name) != "bundle.sigstore.json" {
			continue
		}
		test := path.Base(path.Dir(name))
		seen[test] = true
		t.Run(test, func(t *testing.T) {
			b, err := bundle.Decode(files[name])
			if want, ok := refused[test]; ok {
				if !errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.text) {
					t.Fatalf("Decode: %v, want %v with %q", err, want.kind, want.text)
				}
				return
			}
			if err != nil {
				t.Fatalf("Decode: %v", err)
			}
			sameMeaning(t, files[name], b)
			text, err := b.Encode()
			if err != nil {
				t.Fatalf("Encode: %v", err)
			}
			again, err := bundle.Decode(text)
			if err != nil {
				t.Fatalf("Decode of what Encode wrote: %v", err)
			}
			if diff := cmp.Diff(b, again); diff != "" {
				t.Errorf("another bundle after Encode and Decode (-before +after):\n%s", diff)
			}
			sameMeaning(t, text, b)
		})
	}
	if len(seen) != 42 {
		t.Errorf("the pack has %d bundles, want 42", len(seen))
	}
	for name := range refused {
		if !seen[name] {
			t.Errorf("the pack has no %s", name)
		}
	}
}

func openPack(t *testing.T) map[string][]byte { return testdata.Open(t, pack) }
