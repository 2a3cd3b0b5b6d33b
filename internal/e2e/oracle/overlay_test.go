package oracle

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// lines is an analyzer of files named "want", anywhere, and of the well-known
// path "known", which is a link to a file named "db": their content is the name of a package.
type lines struct{}

func (lines) Info() analyzer.Info { return analyzer.Info{Name: "lines", Version: 1} }
func (lines) Paths() analyzer.Paths {
	return analyzer.Paths{Names: []string{"want"}, Exact: []string{"known"}}
}
func (lines) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	b, err := f.Bytes(0)
	if err != nil {
		return nil, err
	}
	name := string(b)
	return []analyzer.Fact{{Kind: analyzer.KindPackage, Key: name, Package: &sbom.Package{
		Name: name, Version: "1", PURL: purl.PackageURL{Type: "generic", Name: name, Version: "1"}}}}, nil
}

// composed lists "path content" of what the SDK says counts.
func composed(tars [][]byte) ([]string, error) {
	img := &scan.Image{Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: "test", ConfigDigest: "sha256:test"}}
	for _, data := range tars {
		b := imagetest.Blob(data, imagetest.Plain)
		img.Layers = append(img.Layers, b)
		img.Subject.Layers = append(img.Subject.Layers, sbom.Layer{DiffID: b.DiffID})
	}
	r, err := (&scan.Scanner{Analyzers: analyzer.NewSet(lines{})}).Scan(context.Background(), img)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, p := range r.Document.Packages {
		for _, l := range p.Locations {
			out = append(out, l.Path+" "+p.Name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// unpack writes one layer's own entries below dir, and returns what it removes.
func unpack(dir string, data []byte) (whiteouts, opaque []string, err error) {
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return whiteouts, opaque, nil
		}
		if err != nil {
			return nil, nil, err
		}
		parent, base := path.Split(strings.TrimSuffix(h.Name, "/"))
		at := filepath.Join(dir, parent, base)
		if err := os.MkdirAll(filepath.Join(dir, parent), 0o755); err != nil {
			return nil, nil, err
		}
		hidden, isWhiteout := strings.CutPrefix(base, ".wh.")
		switch {
		case base == ".wh..wh..opq":
			opaque = append(opaque, path.Clean(parent))
		case isWhiteout:
			whiteouts = append(whiteouts, path.Join(parent, hidden))
		case h.Typeflag == tar.TypeDir:
			err = os.MkdirAll(at, 0o755)
		case h.Typeflag == tar.TypeSymlink:
			err = os.Symlink(h.Linkname, at)
		case h.Typeflag == tar.TypeLink:
			err = os.Link(filepath.Join(dir, h.Linkname), at)
		default:
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(at, b, 0o644)
			}
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// apply puts an unpacked layer on root: what it removes first, then what it has
// (OCI image-spec, layer.md, "Applying Changesets").
func apply(root, layer string, whiteouts, opaque []string) error {
	for _, w := range whiteouts {
		if err := os.RemoveAll(filepath.Join(root, w)); err != nil && !errors.Is(err, errNotDir) {
			return err
		}
	}
	for _, o := range opaque {
		list, err := os.ReadDir(filepath.Join(root, o))
		if err != nil {
			continue // nothing there to hide
		}
		for _, d := range list {
			if err := os.RemoveAll(filepath.Join(root, o, d.Name())); err != nil {
				return err
			}
		}
	}
	return filepath.WalkDir(layer, func(p string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(layer, p)
		if err = errors.Join(err, relErr); err != nil || rel == "." {
			return err
		}
		to := filepath.Join(root, rel)
		have, statErr := os.Lstat(to)
		if d.IsDir() {
			if statErr == nil && !have.IsDir() {
				if err := os.Remove(to); err != nil {
					return err
				}
			}
			return os.MkdirAll(to, 0o755)
		}
		if statErr == nil {
			if err := os.RemoveAll(to); err != nil {
				return err
			}
		}
		if d.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			return os.Symlink(target, to)
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o644)
	})
}

// counting lists "path content" of the files of root that should count.
func counting(root string) (out []string, err error) {
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() != "want" {
			return err
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(root, p)
		out = append(out, filepath.ToSlash(rel)+" "+string(b))
		return err
	})
	if err != nil {
		return nil, err
	}
	inside, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer inside.Close()
	if info, err := inside.Stat("known"); err == nil && info.Mode().IsRegular() {
		b, err := inside.ReadFile("known") // through links, but never out of root
		if err != nil {
			return nil, err
		}
		out = append(out, "known "+string(b))
	}
	slices.Sort(out)
	return out, nil
}

// drawLayer draws the entries of a layer. What is not defined is left out:
// paths that are a file and a folder at once, and a name beside its own whiteout.
func drawLayer(t *rapid.T, layer int) []imagetest.File {
	var out []imagetest.File
	free := func(name string) bool {
		bare := strings.Replace(strings.TrimSuffix(name, "/"), ".wh.", "", 1)
		return !slices.ContainsFunc(out, func(f imagetest.File) bool {
			have := strings.Replace(strings.TrimSuffix(f.Name, "/"), ".wh.", "", 1)
			return have == bare || strings.HasPrefix(have, bare+"/") || strings.HasPrefix(bare, have+"/")
		})
	}
	files := []string{} // that hard links may lead to
	for n := range rapid.IntRange(0, 7).Draw(t, "entries") {
		var parts []string
		for range rapid.IntRange(0, 2).Draw(t, "depth") {
			parts = append(parts, rapid.SampledFrom([]string{"a", "b"}).Draw(t, "dir"))
		}
		in := func(name string) string { return path.Join(append(parts, name)...) }
		f := imagetest.File{Name: in("want"), Data: fmt.Sprintf("p%d.%d", layer, n)}
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			f = imagetest.File{Name: in(rapid.SampledFrom([]string{".wh.a", ".wh.b", ".wh.want", ".wh.db"}).Draw(t, "whiteout"))}
		case 1:
			f = imagetest.File{Name: in(".wh..wh..opq")}
		case 2:
			f = imagetest.File{Name: in(rapid.SampledFrom([]string{"a", "b", "want"}).Draw(t, "folder")) + "/"}
		case 3:
			f = imagetest.File{Name: in(rapid.SampledFrom([]string{"a", "b", "db"}).Draw(t, "file")), Data: fmt.Sprintf("f%d.%d", layer, n)}
		case 4:
			f = imagetest.File{Name: "known", Link: path.Join(rapid.SampledFrom([]string{"a", "b", "a/b", "b/a"}).Draw(t, "target"), "db")}
		case 5:
			f = imagetest.File{Name: in("link"), Link: "want"}
		case 6:
			if len(files) > 0 {
				f = imagetest.File{Name: in("want"), HardLink: rapid.SampledFrom(files).Draw(t, "hard link to")}
			}
		}
		opaque := strings.HasSuffix(f.Name, ".wh..wh..opq")
		if opaque && slices.ContainsFunc(out, func(o imagetest.File) bool { return o.Name == f.Name }) || !opaque && !free(f.Name) {
			continue
		}
		if opaque && !free(path.Dir(f.Name)+"/x/y/z") { // its folder is a file here
			continue
		}
		out = append(out, f)
		if f.Link == "" && f.HardLink == "" && !strings.HasSuffix(f.Name, "/") && !strings.Contains(f.Name, ".wh.") {
			files = append(files, f.Name)
		}
	}
	return out
}

// unpacked is a layer's folder and what it removes.
type unpacked struct {
	dir               string
	whiteouts, opaque []string
}

// stack unpacks tars one on the other, in base, and returns the merged root and
// the layers each for itself.
func stack(base string, tars [][]byte) (root string, layers []unpacked, err error) {
	root = filepath.Join(base, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return "", nil, err
	}
	for i, data := range tars {
		l := unpacked{dir: filepath.Join(base, fmt.Sprint("layer", i))}
		if err := os.Mkdir(l.dir, 0o755); err != nil {
			return "", nil, err
		}
		if l.whiteouts, l.opaque, err = unpack(l.dir, data); err != nil {
			return "", nil, err
		}
		if err := apply(root, l.dir, l.whiteouts, l.opaque); err != nil {
			return "", nil, err
		}
		layers = append(layers, l)
	}
	return root, layers, nil
}

// TestLayersAgainstUnpacking compares what counts of random images with a tree
// that their layers are unpacked into and, where mounting is allowed, with the
// kernel's overlayfs over the same layers.
func TestLayersAgainstUnpacking(t *testing.T) {
	base := t.TempDir()
	kernel := mountable(t, base)
	n, overlays := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var tars [][]byte
		for i := range rapid.IntRange(1, 5).Draw(t, "layers") {
			tars = append(tars, imagetest.Tar(drawLayer(t, i)...))
		}
		n++
		dir := filepath.Join(base, fmt.Sprint(n))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		root, layers, err := stack(dir, tars)
		if err != nil {
			t.Fatalf("the reference cannot unpack: %v", err)
		}
		want, err := counting(root)
		if err != nil {
			t.Fatal(err)
		}
		got, err := composed(tars)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("(-unpacked +composed):\n%s", diff)
		}
		// The specification hides what is below an opaque root, overlayfs does
		// not: the SDK hides it and says so in a blocking gap.
		if !kernel || slices.ContainsFunc(layers, func(l unpacked) bool { return slices.Contains(l.opaque, ".") }) {
			return
		}
		overlays++
		mounted, err := overlaid(dir, layers)
		if err != nil {
			t.Fatalf("overlayfs: %v", err)
		}
		if diff := gocmp.Diff(mounted, got); diff != "" {
			t.Fatalf("(-overlayfs +composed):\n%s", diff)
		}
	})
	t.Logf("%d images, %d of them held against overlayfs", n, overlays)
}
