package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/go-containerregistry/pkg/name"
	ociwriter "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// savedFiles are the files of a docker-archive of the image, as docker save
// wrote it before version 25.
func savedFiles(f *fixture) map[string][]byte {
	t1, _ := layerOf("etc/os-release-linux-amd64", imagetest.Plain)
	t2, _ := layerOf("usr/bin/tool", imagetest.Plain)
	var d struct{ Config struct{ Digest string } }
	mustUnmarshal(f.top, &d)
	cfg := strings.TrimPrefix(d.Config.Digest, "sha256:") + ".json"
	return map[string][]byte{
		cfg: f.blobs[d.Config.Digest], "a/layer.tar": t1, "b/layer.tar": t2,
		"manifest.json": dockerSave(saved{Config: cfg, RepoTags: []string{"app:latest", "app:1"}, Layers: []string{"a/layer.tar", "b/layer.tar"}}),
		"repositories":  []byte(`{"app":{"latest":"b"}}`),
	}
}

// saved25 are the files as docker save writes them since version 25: an OCI
// layout with manifest.json beside it.
func saved25(f *fixture) map[string][]byte {
	var d struct {
		Config struct{ Digest string }
		Layers []struct{ Digest string }
	}
	mustUnmarshal(f.top, &d)
	out := f.files()
	img := saved{Config: blobName(d.Config.Digest), RepoTags: []string{"app:latest"}}
	for _, l := range d.Layers {
		img.Layers = append(img.Layers, blobName(l.Digest))
	}
	out["manifest.json"] = dockerSave(img)
	return out
}

func plainImage() *fixture {
	f := &fixture{topType: typeOCIManifest, name: "app"}
	f.top = marshal(f.addImage("linux/amd64", imagetest.Plain))
	return f
}

// tarballs are the decompressed layers of an image.
func tarballs(t testing.TB, m *scan.Image) (out []string) {
	t.Helper()
	for i := range m.Layers {
		b := readLayer(t, m, i)
		if r, err := gzip.NewReader(bytes.NewReader(b)); err == nil {
			if b, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		} else if z, err := zstd.NewReader(bytes.NewReader(b)); err == nil {
			if plain, err := io.ReadAll(z); err == nil {
				b = plain
			}
			z.Close()
		}
		out = append(out, string(b))
	}
	return out
}

// The same image is the same wherever it is kept, and however its layers are
// stored.
func TestSameImageFromEverySource(t *testing.T) {
	f, plain := oneImage(), plainImage()
	zst := &fixture{topType: typeOCIManifest, name: "app"}
	zst.top = marshal(zst.addImage("linux/amd64", imagetest.Zstd))
	compress := func(b []byte) []byte { return imagetest.Compress(b, imagetest.Gzip) }
	refs := map[string]string{
		"registry":                  serveHTTP(t, realRegistry(t, f)) + "/app",
		"registry, plain layers":    serveHTTP(t, realRegistry(t, plain)) + "/app",
		"registry, zstd layers":     serveHTTP(t, realRegistry(t, zst)) + "/app",
		"registry, index":           serveHTTP(t, realRegistry(t, manyPlatforms("linux/arm64", "linux/amd64"))) + "/app",
		"layout":                    "oci:" + f.dir(t),
		"layout by name":            "oci-dir:" + plain.dir(t) + ":app",
		"layout, bare path":         f.dir(t),
		"oci-archive":               "oci-archive:" + f.archive(t),
		"oci-archive, bare path":    f.archive(t),
		"oci-archive, gzip":         "oci-archive:" + writeTemp(t, "x.tgz", compress(tarOf(f.files()))),
		"oci-archive, zstd":         "oci-archive:" + writeTemp(t, "x.tar.zst", imagetest.Compress(tarOf(f.files()), imagetest.Zstd)),
		"docker-archive":            "docker-archive:" + writeTemp(t, "x.tar", tarOf(savedFiles(f))),
		"docker-archive by name":    "docker-archive:" + writeTemp(t, "x.tar", tarOf(savedFiles(f))) + ":app:1",
		"docker-archive, gzip":      "docker-archive:" + writeTemp(t, "x.tar.gz", compress(tarOf(savedFiles(f)))),
		"docker-archive, bare path": writeTemp(t, "x.tar", tarOf(savedFiles(f))),
		"docker-archive, OCI kind":  "docker-archive:" + writeTemp(t, "x.tar", tarOf(saved25(plain))),
		"docker-archive, OCI, gzip": "docker-archive:" + writeTemp(t, "x.tar", tarOf(saved25(f))),
		"docker-daemon":             daemonRef(t, tarOf(savedFiles(f))),
	}
	opt := anonymous()
	var want *scan.Image
	for _, from := range testdata.Names(asFiles(refs)) {
		o := *opt
		if sock, ok := strings.CutPrefix(refs[from], "daemon "); ok {
			o.DockerHost, refs[from] = "unix://"+sock, "docker-daemon:app:latest"
		}
		m := mustOpen(t, refs[from], &o)
		if want == nil {
			want = m
		}
		if d := cmp.Diff(want.Subject, m.Subject); d != "" {
			t.Errorf("%s: subject: %s", from, d)
		}
		if d := cmp.Diff(want.Gaps, m.Gaps); d != "" || m.Created != want.Created {
			t.Errorf("%s: created %s, gaps: %s", from, m.Created, d)
		}
		opts := cmpopts.IgnoreFields(layer.Blob{}, "Descriptor", "Open")
		if d := cmp.Diff(want.Layers, m.Layers, opts); d != "" {
			t.Errorf("%s: layers: %s", from, d)
		}
		if d := cmp.Diff(tarballs(t, want), tarballs(t, m)); d != "" {
			t.Errorf("%s: content: %s", from, d)
		}
		if m.Source.Reference != refs[from] {
			t.Errorf("%s: reference %q", from, m.Source.Reference)
		}
	}
}

func asFiles(m map[string]string) map[string][]byte {
	out := map[string][]byte{}
	for k, v := range m {
		out[k] = []byte(v)
	}
	return out
}

// What go-containerregistry writes is read back with the digests it says.
func TestReadsWhatTheLibraryWrites(t *testing.T) {
	dir := oneImage().dir(t)
	p, err := ociwriter.FromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	idx, err := p.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	im, err := idx.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	img, err := p.Image(im.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag("example.com/app:1")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "library.tar")
	if err := tarball.WriteToFile(file, tag, img); err != nil {
		t.Fatal(err)
	}
	m := mustOpen(t, "docker-archive:"+file+":example.com/app:1", anonymous())
	if m.Subject.ConfigDigest != cfg.String() {
		t.Errorf("config %s, want %s", m.Subject.ConfigDigest, cfg)
	}
	direct := mustOpen(t, "oci:"+dir, anonymous())
	if d := cmp.Diff(direct.Subject, m.Subject); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(tarballs(t, direct), tarballs(t, m)); d != "" {
		t.Error(d)
	}
}

// Local layers can be read at any place.
func TestLocalLayersAreReadInPlace(t *testing.T) {
	f := oneImage()
	for _, ref := range []string{"oci:" + f.dir(t), "oci-archive:" + f.archive(t), "docker-archive:" + writeTemp(t, "x.tar", tarOf(savedFiles(f)))} {
		m := mustOpen(t, ref, anonymous())
		rc, err := m.Layers[1].Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		at, ok := rc.(io.ReaderAt)
		sized, ok2 := rc.(interface{ Size() int64 })
		if !ok || !ok2 || sized.Size() != m.Layers[1].Descriptor.Size {
			t.Fatalf("%s: %T", ref, rc)
		}
		all, err := io.ReadAll(rc)
		if err != nil {
			t.Fatal(err)
		}
		part := make([]byte, 7)
		if _, err := at.ReadAt(part, 11); err != nil || !bytes.Equal(part, all[11:18]) {
			t.Errorf("%s: part %q, %v", ref, part, err)
		}
		if err := rc.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestLayoutNames(t *testing.T) {
	f := &fixture{topType: typeOCIManifest}
	a := f.desc(typeOCIManifest, marshal(f.addImage("linux/amd64", imagetest.Gzip)))
	b := f.desc(typeOCIManifest, marshal(f.addImage("linux/arm64", imagetest.Gzip)))
	a["annotations"] = obj{"org.opencontainers.image.ref.name": "v1", "io.containerd.image.name": "docker.io/library/app:v1"}
	b["annotations"] = obj{"org.opencontainers.image.ref.name": "example.com/b:v2"}
	files := f.files()
	files["index.json"] = marshal(obj{"schemaVersion": 2, "manifests": []obj{a, b}})
	dir := t.TempDir()
	writeFiles(t, dir, files)
	opt := &Options{}
	for ref, want := range map[string]string{
		"v1": "linux/amd64", "app:v1": "linux/amd64", "docker.io/library/app:v1": "linux/amd64",
		"example.com/b:v2": "linux/arm64", a["digest"].(string): "linux/amd64", "@" + b["digest"].(string): "linux/arm64",
	} {
		m := mustOpen(t, "oci:"+dir+":"+ref, opt)
		if m.Subject.Platform != want {
			t.Errorf("%s: %s, want %s", ref, m.Subject.Platform, want)
		}
	}
	if m := mustOpen(t, "oci:"+dir+":v1", opt); cmp.Diff([]string{"docker.io/library/app:v1", "v1"}, m.Source.Tags) != "" {
		t.Errorf("tags %q", m.Source.Tags)
	}
	for _, ref := range []string{"", ":v3", ":v2", ":" + other} {
		_, err := Open(context.Background(), "oci:"+dir+ref, opt)
		if err == nil || !strings.Contains(err.Error(), `"docker.io/library/app:v1", "example.com/b:v2"`) {
			t.Errorf("%q: %v", ref, err)
		}
	}
}

// An index without names in a layout is one image for several platforms, also
// where it says no platforms.
func TestLayoutPlatforms(t *testing.T) {
	for _, says := range []bool{true, false} {
		f := &fixture{topType: typeOCIManifest}
		var list []obj
		for _, p := range []string{"linux/amd64", "linux/arm64"} {
			d := f.desc(typeOCIManifest, marshal(f.addImage(p, imagetest.Gzip)))
			if says {
				d["platform"] = obj{"os": "linux", "architecture": p[6:]}
			}
			list = append(list, d)
		}
		files := f.files()
		files["index.json"] = marshal(obj{"schemaVersion": 2, "manifests": list})
		dir := t.TempDir()
		writeFiles(t, dir, files)
		m := mustOpen(t, "oci:"+dir, &Options{Platform: "linux/arm64"})
		if m.Subject.Platform != "linux/arm64" || m.Source.Manifest != list[1]["digest"] {
			t.Errorf("says %v: %s", says, m.Subject.Platform)
		}
	}
}

func TestBadLayouts(t *testing.T) {
	change := func(name, content string) func(dir string) {
		return func(dir string) { os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644) }
	}
	remove := func(name string) func(dir string) { return func(dir string) { os.Remove(filepath.Join(dir, name)) } }
	f := oneImage()
	var d struct{ Layers []struct{ Digest string } }
	mustUnmarshal(f.top, &d)
	layerFile, topFile := blobName(d.Layers[0].Digest), blobName(imagetest.Digest(f.top))
	link := func(name, to string) func(dir string) {
		return func(dir string) {
			os.Remove(filepath.Join(dir, name))
			os.Symlink(to, filepath.Join(dir, name))
		}
	}
	outside := writeTemp(t, "manifest", f.top)
	for _, tc := range []struct {
		name   string
		change func(dir string)
		kind   error
		say    string
	}{
		{"no version", remove("oci-layout"), ErrInvalid, "not an OCI layout"},
		{"version 2", change("oci-layout", `{"imageLayoutVersion":"2.0.0"}`), ErrUnsupported, "2.0.0"},
		{"huge version", change("oci-layout", strings.Repeat(" ", 5000)), ErrLimit, "4096"},
		{"no index", remove("index.json"), ErrNotFound, "index.json"},
		{"huge index", change("index.json", strings.Repeat(" ", 5<<20)), ErrLimit, "4194304"},
		{"index is a manifest", change("index.json", string(f.top)), ErrInvalid, "not an index"},
		{"empty index", change("index.json", `{"schemaVersion":2,"manifests":[]}`), ErrNotFound, "no image"},
		{"index is a folder", func(dir string) {
			os.Remove(filepath.Join(dir, "index.json"))
			os.Mkdir(filepath.Join(dir, "index.json"), 0o755)
		}, ErrInvalid, "not a regular file"},
		{"manifest is a link out", link(topFile, outside), ErrInvalid, "symbolic link"},
		{"manifest is a link inside", func(dir string) {
			os.Rename(filepath.Join(dir, topFile), filepath.Join(dir, "x"))
			os.Symlink("../../x", filepath.Join(dir, topFile))
		}, ErrInvalid, "symbolic link"},
		{"blobs is a link", func(dir string) {
			os.Rename(filepath.Join(dir, "blobs"), filepath.Join(dir, "x"))
			os.Symlink("x", filepath.Join(dir, "blobs"))
		}, ErrInvalid, "symbolic link"},
		{"layer is missing", remove(layerFile), ErrNotFound, layerFile},
		{"layer is shorter", change(layerFile, "x"), ErrMismatch, "1 bytes"},
		{"layer is longer", change(layerFile, strings.Repeat("x", 1<<20)), ErrMismatch, "1048576 bytes"},
		{"layer is a link", link(layerFile, outside), ErrInvalid, "symbolic link"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := oneImage().dir(t)
			tc.change(dir)
			err := pull("oci:"+dir, anonymous(), false)
			if !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.say) {
				t.Fatalf("got %v, want %v saying %q", err, tc.kind, tc.say)
			}
		})
	}
	if err := pull("oci:/does/not/exist", anonymous(), false); !errors.Is(err, ErrNotFound) {
		t.Errorf("no folder: %v", err)
	}
	if err := pull("oci:"+outside, anonymous(), false); !errors.Is(err, ErrInvalid) {
		t.Errorf("a file: %v", err)
	}
}

func TestTamperedLayoutNamesBothDigests(t *testing.T) {
	f := oneImage()
	top := imagetest.Digest(f.top)
	dir := f.dir(t)
	forged := bytes.Replace(f.top, []byte("gzip"), []byte("zstd"), 1)
	if err := os.WriteFile(filepath.Join(dir, blobName(top)), forged, 0o644); err != nil {
		t.Fatal(err)
	}
	err := pull("oci:"+dir, anonymous(), false)
	if !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), top) || !strings.Contains(err.Error(), imagetest.Digest(forged)) {
		t.Fatalf("got %v", err)
	}
}

func TestSharedArchives(t *testing.T) {
	files := testdata.Open(t, "images/tar-edge-cases.tar.gz")
	at := func(name string) string {
		b, ok := files["pkg/v1/"+name]
		if !ok {
			t.Fatalf("no %s", name)
		}
		return writeTemp(t, filepath.Base(name), b)
	}
	t.Run("docker 25", func(t *testing.T) {
		m := mustOpen(t, "docker-archive:"+at("tarball/testdata/hello-world-v25.tar"), &Options{})
		if m.Subject.ConfigDigest != "sha256:ee301c921b8aadc002973b2e0c3da17d701dcd994b606769a7e6eaa100b81d44" || m.Layers[0].Descriptor.Size != 10752 {
			t.Errorf("%+v", m.Subject)
		}
		if got := imagetest.Digest(readLayer(t, m, 0)); got != m.Layers[0].DiffID {
			t.Errorf("layer %s, want %s", got, m.Layers[0].DiffID)
		}
	})
	t.Run("layers that are links", func(t *testing.T) {
		file := at("tarball/testdata/test_link.tar")
		_, err := Open(context.Background(), "docker-archive:"+file, &Options{})
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), `"bazel/v1/tarball:test_image_1", "bazel/v1/tarball:test_image_3"`) {
			t.Fatalf("no name given: %v", err)
		}
		m := mustOpen(t, "docker-archive:"+file+":bazel/v1/tarball:test_image_3", &Options{})
		for i := range m.Layers {
			if got := imagetest.Digest(readLayer(t, m, i)); got != m.Layers[i].DiffID {
				t.Errorf("layer %d: %s, want %s", i, got, m.Layers[i].DiffID)
			}
		}
	})
	t.Run("without manifest.json", func(t *testing.T) {
		m := mustOpen(t, "docker-archive:"+at("tarball/testdata/no_manifest.tar"), &Options{})
		if got := imagetest.Digest(readLayer(t, m, 0)); got != m.Layers[0].DiffID || m.Source.Tags[0] != "bazel/v1/tarball:test_image" {
			t.Errorf("layer %s, want %s; tags %q", got, m.Layers[0].DiffID, m.Source.Tags)
		}
	})
	t.Run("one image", func(t *testing.T) {
		m := mustOpen(t, at("tarball/testdata/test_image_2.tar"), &Options{})
		if got := imagetest.Digest(readLayer(t, m, 0)); got != m.Layers[0].DiffID {
			t.Errorf("layer %s, want %s", got, m.Layers[0].DiffID)
		}
	})
	t.Run("no image at all", func(t *testing.T) {
		if err := pull("docker-archive:"+at("tarball/testdata/bat/bat"), &Options{}, false); !errors.Is(err, ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("written by crane", func(t *testing.T) {
		m := mustOpen(t, "docker-archive:"+at("mutate/testdata/whiteout_dir.tar"), &Options{})
		for i, b := range tarballs(t, m) {
			if got := imagetest.Digest([]byte(b)); got != m.Layers[i].DiffID {
				t.Errorf("layer %d: %s, want %s", i, got, m.Layers[i].DiffID)
			}
		}
	})
	t.Run("layout", func(t *testing.T) {
		dir := t.TempDir()
		const top = "98ceaf93e482fe91b9bfd6bba07137c098e49ee2d55e69f09fb6c951e75e0e46"
		for n, b := range files {
			if rest, ok := strings.CutPrefix(n, "pkg/v1/layout/testdata/test_index_one_image/"); ok {
				writeFiles(t, dir, map[string][]byte{rest: b})
			}
		}
		index := marshal(obj{"schemaVersion": 2, "manifests": []obj{{"mediaType": typeOCIManifest, "digest": "sha256:" + top, "size": 344}}})
		writeFiles(t, dir, map[string][]byte{"index.json": index})
		m := mustOpen(t, "oci:"+dir, &Options{})
		if got := imagetest.Digest([]byte(tarballs(t, m)[0])); got != m.Layers[0].DiffID || m.Created != "2020-04-12T10:58:48Z" {
			t.Errorf("layer %s, want %s; created %s", got, m.Layers[0].DiffID, m.Created)
		}
	})
}

func TestBadDockerArchives(t *testing.T) {
	f := oneImage()
	base := savedFiles(f)
	cfgName := ""
	for n := range base {
		if strings.HasSuffix(n, ".json") && n != "manifest.json" {
			cfgName = n
		}
	}
	with := func(changes map[string]string) []byte {
		files := maps.Clone(base)
		for n, b := range changes {
			if b == "" {
				delete(files, n)
				continue
			}
			files[n] = []byte(b)
		}
		return tarOf(files)
	}
	manifest := func(s ...saved) map[string]string {
		return map[string]string{"manifest.json": string(dockerSave(s...))}
	}
	one := saved{Config: cfgName, RepoTags: []string{"app:1"}, Layers: []string{"a/layer.tar", "b/layer.tar"}}
	changed := func(change func(*saved)) []byte { s := one; change(&s); return with(manifest(s)) }
	data := func(s string) map[string]string { return map[string]string{"STELLA.data": s} }
	entry := func(h ...tar.Header) []byte {
		return tarEntries(t, append(h, tar.Header{Name: "manifest.json", Typeflag: tar.TypeReg, PAXRecords: data(string(dockerSave(one)))},
			tar.Header{Name: cfgName, Typeflag: tar.TypeReg, PAXRecords: data(string(base[cfgName]))})...)
	}
	for _, tc := range []struct {
		name string
		b    []byte
		kind error
		say  string
	}{
		{"empty file", nil, ErrInvalid, "empty"},
		{"not a tar", []byte(strings.Repeat("x", 2000)), ErrInvalid, "tar"},
		{"no entries", tarOf(nil), ErrInvalid, "empty one"},
		{"broken gzip", []byte("\x1f\x8b\x08 and nothing"), ErrInvalid, ""},
		{"gzip cut off", imagetest.Compress(tarOf(base), imagetest.Gzip)[:300], ErrInvalid, "too early"},
		{"broken zstd", []byte("\x28\xb5\x2f\xfd and nothing"), ErrInvalid, ""},
		{"cut off", tarOf(base)[:3000], ErrInvalid, "too early"},
		{"nothing known inside", tarOf(map[string][]byte{"x": []byte("y")}), ErrInvalid, "neither manifest.json nor repositories"},
		{"an OCI archive", tarOf(f.files()), ErrUnsupported, "oci-archive"},
		{"manifest is null", with(map[string]string{"manifest.json": "null"}), ErrInvalid, "null"},
		{"manifest is an object", with(map[string]string{"manifest.json": "{}"}), ErrInvalid, "array"},
		{"manifest is empty", with(map[string]string{"manifest.json": "[]"}), ErrNotFound, "no image"},
		{"manifest of null", with(map[string]string{"manifest.json": "[null]"}), ErrInvalid, "entry 0"},
		{"manifest with trailing data", with(map[string]string{"manifest.json": "[] []"}), ErrInvalid, "JSON"},
		{"manifest with a duplicate key", with(map[string]string{"manifest.json": `[{"Config":"a","Config":"b"}]`}), ErrInvalid, "duplicate"},
		{"manifest key in another case", with(map[string]string{"manifest.json": `[{"Config":"a","layers":[]}]`}), ErrInvalid, "another case"},
		{"manifest is too large", with(map[string]string{"manifest.json": strings.Repeat(" ", 5<<20)}), ErrLimit, "4194304"},
		{"manifest of many", with(map[string]string{"manifest.json": "[" + strings.Repeat(`{"Config":"a"},`, 10_000) + `{"Config":"a"}]`}), ErrLimit, "10000"},
		{"no config", changed(func(s *saved) { s.Config = "" }), ErrInvalid, "no Config"},
		{"config is missing", changed(func(s *saved) { s.Config = "x.json" }), ErrNotFound, "x.json"},
		{"config leads out", changed(func(s *saved) { s.Config = "../../etc/passwd" }), ErrNotFound, "passwd"},
		{"config is exchanged", with(map[string]string{cfgName: strings.Replace(string(base[cfgName]), "amd64", "arm64", 1)}), ErrMismatch, "sha256:" + strings.TrimSuffix(cfgName, ".json")},
		{"layer is missing", changed(func(s *saved) { s.Layers = []string{"a/layer.tar", "c/layer.tar"} }), ErrNotFound, "c/layer.tar"},
		{"fewer layers", changed(func(s *saved) { s.Layers = s.Layers[:1] }), ErrInvalid, "1 layers"},
		{"more layers", changed(func(s *saved) { s.Layers = append(s.Layers, "a/layer.tar") }), ErrInvalid, "3 layers"},
		{"several images", with(manifest(one, saved{Config: "other", RepoTags: []string{"other:1"}})), ErrInvalid, `"app:1", "other:1"`},
		{"manifest is there twice", entry(tar.Header{Name: "manifest.json", Typeflag: tar.TypeReg, PAXRecords: data("[]")}), ErrInvalid, "more than once"},
		{"layer leads out", entry(tar.Header{Name: "a/layer.tar", Typeflag: tar.TypeSymlink, Linkname: "../../etc/passwd"}), ErrInvalid, "leads out"},
		{"layer leads out, absolute", entry(tar.Header{Name: "a/layer.tar", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}), ErrInvalid, "leads out"},
		{"layer leads out, hard", entry(tar.Header{Name: "a/layer.tar", Typeflag: tar.TypeLink, Linkname: "../etc/passwd"}), ErrInvalid, "leads out"},
		{"layer leads to itself", entry(tar.Header{Name: "a/layer.tar", Typeflag: tar.TypeSymlink, Linkname: "layer.tar"}), ErrLimit, "links"},
		{"layer leads nowhere", entry(tar.Header{Name: "a/layer.tar", Typeflag: tar.TypeSymlink, Linkname: "../x/layer.tar"}), ErrNotFound, "a/layer.tar"},
		{"layer is a device", entry(tar.Header{Name: "a/layer.tar", Typeflag: tar.TypeChar}), ErrNotFound, "a/layer.tar"},
		{"layer is a folder", entry(tar.Header{Name: "a/layer.tar/", Typeflag: tar.TypeDir}), ErrNotFound, "a/layer.tar"},
		{"legacy, parents in a circle", with(map[string]string{"manifest.json": "", "b/json": `{"parent":"a"}`, "a/json": `{"parent":"b"}`}), ErrInvalid, "never end"},
		{"legacy, folder leads out", with(map[string]string{"manifest.json": "", "repositories": `{"app":{"x":"../b"}}`}), ErrInvalid, "folder"},
		{"legacy, parent leads out", with(map[string]string{"manifest.json": "", "b/json": `{"parent":"../a"}`}), ErrInvalid, "folder"},
		{"legacy, no config", with(map[string]string{"manifest.json": "", cfgName: "", "b/json": `{}`}), ErrUnsupported, "cannot be verified"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := pull("docker-archive:"+writeTemp(t, "image.tar", tc.b), anonymous(), false)
			if !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.say) {
				t.Fatalf("got %v, want %v saying %q", err, tc.kind, tc.say)
			}
		})
	}
}

// Two descriptions of one archive have to be of the same image.
func TestArchiveWithTwoFaces(t *testing.T) {
	a := plainImage()
	files := saved25(a)
	b := &fixture{topType: typeOCIManifest, name: "app"}
	b.top = marshal(b.addImage("linux/arm64", imagetest.Plain))
	maps.Copy(files, b.files()) // index.json is b's, manifest.json is a's
	err := pull("docker-archive:"+writeTemp(t, "x.tar", tarOf(files)), anonymous(), false)
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "different images") {
		t.Fatalf("got %v", err)
	}
}

// A saved index names platforms that are not in the archive.
func TestSavedIndexWithMissingPlatforms(t *testing.T) {
	f := manyPlatforms("linux/arm64", "linux/amd64")
	var idx struct {
		Manifests []struct {
			Digest   string
			Platform struct{ Architecture string }
		}
	}
	mustUnmarshal(f.top, &idx)
	var manifest []byte
	for _, m := range idx.Manifests {
		switch m.Platform.Architecture {
		case "amd64":
			manifest = f.blobs[m.Digest]
		case "arm64":
			delete(f.blobs, m.Digest)
		}
	}
	inner := &fixture{blobs: f.blobs, top: manifest}
	files := saved25(inner)
	maps.Copy(files, f.files())
	m := mustOpen(t, "docker-archive:"+writeTemp(t, "x.tar", tarOf(files)), anonymous())
	want := &sbom.Source{Reference: m.Source.Reference, Tags: []string{"app:latest"}, Index: imagetest.Digest(f.top), Manifest: imagetest.Digest(manifest), MediaType: typeOCIManifest, Layers: m.Source.Layers}
	if d := cmp.Diff(want, m.Source); d != "" || len(m.Source.Layers) != 2 {
		t.Error(d)
	}
	if m.Layers[0].Descriptor.Digest == "" {
		t.Error("a compressed layer in a saved image is named by its digest")
	}
}

func TestLimitsOfArchives(t *testing.T) {
	f := oneImage()
	plain := writeTemp(t, "x.tar", tarOf(savedFiles(f)))
	zipped := writeTemp(t, "x.tgz", imagetest.Compress(tarOf(savedFiles(f)), imagetest.Gzip))
	for _, tc := range []struct {
		file string
		lim  Limits
		say  string
	}{
		{plain, Limits{ArchiveEntries: 3}, "tar entries"},
		{zipped, Limits{Spool: 1000}, "bytes of the archive"},
		{plain, Limits{Config: 10}, "bytes"},
		{plain, Limits{Manifest: 10}, "manifest.json"},
		{plain, Limits{Layers: 1}, "layers"},
	} {
		opt := anonymous()
		opt.Limits = &tc.lim
		if err := pull("docker-archive:"+tc.file, opt, false); !errors.Is(err, ErrLimit) || !strings.Contains(err.Error(), tc.say) {
			t.Errorf("%+v: %v", tc.lim, err)
		}
	}
}

// Neither a good end nor a bad one leaves a file or an open one behind.
func TestNothingIsLeftBehind(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	f := oneImage()
	good := writeTemp(t, "good.tgz", imagetest.Compress(tarOf(savedFiles(f)), imagetest.Gzip))
	bad := writeTemp(t, "bad.tgz", imagetest.Compress(tarOf(savedFiles(f)), imagetest.Gzip)[:400])
	before := openFiles(t)
	for range 20 {
		m, err := OpenDockerArchive(context.Background(), good, "", anonymous())
		if err != nil {
			t.Fatal(err)
		}
		if list, _ := os.ReadDir(tmp); len(list) != 0 {
			t.Fatalf("named temporary files while open: %v", list)
		}
		m.Close()
		pull("docker-archive:"+bad, anonymous(), false)
		pull("oci:"+filepath.Dir(good), anonymous(), false)
		pull("oci-archive:"+good, anonymous(), false)
	}
	if list, _ := os.ReadDir(tmp); len(list) != 0 {
		t.Errorf("left behind: %v", list)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d open files before, %d after", before, after)
	}
}

func openFiles(t *testing.T) int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no list of open files here")
	}
	return len(list)
}
