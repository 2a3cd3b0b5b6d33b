package image

import (
	"bytes"
	"context"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
)

// limits for fuzzing are small, so that they are reached.
var fuzzLimits = Limits{Layers: 20, History: 40, IndexEntries: 20, ArchiveImages: 10, ArchiveEntries: 50}

func hasKind(t *testing.T, err error) {
	t.Helper()
	if fault.KindOf(err) == "" {
		t.Fatalf("%v has no kind", err)
	}
}

func FuzzDocument(f *testing.F) {
	one, many := oneImage(), manyPlatforms("linux/amd64", "linux/arm/v7")
	for _, b := range [][]byte{one.top, many.top, flatIndex(3), []byte("null"), []byte(`{"schemaVersion":1,"fsLayers":[]}`), []byte(`{"schemaVersion":2,"mediaType":"` + typeOCIIndex + `","manifests":null}`)} {
		for _, mt := range []string{"", typeOCIManifest, typeOCIIndex} {
			f.Add(b, mt)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, mediaType string) {
		lim := fuzzLimits.withDefaults()
		doc, err := parseDocument(b, "fuzz", mediaType, &lim)
		if err != nil {
			hasKind(t, err)
			return
		}
		if doc.Index == (len(doc.Layers) > 0 || doc.Config.Digest != "") && doc.Config.Digest != "" {
			t.Fatalf("%q is an index and an image", b)
		}
		if doc.Index != isIndexType(doc.MediaType) || len(doc.Layers) > lim.Layers || len(doc.Manifests) > lim.IndexEntries {
			t.Fatalf("%q: %+v", b, doc)
		}
		for _, d := range append(append([]descriptor{}, doc.Layers...), doc.Manifests...) {
			if checkDigest(d.Digest) != nil || d.Size < 0 || d.MediaType == "" {
				t.Fatalf("%q: descriptor %+v", b, d)
			}
		}
		again, err := parseDocument(b, "fuzz", doc.MediaType, &lim)
		if err != nil || again.Index != doc.Index {
			t.Fatalf("%q: under its own type: %v", b, err)
		}
	})
}

func FuzzConfig(f *testing.F) {
	tarball, _ := layerOf("x", imagetest.Plain)
	f.Add(marshal(configOf("linux/arm/v7", tarball, tarball)))
	f.Add([]byte(`{"rootfs":{"type":"layers","diff_ids":null},"history":[{}]}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, b []byte) {
		lim := fuzzLimits.withDefaults()
		c, err := parseConfig(b, digestOf(b, ""), &lim)
		if err != nil {
			hasKind(t, err)
			return
		}
		s := c.subject()
		if len(s.Layers) != len(c.diffIDs) || len(s.Layers) > lim.Layers || normalTime(c.created) != c.created {
			t.Fatalf("%q: %+v", b, s)
		}
		for _, l := range s.Layers {
			if checkDigest(l.DiffID) != nil || bytes.IndexByte([]byte(l.CreatedBy), 0) >= 0 {
				t.Fatalf("%q: layer %+v", b, l)
			}
		}
	})
}

// FuzzSaved reads manifest.json and repositories of docker-archives.
func FuzzSaved(f *testing.F) {
	f.Add(dockerSave(saved{Config: "a.json", RepoTags: []string{"app:1"}, Layers: []string{"a/layer.tar"}}), "app:1")
	f.Add([]byte(`{"app":{"latest":"a"}}`), "app")
	f.Add([]byte(`[{"Config":"blobs/sha256/`+hex64+`"}]`), "sha256:"+hex64)
	f.Fuzz(func(t *testing.T, b []byte, ref string) {
		lim := fuzzLimits.withDefaults()
		a := &archive{files: &tarFiles{name: "fuzz"}, res: newResolver(testSettings(t), nil, "fuzz")}
		if all, err := parseSaved(b, "fuzz", &lim); err != nil {
			hasKind(t, err)
		} else if img, err := a.choose(all, ref); err != nil {
			hasKind(t, err)
		} else if ref != "" && !img.named(ref) {
			t.Fatalf("%q gives %+v", ref, img)
		}
		if tags, err := parseRepositories(b, "fuzz", &lim); err != nil {
			hasKind(t, err)
		} else if len(tags) > lim.ArchiveImages {
			t.Fatalf("%d tags", len(tags))
		}
	})
}

// FuzzArchive opens whole archives, as docker-archive and as OCI archive.
func FuzzArchive(f *testing.F) {
	one := oneImage()
	f.Add(tarOf(savedFiles(one)))
	f.Add(tarOf(saved25(plainImage())))
	f.Add(imagetest.Compress(tarOf(savedFiles(one)), imagetest.Gzip))
	f.Add(imagetest.Compress(tarOf(one.files()), imagetest.Zstd))
	f.Fuzz(func(t *testing.T, b []byte) {
		set := testSettings(t)
		set.limits = fuzzLimits.withDefaults()
		ctx := context.Background()
		var plain bytes.Buffer
		if _, err := spool(ctx, &plain, bytes.NewReader(b), "fuzz", 1<<20); err != nil {
			hasKind(t, err)
			return
		}
		open := func() (*tarFiles, error) {
			return indexTar(ctx, memoryFile{bytes.NewReader(plain.Bytes())}, int64(plain.Len()), "fuzz", &set.limits)
		}
		if files, err := open(); err != nil {
			hasKind(t, err)
		} else if err := closing(archiveImage(ctx, files, "fuzz", "", set)); err != nil {
			hasKind(t, err)
		}
		if files, err := open(); err != nil {
			hasKind(t, err)
		} else if err := closing(layoutImage(ctx, files, "fuzz", "", set)); err != nil {
			hasKind(t, err)
		}
	})
}

type memoryFile struct{ *bytes.Reader }

func (memoryFile) Close() error { return nil }

// closing reads the sizes of an image's layers and closes it.
func closing(m *scan.Image, err error) error {
	if err != nil {
		return err
	}
	for _, l := range m.Layers {
		if rc, err := l.Open(context.Background()); err == nil {
			rc.Close()
		}
	}
	return m.Close()
}
