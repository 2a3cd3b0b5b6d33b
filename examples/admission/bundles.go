package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/stella-ops/stella/scan/image"
)

// maxBundles bounds what is kept about one image, in bytes.
const maxBundles = 16 << 20

// Found is what lies about an image. Nothing of it is believed: anybody may have put it there.
type Found struct {
	// Subject is the digest that a verdict must be about: of the image itself, not of an
	// index.
	Subject string
	Bundles [][]byte
}

// Source finds bundles. ref has a digest.
type Source func(ctx context.Context, ref image.Reference) (*Found, error)

// folder is a source of files: DIR/sha256-HEX.jsonl has one bundle a line.
func folder(dir string) Source {
	return func(_ context.Context, ref image.Reference) (*Found, error) {
		root, err := os.OpenRoot(dir) // a name never leads out of the folder
		if err != nil {
			return nil, err
		}
		defer root.Close()
		f, err := root.Open(strings.Replace(ref.Digest, ":", "-", 1) + ".jsonl")
		if err != nil {
			return nil, err
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, maxBundles+1))
		if err != nil {
			return nil, err
		}
		if len(text) > maxBundles {
			return nil, fmt.Errorf("the bundles of %s have more than %d bytes", ref.Digest, maxBundles)
		}
		found := &Found{Subject: ref.Digest}
		for line := range bytes.Lines(text) {
			if line = bytes.TrimSpace(line); len(line) > 0 {
				found.Bundles = append(found.Bundles, line)
			}
		}
		return found, nil
	}
}

// registry is the source of what is attached to images where they are. An index is read,
// compared with the digest that the pod names, and leads to the image for the platform.
func registry(platform string) Source {
	return func(ctx context.Context, ref image.Reference) (*Found, error) {
		bundle := func(a *image.Attestation) bool {
			return a.Size <= maxBundles && (a.MediaType == image.BundleMediaType || a.ArtifactType == image.BundleMediaType)
		}
		list, err := image.Attestations(ctx, ref.String(), bundle, &image.Options{Platform: platform})
		if err != nil {
			return nil, err
		}
		found := &Found{Subject: list.Digests[len(list.Digests)-1]} // of the manifest
		for _, a := range list.Attestations {
			found.Bundles = append(found.Bundles, a.Content)
		}
		return found, nil
	}
}
