package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
)

// obj is a JSON object written by hand.
type obj = map[string]any

// fixture is the content of an image source.
type fixture struct {
	blobs   map[string][]byte
	top     []byte
	topType string
	name    string // ref.name in layouts
}

func (f *fixture) put(b []byte) string {
	if f.blobs == nil {
		f.blobs = map[string][]byte{}
	}
	d := imagetest.Digest(b)
	f.blobs[d] = b
	return d
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// desc stores b and describes it.
func (f *fixture) desc(mediaType string, b []byte) obj {
	return obj{"mediaType": mediaType, "digest": f.put(b), "size": len(b)}
}

// layerOf is a layer with one file, in the given compression.
func layerOf(name string, c imagetest.Compression) (tarball, stored []byte) {
	tarball = imagetest.Tar(imagetest.File{Name: name, Data: "content of " + name})
	return tarball, imagetest.Compress(tarball, c)
}

// configOf is an image config with a history line for each layer and for a step
// without one.
func configOf(platform string, tars ...[]byte) obj {
	part := append(strings.Split(platform, "/"), "")
	diffIDs := []string{}
	history := []obj{{"created_by": "ENV a=b", "empty_layer": true}}
	for i, b := range tars {
		diffIDs = append(diffIDs, imagetest.Digest(b))
		history = append(history, obj{"created_by": fmt.Sprintf("COPY layer %d", i)})
	}
	c := obj{
		"created": "2024-05-06T09:08:09.123456789+02:00", "os": part[0], "architecture": part[1],
		"config": obj{"Env": []string{"PASSWORD=secret"}, "Labels": obj{"Size": "1", "Layers": "x"}},
		"rootfs": obj{"type": "layers", "diff_ids": diffIDs}, "history": history,
	}
	if part[2] != "" {
		c["variant"] = part[2]
	}
	return c
}

// addImage stores an image of two layers and returns its manifest.
func (f *fixture) addImage(platform string, c imagetest.Compression) obj {
	t1, s1 := layerOf("etc/os-release-"+strings.ReplaceAll(platform, "/", "-"), c)
	t2, s2 := layerOf("usr/bin/tool", c)
	media := "application/vnd.oci.image.layer.v1.tar"
	if c != imagetest.Plain {
		media += "+" + string(c)
	}
	return obj{
		"schemaVersion": 2, "mediaType": typeOCIManifest,
		"config": f.desc(typeOCIConfig, marshal(configOf(platform, t1, t2))),
		"layers": []obj{f.desc(media, s1), f.desc(media, s2)},
	}
}

// oneImage is a source with a single image.
func oneImage() *fixture {
	f := &fixture{topType: typeOCIManifest, name: "app"}
	f.top = marshal(f.addImage("linux/amd64", imagetest.Gzip))
	return f
}

// manyPlatforms is an index with an attestation and a nested index.
func manyPlatforms(platforms ...string) *fixture {
	f := &fixture{topType: typeOCIIndex, name: "app"}
	entry := func(platform string, b []byte) obj {
		part := append(strings.Split(platform, "/"), "")
		d := f.desc(typeOCIManifest, b)
		d["platform"] = obj{"os": part[0], "architecture": part[1], "variant": part[2]}
		return d
	}
	list := []obj{entry("unknown/unknown", []byte(`{"attestation":true}`))}
	for _, p := range platforms {
		list = append(list, entry(p, marshal(f.addImage(p, imagetest.Gzip))))
	}
	f.top = marshal(obj{"schemaVersion": 2, "mediaType": typeOCIIndex, "manifests": list})
	return f
}

// files are the files of an OCI layout.
func (f *fixture) files() map[string][]byte {
	d := f.desc(f.topType, f.top)
	if f.name != "" {
		d["annotations"] = obj{"org.opencontainers.image.ref.name": f.name}
	}
	out := map[string][]byte{
		"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`),
		"index.json": marshal(obj{"schemaVersion": 2, "manifests": []obj{d}}),
	}
	for digest, b := range f.blobs {
		out[blobName(digest)] = b
	}
	return out
}

func (f *fixture) dir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, dir, f.files())
	return dir
}

func writeFiles(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	for name, b := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// tarOf writes files as a tar archive in the order of their names.
func tarOf(files map[string][]byte) []byte {
	var list []imagetest.File
	for _, name := range slices.Sorted(maps.Keys(files)) {
		list = append(list, imagetest.File{Name: name, Data: string(files[name])})
	}
	return imagetest.Tar(list...)
}

func writeTemp(t testing.TB, name string, b []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func (f *fixture) archive(t testing.TB) string { return writeTemp(t, "image.tar", tarOf(f.files())) }

// handler is a small registry without rules. It serves app:latest.
func (f *fixture) handler() http.HandlerFunc {
	blobs := maps.Clone(f.blobs)
	return func(w http.ResponseWriter, r *http.Request) {
		rest, isManifest := strings.CutPrefix(r.URL.Path, "/v2/app/manifests/")
		digest, isBlob := strings.CutPrefix(r.URL.Path, "/v2/app/blobs/")
		switch {
		case r.URL.Path == "/v2/":
		case isManifest && (rest == "latest" || rest == imagetest.Digest(f.top)):
			w.Header().Set("Content-Type", f.topType)
			w.Write(f.top)
		case isManifest && blobs[rest] != nil:
			w.Header().Set("Content-Type", mediaTypeOf(blobs[rest]))
			w.Write(blobs[rest])
		case isBlob && blobs[digest] != nil:
			http.ServeContent(w, r, "", modTime, bytes.NewReader(blobs[digest]))
		default:
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no"}]}`)
		}
	}
}

func mediaTypeOf(b []byte) string {
	var v struct{ MediaType string }
	json.Unmarshal(b, &v)
	return v.MediaType
}

func serveHTTP(t testing.TB, h http.Handler) (host string) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = quiet
	s.Start()
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// mustOpen opens an image that is closed with the test.
func mustOpen(t testing.TB, ref string, opt *Options) *scan.Image {
	t.Helper()
	m, err := Open(context.Background(), ref, opt)
	if err != nil {
		t.Fatalf("open %s: %v", ref, err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("close %s: %v", ref, err)
		}
	})
	return m
}

func readLayer(t testing.TB, m *scan.Image, i int) []byte {
	t.Helper()
	rc, err := m.Layers[i].Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	b, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// anonymous keeps the tests away from the credentials of who runs them.
func anonymous() *Options { return &Options{Credentials: NoCredentials, Platform: "linux/amd64"} }

// dockerSave writes the images of a docker-archive.
func dockerSave(images ...saved) (manifest []byte) { return marshal(images) }

// tarEntries is a tar archive with exactly these entries.
func tarEntries(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		body := strings.Repeat("x", int(h.Size))
		if data, ok := h.PAXRecords["STELLA.data"]; ok {
			body, h.PAXRecords, h.Size = data, nil, int64(len(data))
		}
		h.Mode = 0o644
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, body)
	}
	w.Close()
	return b.Bytes()
}

func mustUnmarshal(b []byte, v any) {
	if err := json.Unmarshal(b, v); err != nil {
		panic(err)
	}
}

func inMemory(b []byte) *section {
	return &section{io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b))), nil}
}
