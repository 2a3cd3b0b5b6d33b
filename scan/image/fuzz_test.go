package image

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/internal/netguard"
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

// FuzzWithEntry: an index keeps what it had, in order, and has one entry more.
func FuzzWithEntry(f *testing.F) {
	f.Add(emptyIndex)
	f.Add(marshal(obj{"schemaVersion": 2, "manifests": []obj{layerDesc(typeOCIManifest, []byte("x"), obj{"a": "b", refName: "v1"})}, "x-unknown": []int{1}}))
	f.Add([]byte(`{"manifests":null,"annotations":{"a":"b"}}`))
	doc := Artifact{MediaType: "a/b", Content: []byte("{}")}
	c, err := doc.content()
	if err != nil {
		f.Fatal(err)
	}
	m, err := doc.manifest(c, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before, err := parseReferrers(b, "index", 10)
		for _, tag := range []string{"", "v1"} {
			edited, editErr := withManifest(b, "index", m, tag, 11)
			if err != nil {
				continue
			}
			if editErr != nil {
				t.Fatalf("%s: %v", b, editErr)
			}
			after, err := parseReferrers(edited, "index", 11)
			if err != nil {
				t.Fatalf("%s: %v", edited, err)
			}
			if again, err := withManifest(edited, "index", m, tag, 11); err != nil || !bytes.Equal(again, edited) {
				t.Errorf("again: %s, %v", again, err)
			}
			for i, r := range before {
				if a := after[i]; a.Digest != r.Digest || a.Size != r.Size || a.MediaType != r.MediaType || a.Ref != r.Ref && (r.Ref != tag || a.Ref != "") {
					t.Errorf("entry %d: %+v became %+v", i, r, a)
				}
			}
			if !slices.ContainsFunc(after, func(r referrer) bool { return r.Digest == m.Digest && (tag == "" || r.Ref == tag) }) {
				t.Errorf("%s lacks it", edited)
			}
		}
	})
}

// FuzzLocation: what a registry says about an upload leads to the registry itself, or
// nowhere.
func FuzzLocation(f *testing.F) {
	for _, s := range []string{"/v2/x", "https://r.example/x", "http://r.example/x", "//r.example:443/x", "https://a:b@r.example/", "\\\\evil/", "https://evil/", "?x"} {
		f.Add(s, "0-5")
	}
	s := &session{ref: Reference{Registry: "r.example"}, base: url.URL{Scheme: "https", Host: "r.example"}}
	at, _ := url.Parse("https://r.example/v2/app/blobs/uploads/")
	f.Fuzz(func(t *testing.T, location, span string) {
		u := &upload{session: s, blob: &content{descriptor: descriptor{Size: 100}}}
		err := u.moved(&http.Response{Header: http.Header{"Location": {location}, "Range": {span}}, Request: &http.Request{URL: at}}, 7)
		if err != nil {
			if !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrForbidden) {
				t.Errorf("not a kind: %v", err)
			}
			return
		}
		if netguard.Origin(&u.at) != "https://r.example:443" || u.at.User != nil || u.off < 0 || u.off > 100 {
			t.Errorf("%q, %q: %s, %d", location, span, u.at.String(), u.off)
		}
	})
}
