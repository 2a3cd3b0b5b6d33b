package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/stella-ops/stella/internal/imagetest"
)

// tourPolicy decides in the tour.
const tourPolicy = `# What may be released. "stella policy default" prints the policy that is built in.
id: tour
version: 1
threshold: {block: critical, warn: medium}
rules:
  - id: repairable
    match: {fix: available, severity: ">= high"}
    action: block
    because: there is a repaired version, and it is severe
`

// tourSettings say who is told in the tour.
const tourSettings = `endpoints:
  - id: platform
    type: slack
    to: "#platform"
    secrets: {token: "env:SLACK_TOKEN"}
rules:
  - id: blocked
    name: Whatever blocks a release
    match: {types: policy.verdict.changed, outcomes: block}
    to: [{endpoint: platform}]
`

// writeTourFiles writes what the tour works on below a folder: the image of the demo as
// an OCI layout, its advisories, a policy, and settings of notifications.
func writeTourFiles(dir string) error {
	if err := writeTourImage(filepath.Join(dir, "shop")); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "records"), 0o755); err != nil {
		return err
	}
	for i, text := range demoRecords {
		if err := os.WriteFile(filepath.Join(dir, "records", fmt.Sprintf("DEMO-2024-%d.json", i+1)), []byte(text+"\n"), 0o644); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "policy.yaml"), []byte(tourPolicy), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "notify.yaml"), []byte(tourSettings), 0o644)
}

// writeTourImage writes the image of the demo as an OCI layout (image-spec,
// image-layout.md).
func writeTourImage(dir string) error {
	img := demoImage()
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		return err
	}
	put := func(media string, content []byte) (map[string]any, error) {
		digest := imagetest.Digest(content)
		name := filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
		return map[string]any{"mediaType": media, "digest": digest, "size": len(content)}, os.WriteFile(name, content, 0o644)
	}
	var layers, diffIDs, history []any
	for _, l := range img.Layers {
		rc, err := l.Open(context.Background())
		if err != nil {
			return err
		}
		stored, err := io.ReadAll(rc)
		if err != nil {
			return err
		}
		d, err := put(l.Descriptor.MediaType, stored)
		if err != nil {
			return err
		}
		layers, diffIDs = append(layers, d), append(diffIDs, l.DiffID)
		history = append(history, map[string]any{"created": imagetest.Created, "created_by": l.CreatedBy})
	}
	config, err := putJSON(put, "application/vnd.oci.image.config.v1+json", map[string]any{
		"created": imagetest.Created, "architecture": "amd64", "os": "linux", "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": diffIDs}, "history": history,
	})
	if err != nil {
		return err
	}
	const manifestType = "application/vnd.oci.image.manifest.v1+json"
	manifest, err := putJSON(put, manifestType, map[string]any{"schemaVersion": 2, "mediaType": manifestType, "config": config, "layers": layers})
	if err != nil {
		return err
	}
	manifest["annotations"] = map[string]any{"org.opencontainers.image.ref.name": "1.0"}
	index, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []any{manifest}})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "index.json"), index, 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644)
}

// putJSON puts a value as JSON, whose members encoding/json sorts.
func putJSON(put func(string, []byte) (map[string]any, error), media string, v any) (map[string]any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return put(media, text)
}
