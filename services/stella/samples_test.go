package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/imagetest"
)

// samplesFolder is the folder with what docs/tasks.md works on.
const samplesFolder = "../../docs/samples"

// TestSampleImage: docs/samples/shop.tar is what is written here. UPDATE=1 writes it.
func TestSampleImage(t *testing.T) {
	want := sampleImage(t)
	name := filepath.Join(samplesFolder, "shop.tar")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s has %d bytes that are not those of this test (%d); UPDATE=1 writes it anew", name, len(got), len(want))
	}
}

// sampleImage is an OCI layout in a tar: a Debian base with a shop above it. Nothing in it
// runs; package databases and manifests are what a scan reads.
func sampleImage(t *testing.T) []byte {
	t.Helper()
	layers := [][]byte{
		imagetest.Tar(
			imagetest.File{Name: "etc/os-release", Data: "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n"},
			imagetest.File{Name: "var/lib/dpkg/status", Data: debs(
				"base-files|12.4+deb12u2||base-files",
				"libc6|2.36-9+deb12u3|glibc|libc6",
				"libssl3|3.0.11-1~deb12u1|openssl|libssl3",
				"openssl|3.0.11-1~deb12u1||openssl",
				"zlib1g|1:1.2.13.dfsg-1|zlib|zlib1g")}),
		imagetest.Tar(
			imagetest.File{Name: "app/lib/log4j-core-2.14.1.jar", Data: sampleJar(t)},
			imagetest.File{Name: "app/node_modules/lodash/package.json", Data: `{"name":"lodash","version":"4.17.20","license":"MIT"}`}),
	}
	steps := []string{"ADD bookworm.tar /", "COPY shop /app"}
	var descriptors, diffIDs, history []any
	files := []imagetest.File{{Name: "oci-layout", Data: `{"imageLayoutVersion":"1.0.0"}`}}
	keep := func(media string, data []byte) map[string]any {
		digest := imagetest.Digest(data)
		files = append(files, imagetest.File{Name: "blobs/sha256/" + strings.TrimPrefix(digest, "sha256:"), Data: string(data)})
		return map[string]any{"mediaType": media, "digest": digest, "size": len(data)}
	}
	for i, data := range layers {
		descriptors = append(descriptors, keep("application/vnd.oci.image.layer.v1.tar", data))
		diffIDs = append(diffIDs, imagetest.Digest(data))
		history = append(history, map[string]any{"created": imagetest.Created, "created_by": steps[i]})
	}
	config := keep("application/vnd.oci.image.config.v1+json", sampleJSON(t, map[string]any{
		"architecture": "amd64", "os": "linux", "created": imagetest.Created,
		"config":  map[string]any{"Env": []string{"PATH=/usr/bin:/bin"}},
		"rootfs":  map[string]any{"type": "layers", "diff_ids": diffIDs},
		"history": history,
	}))
	manifest := keep("application/vnd.oci.image.manifest.v1+json", sampleJSON(t, map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": descriptors,
	}))
	manifest["annotations"] = map[string]any{"org.opencontainers.image.ref.name": "registry.example/shop:1"}
	files = append(files, imagetest.File{Name: "index.json", Data: string(sampleJSON(t, map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []any{manifest},
	}))})
	return imagetest.Tar(files...)
}

// debs makes the database of dpkg from lines NAME|VERSION|SOURCE|TEXT.
func debs(lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		f := strings.Split(line, "|")
		b.WriteString("Package: " + f[0] + "\nStatus: install ok installed\nMaintainer: Example <debian@example.com>\nArchitecture: amd64\n")
		if f[2] != "" {
			b.WriteString("Source: " + f[2] + "\n")
		}
		b.WriteString("Version: " + f[1] + "\nDescription: " + f[3] + "\n\n")
	}
	return b.String()
}

// sampleJar has what says which library it is, and no code.
func sampleJar(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range [][2]string{
		{"META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nImplementation-Title: Apache Log4j Core\r\nImplementation-Version: 2.14.1\r\n\r\n"},
		{"META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties", "version=2.14.1\ngroupId=org.apache.logging.log4j\nartifactId=log4j-core\n"},
	} {
		e, err := w.CreateHeader(&zip.FileHeader{Name: f[0], Method: zip.Store})
		if err == nil {
			_, err = e.Write([]byte(f[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func sampleJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
