// Package pushed puts images that tests make into registries.
package pushed

import (
	"fmt"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/stella-ops/stella/internal/imagetest"
)

// Image pushes an image of some layers, which are stored as gzip, and returns its reference.
// registry is a host with its port, which is spoken to without TLS; image is a repository
// with its tag.
func Image(registry, image string, layers ...[]byte) (string, error) {
	dir, err := os.MkdirTemp("", "pushed-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	imagetest.Layout(dir, imagetest.Gzip, layers...)
	l, err := layout.FromPath(dir)
	if err != nil {
		return "", fmt.Errorf("push %s: %w", image, err)
	}
	index, err := l.ImageIndex()
	if err != nil {
		return "", fmt.Errorf("push %s: %w", image, err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return "", fmt.Errorf("push %s: %w", image, err)
	}
	img, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		return "", fmt.Errorf("push %s: %w", image, err)
	}
	ref, err := name.ParseReference(registry+"/"+image, name.Insecure)
	if err != nil {
		return "", fmt.Errorf("push %s: %w", image, err)
	}
	if err := remote.Write(ref, img); err != nil {
		return "", fmt.Errorf("push %s: %w", image, err)
	}
	return ref.String(), nil
}
