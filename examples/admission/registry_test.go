package main

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	fake "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/scan/image"
)

// TestRegistry asks a real registry: a pod names an index, the verdict is about the image
// of it for the platform of the nodes, and one about another platform does not count.
func TestRegistry(t *testing.T) {
	server := httptest.NewServer(fake.New(fake.Logger(log.New(io.Discard, "", 0)), fake.WithReferrersSupport(true)))
	defer server.Close()
	repository := strings.TrimPrefix(server.URL, "http://") + "/team/web"
	var index v1.ImageIndex = empty.Index
	manifests := map[string]string{} // digests by platform
	for _, arch := range []string{"amd64", "arm64"} {
		img, err := random.Image(100, 1)
		if err != nil {
			t.Fatal(err)
		}
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config.OS, config.Architecture = "linux", arch
		if img, err = mutate.ConfigFile(img, config); err != nil {
			t.Fatal(err)
		}
		d, err := img.Digest()
		if err != nil {
			t.Fatal(err)
		}
		manifests["linux/"+arch] = d.String()
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	tag, err := name.NewTag(repository + ":1.4")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(tag, index); err != nil {
		t.Fatal(err)
	}
	d, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}

	w, trusted := newWorld(t), newKey(t)
	w.trust(trusted)
	ask := func(platform string) *response {
		w.handler.Bundles = registry(platform)
		out, code := w.ask(t, w.document(t, "create.json", web, repository+":1.4@"+d.String()))
		if out == nil {
			t.Fatalf("status %d", code)
		}
		return out.Response
	}
	if r := ask("linux/amd64"); r.Allowed || !strings.Contains(r.Status.Message, "nobody has signed") {
		t.Errorf("before anything was attached: %+v", r)
	}
	text := signedAbout(t, trusted, manifests["linux/amd64"], true, at.Add(-time.Hour))
	_, err = image.Attach(t.Context(), tag.String(), []image.Artifact{image.BundleArtifact(text, intoto.PredicateVerdict, time.Time{})}, &image.Options{Platform: "linux/amd64"})
	if err != nil {
		t.Fatal(err)
	}
	if r := ask("linux/amd64"); !r.Allowed {
		t.Errorf("its platform: %+v", r.Status)
	}
	if r := ask("linux/arm64"); r.Allowed {
		t.Error("a verdict about the image for amd64 admits the one for arm64")
	}
	if r := ask("linux/s390x"); r.Allowed {
		t.Error("an image that is not there is admitted")
	}
}
