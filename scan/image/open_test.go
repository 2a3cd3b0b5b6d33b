package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan/sbom"
)

func TestOpenSchemes(t *testing.T) {
	for ref, want := range map[string]struct {
		kind error
		say  string
	}{
		"":                            {ErrInvalid, "empty"},
		"docker://":                   {ErrInvalid, "nothing follows"},
		"registry:":                   {ErrInvalid, "nothing follows"},
		"oci:":                        {ErrInvalid, "nothing follows"},
		"dir:":                        {ErrInvalid, "nothing follows"},
		"sbom:x.json":                 {ErrUnsupported, "decoded, not opened"},
		"podman:alpine":               {ErrUnsupported, "podman save"},
		"containerd:alpine":           {ErrUnsupported, "ctr image export"},
		"singularity:x":               {ErrUnsupported, "singularity"},
		"file:///x":                   {ErrUnsupported, "dir:PATH"},
		"https://user:canary@x/y":     {ErrUnsupported, "without https://"},
		"http://x/y":                  {ErrUnsupported, "plain http is an option"},
		"image://x":                   {ErrUnsupported, "image:"},
		"dir:/does/not/exist":         {ErrNotFound, "/does/not/exist"},
		"oci:/does/not/exist:x":       {ErrNotFound, "/does/not/exist:x"},
		"docker-archive:/no/file.tar": {ErrNotFound, "/no/file.tar"},
		"oci-archive:/no/file.tar":    {ErrNotFound, "/no/file.tar"},
		"./nothing.tar":               {ErrNotFound, "nothing.tar"},
		"/no/such/thing":              {ErrNotFound, "/no/such/thing"},
		"docker-archive:/tmp":         {ErrInvalid, "folder"},
		"a\x00b":                      {ErrInvalid, "NUL"},
		strings.Repeat("x", 9000):     {ErrLimit, "8192"},
		"registry:not a reference":    {ErrInvalid, "printable ASCII"},
	} {
		_, err := Open(context.Background(), ref, anonymous())
		if !errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.say) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: got %v, want %v saying %q", clip(ref), err, want.kind, want.say)
		}
	}
}

// A folder with the name of an image is not opened in its place, but told of.
func TestOpenPrefersTheRegistry(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Mkdir("Project", 0o755); err != nil {
		t.Fatal(err)
	}
	writeFiles(t, dir, map[string][]byte{"Image": nil, "saved.tar": tarOf(savedFiles(oneImage())), "Project/x": nil})
	_, err := Open(context.Background(), "Project", nil)
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "dir:Project") {
		t.Errorf("got %v", err)
	}
	_, err = Open(context.Background(), "Image", nil)
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "docker-archive:Image") {
		t.Errorf("got %v", err)
	}
	for ref, kind := range map[string]sbom.SubjectKind{
		"./Project": sbom.SubjectDirectory, "dir:Project": sbom.SubjectDirectory, ".": sbom.SubjectDirectory,
		"saved.tar": sbom.SubjectImage, "./saved.tar": sbom.SubjectImage, filepath.Join(dir, "saved.tar"): sbom.SubjectImage,
	} {
		if m := mustOpen(t, ref, anonymous()); m.Subject.Kind != kind {
			t.Errorf("%s: %s", ref, m.Subject.Kind)
		}
	}
}

func TestSplitPath(t *testing.T) {
	dir := t.TempDir()
	odd := filepath.Join(dir, "a:b")
	writeFiles(t, dir, map[string][]byte{"a:b": nil, "c": nil})
	for in, want := range map[string][2]string{
		odd:                                  {odd, ""},
		odd + ":tag":                         {odd, "tag"},
		filepath.Join(dir, "c") + ":x.y/z:1": {filepath.Join(dir, "c"), "x.y/z:1"},
		filepath.Join(dir, "none") + ":x":    {filepath.Join(dir, "none") + ":x", ""},
	} {
		if path, ref := splitPath(in); path != want[0] || ref != want[1] {
			t.Errorf("%q: %q %q", in, path, ref)
		}
	}
}
