package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/imagetest"
)

func TestAttachLayout(t *testing.T) {
	f := manyPlatforms("linux/amd64", "linux/arm64")
	dir := f.dir(t)
	index := imagetest.Digest(f.top)
	docs := []Artifact{bundleOf(`{"n":1}`), bundleOf(`{"n":2}`)}
	before := mustOpen(t, "oci:"+dir, anonymous()).Subject
	got, err := Attach(context.Background(), "oci:"+dir+":app", docs, &Options{})
	if err != nil || got.Subject != index || got.Repository != dir || got.Tag != "" {
		t.Fatal(got, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Attach(context.Background(), "oci:"+dir+":app", docs, &Options{})
	if diff := cmp.Diff(got, again); err != nil || diff != "" {
		t.Errorf("again: %v\n%s", err, diff)
	}
	if same, err := os.ReadFile(filepath.Join(dir, "index.json")); err != nil || string(same) != string(text) {
		t.Errorf("again, index.json changes: %s", same)
	}
	of, err := Attach(context.Background(), "oci:"+dir, []Artifact{bundleOf(`{"n":3}`)}, anonymous())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{index: {`{"n":1}`, `{"n":2}`}, of.Subject: {`{"n":3}`}}
	if diff := cmp.Diff(want, contents(t, "oci:"+dir, anonymous())); diff != "" {
		t.Error(diff)
	}
	// What is attached does not get in the way of the image.
	after := mustOpen(t, "oci:"+dir, anonymous()).Subject
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
}

// TestAttachLayoutAtOnce: none is lost.
func TestAttachLayoutAtOnce(t *testing.T) {
	f := oneImage()
	dir := f.dir(t)
	var wg sync.WaitGroup
	want := []string{}
	for i := range 20 {
		want = append(want, fmt.Sprintf(`{"n":%d}`, i))
		wg.Go(func() {
			if _, err := Attach(context.Background(), "oci:"+dir, []Artifact{bundleOf(fmt.Sprintf(`{"n":%d}`, i))}, &Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	slices.Sort(want)
	if diff := cmp.Diff(want, contents(t, "oci:"+dir, anonymous())[imagetest.Digest(f.top)]); diff != "" {
		t.Error(diff)
	}
}

func TestAttachLayoutHostile(t *testing.T) {
	outside := t.TempDir()
	for name, tc := range map[string]struct {
		spoil func(dir string) error
		want  error
	}{
		"no layout": {func(dir string) error { return os.Remove(filepath.Join(dir, "oci-layout")) }, ErrInvalid},
		"no index":  {func(dir string) error { return os.Remove(filepath.Join(dir, "index.json")) }, ErrNotFound},
		"index that is a link": {func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "index.json")), os.Symlink(filepath.Join(outside, "x"), filepath.Join(dir, "index.json")))
		}, ErrInvalid},
		"blobs that lead out": {func(dir string) error {
			return errors.Join(os.Rename(filepath.Join(dir, "blobs"), filepath.Join(outside, "blobs")), os.Symlink(filepath.Join(outside, "blobs"), filepath.Join(dir, "blobs")))
		}, ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			f := oneImage()
			dir := f.dir(t)
			if err := tc.spoil(dir); err != nil {
				t.Fatal(err)
			}
			_, err := Attach(context.Background(), "oci:"+dir, []Artifact{bundleOf(`{"n":1}`)}, &Options{})
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if left, _ := filepath.Glob(outside + "/*"); len(left) > 1 {
				t.Errorf("written outside: %q", left)
			}
		})
	}
	if _, err := Attach(context.Background(), "oci:"+filepath.Join(outside, "none"), nil, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("no folder: %v", err)
	}
	full := filepath.Join(t.TempDir(), "full")
	writeFiles(t, full, map[string][]byte{"file": []byte("mine")})
	if _, err := Push(context.Background(), "oci:"+full+":v1", bundleOf("{}"), nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("a folder of something else: %v", err)
	}
	if left, _ := filepath.Glob(full + "/*"); len(left) != 1 {
		t.Errorf("written to it: %q", left)
	}
	several := manyPlatforms("linux/amd64", "linux/arm64").files()
	dir := t.TempDir()
	writeFiles(t, dir, several)
	names := `{"schemaVersion":2,"manifests":[` + strings.Join(slices.Collect(entriesOf(several)), ",") + `]}`
	writeFiles(t, dir, map[string][]byte{"index.json": []byte(names)})
	if _, err := Attach(context.Background(), "oci:"+dir, nil, &Options{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("several images: %v", err)
	}
	if got, err := Attach(context.Background(), "oci:"+dir, nil, anonymous()); err != nil || got.Subject == "" {
		t.Errorf("several images, one for the platform: %v", err)
	}
}

// entriesOf are descriptors of all images among files.
func entriesOf(files map[string][]byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name, b := range files {
			if strings.HasPrefix(name, "blobs/") && mediaTypeOf(b) == typeOCIManifest {
				if !yield(string(marshal(obj{"mediaType": typeOCIManifest, "digest": imagetest.Digest(b), "size": len(b)}))) {
					return
				}
			}
		}
	}
}

// TestSavedLayout: the attestations of a layout that cosign has saved.
func TestSavedLayout(t *testing.T) {
	f := oneImage()
	image := imagetest.Digest(f.top)
	legacy, bundle := []byte(`{"of":"legacy"}`), []byte(`{"of":"bundle"}`)
	atts := f.desc(typeOCIManifest, marshal(artifactOf("", "", f.desc(typeDSSE, legacy))))
	atts["annotations"] = obj{"kind": savedAttestations}
	sigs := f.desc(typeOCIManifest, marshal(artifactOf("", "", f.desc("application/vnd.dev.cosign.simplesigning.v1+json", []byte("{}")))))
	sigs["annotations"] = obj{"kind": savedSignatures}
	f.put(marshal(artifactOf(image, typeBundle, f.desc(typeBundle, bundle)))) // among the blobs only
	f.put(marshal(artifactOf(imagetest.Digest(nil), typeBundle, f.desc(typeBundle, []byte(`{"of":"another"}`)))))
	f.put([]byte("{ no JSON"))
	entry := f.desc(typeOCIManifest, f.top)
	entry["annotations"] = obj{"kind": savedPrefix + "image"}
	dir := f.dir(t)
	writeFiles(t, dir, map[string][]byte{"index.json": marshal(obj{"schemaVersion": 2, "manifests": []obj{sigs, atts, entry}})})
	want := map[string][]string{image: {string(bundle), string(legacy)}}
	if diff := cmp.Diff(want, contents(t, "oci:"+dir, anonymous())); diff != "" {
		t.Error(diff)
	}
	if m := mustOpen(t, "oci:"+dir, anonymous()); m.Source.Manifest != image {
		t.Errorf("the image is %s", m.Source.Manifest)
	}
}
