package imagetest

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

// Created is the creation time of images made here.
const Created = "2024-01-02T03:04:05Z"

// config is an OCI image config (image-spec, config.md).
func config(tars [][]byte) []byte {
	var ids, history []any
	for i, data := range tars {
		ids = append(ids, Digest(data))
		history = append(history, map[string]any{"created": Created, "created_by": "COPY layer" + string(rune('1'+i)) + " /"})
	}
	return encode(map[string]any{
		"created": Created, "architecture": "amd64", "os": "linux", "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": ids}, "history": history,
	})
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	must(err)
	return b
}

// Layout writes an OCI image layout of one image below dir.
func Layout(dir string, c Compression, tars ...[]byte) {
	put := func(data []byte, media string) sbom.Descriptor {
		digest := Digest(data)
		name := filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
		must(os.MkdirAll(filepath.Dir(name), 0o755))
		must(os.WriteFile(name, data, 0o644))
		return sbom.Descriptor{MediaType: media, Digest: digest, Size: int64(len(data))}
	}
	descriptor := func(d sbom.Descriptor) map[string]any {
		return map[string]any{"mediaType": d.MediaType, "digest": d.Digest, "size": d.Size}
	}
	var layers []any
	for _, data := range tars {
		b := Blob(data, c)
		layers = append(layers, descriptor(put(Compress(data, c), b.Descriptor.MediaType)))
	}
	const manifestType = "application/vnd.oci.image.manifest.v1+json"
	manifest := put(encode(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "layers": layers,
		"config": descriptor(put(config(tars), "application/vnd.oci.image.config.v1+json")),
	}), manifestType)
	must(os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644))
	must(os.WriteFile(filepath.Join(dir, "index.json"), encode(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []any{descriptor(manifest)},
	}), 0o644))
}

// Archive returns a docker-archive ("docker save") of one image.
func Archive(name string, tars ...[]byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(name string, data []byte) {
		must(w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg}))
		_, err := w.Write(data)
		must(err)
	}
	var layers []string
	for _, data := range tars {
		file := strings.TrimPrefix(Digest(data), "sha256:") + "/layer.tar"
		layers = append(layers, file)
		add(file, data)
	}
	cfg := config(tars)
	file := strings.TrimPrefix(Digest(cfg), "sha256:") + ".json"
	add(file, cfg)
	add("manifest.json", encode([]any{map[string]any{"Config": file, "RepoTags": []string{name}, "Layers": layers}}))
	must(w.Close())
	return b.Bytes()
}
