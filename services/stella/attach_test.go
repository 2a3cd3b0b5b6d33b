package main

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/image"
)

// TestAttachToRegistry: what is attached to an image in a registry, by either layout, is
// found and verified again, and what is exported there as well; a tag that moves takes
// nothing along.
func TestAttachToRegistry(t *testing.T) {
	for _, referrers := range []bool{true, false} {
		s := proven(t)
		h := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(referrers)))
		t.Cleanup(h.Close)
		repo := strings.TrimPrefix(h.URL, "http://") + "/team/app"
		push(t, s.path("one"), repo+":1", "one")
		ref := "docker://" + repo + ":1"

		s.must("attest -q --key %a.key --policy %policy.yaml --attach --log %translog --log-key %log.key --log-origin log.example " + ref)
		s.must("verify --trust-root %trust.json --type verdict --type evidence --logged " + ref)
		if code, _, diag := s.run("verify", "--key", "%b.pub", "--type", "verdict", ref); code != exitVerification || !strings.HasPrefix(diag, "stella: not signed by whom it must be") {
			t.Errorf("by another key: exit code %d\n%s", code, diag)
		}
		s.must("attest -q --key %b.key --type spdxjson --attach --attach-layout legacy " + ref)
		s.must("verify --key %b.pub --type spdxjson " + ref)
		s.must("export -q --format evidence --key %b.key --policy %policy.yaml --to oci://" + repo + " " + ref)
		s.must("verify --key %b.pub --type verdict --outcome pass " + ref)

		push(t, s.path("two"), repo+":1", "two")
		if code, _, diag := s.run("verify", "--key", "%a.pub", ref); code != exitVerification || !strings.Contains(diag, "nothing is attached") {
			t.Errorf("after the tag moved: exit code %d\n%s", code, diag)
		}
	}
}

// push makes an image and puts it into a registry.
func push(t *testing.T, dir, ref, content string) {
	t.Helper()
	pushFiles(t, dir, ref, imagetest.File{Name: "file", Data: content})
}

func pushFiles(t *testing.T, dir, ref string, files ...imagetest.File) {
	t.Helper()
	imagetest.Layout(dir, imagetest.Gzip, imagetest.Tar(files...))
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	img, err := index.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(ref, name.Insecure)
	if err == nil {
		err = remote.Write(tag, img)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestAttachedEvidence: evidence of which a part is not attached is no evidence.
func TestAttachedEvidence(t *testing.T) {
	s := proven(t)
	imagetest.Layout(s.path("img"), imagetest.Gzip, imagetest.Tar(imagetest.File{Name: "file", Data: "x"}))
	s.must("attest oci:%img -q --key %a.key --policy %policy.yaml -o bundle=%img.jsonl")
	items := s.items("img.jsonl")
	for i := len(items) - 1; i >= 0; i-- { // the evidence first
		text, err := items[i].Bundle.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := image.Attach(t.Context(), "oci:"+s.path("img"), []image.Artifact{image.BundleArtifact(text, "", time.Time{})}, nil); err != nil {
			t.Fatal(err)
		}
		code, _, diag := s.run("verify", "oci:%img", "--key", "%a.pub", "--type", "evidence")
		if i > 0 && (code != exitVerification || !strings.HasPrefix(diag, "stella: evidence: what the evidence lists")) || i == 0 && code != exitPass {
			t.Errorf("with %d of %d attached: exit code %d\n%s", len(items)-i, len(items), code, diag)
		}
	}
}
