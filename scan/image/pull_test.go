package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/imagetest"
)

// TestPullLatest: who names no tag gets what was pushed without one, beside whatever else
// is there.
func TestPullLatest(t *testing.T) {
	push := func(place, doc string) {
		t.Helper()
		a := Artifact{Type: "application/vnd.example.kit", MediaType: "a/b", Content: []byte(doc)}
		if _, err := Push(context.Background(), place, a, anonymous()); err != nil {
			t.Fatal(err)
		}
	}
	pull := func(place string) (string, error) {
		t.Helper()
		p, err := Pull(context.Background(), place, anonymous())
		if err != nil {
			return "", err
		}
		defer p.Close()
		rc, err := p.Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer rc.Close()
		b, err := io.ReadAll(rc)
		return string(b), err
	}
	place := "oci:" + filepath.Join(t.TempDir(), "layout")
	push(place+":v1", "one")
	if _, err := pull(place); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "v1") {
		t.Errorf("there is no latest: %v", err)
	}
	push(place, "two")
	push(place+":v3", "three")
	for ref, want := range map[string]string{"": "two", ":latest": "two", ":v1": "one", ":v3": "three"} {
		if got, err := pull(place + ref); got != want || err != nil {
			t.Errorf("%q: %q, %v", ref, got, err)
		}
	}
	push(place, "four")
	if got, err := pull(place); got != "four" || err != nil {
		t.Errorf("latest was moved: %q, %v", got, err)
	}
	// Another client's only document may have no name, and nothing in the index says that
	// it is an artifact.
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":2},"layers":[{"mediaType":"a/b","digest":%q,"size":4}]}`,
		typeOCIManifest, typeEmpty, imagetest.Digest(emptyConfig), imagetest.Digest([]byte("five")))
	layout := filepath.Join(t.TempDir(), "other")
	files := map[string]string{
		"oci-layout": layoutVersion,
		"index.json": fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":%q,"digest":%q,"size":%d}]}`, typeOCIManifest, imagetest.Digest([]byte(manifest)), len(manifest)),
	}
	for _, blob := range []string{manifest, "five", string(emptyConfig)} {
		files[blobName(imagetest.Digest([]byte(blob)))] = blob
	}
	for name, text := range files {
		file := filepath.Join(layout, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := pull("oci:" + layout); got != "five" || err != nil {
		t.Errorf("another client's: %q, %v", got, err)
	}
}
