package scan_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/dpkg"
	"github.com/stella-ops/stella/scan/analyzer/osrelease"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// lines is an analyzer of files named "want": each line is a package
// "name version".
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
	var facts []analyzer.Fact
	for line := range strings.Lines(string(b)) {
		name, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		facts = append(facts, analyzer.Fact{Kind: analyzer.KindPackage, Key: name, Package: &sbom.Package{
			Name: name, Version: version, PURL: purl.PackageURL{Type: "generic", Name: name, Version: version}}})
	}
	return facts, nil
}

// testImage makes an image of layers.
func testImage(c imagetest.Compression, tars ...[]byte) *scan.Image {
	img := &scan.Image{Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: "test", ConfigDigest: "sha256:test"}}
	for _, data := range tars {
		b := imagetest.Blob(data, c)
		img.Layers = append(img.Layers, b)
		img.Subject.Layers = append(img.Subject.Layers, sbom.Layer{DiffID: b.DiffID})
	}
	return img
}

func mustScan(t interface {
	Helper()
	Fatal(...any)
}, s *scan.Scanner, img *scan.Image) *scan.Result {
	t.Helper()
	r, err := s.Scan(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// found lists "name version path layer-number", sorted.
func found(img *scan.Image, d *sbom.Document) []string {
	number := map[string]int{}
	for i, l := range img.Layers {
		number[l.DiffID] = i
	}
	var out []string
	for _, p := range d.Packages {
		for _, l := range p.Locations {
			out = append(out, fmt.Sprintf("%s %s %s %d", p.Name, p.Version, l.Path, number[l.Layer]))
		}
	}
	slices.Sort(out)
	return out
}

// model is a root filesystem to which layers are applied one after the other,
// the slow and obvious way.
type model map[string]string // path → content; folders end in '/'

func (m model) remove(p string, self bool) {
	for q := range m {
		if bare := strings.TrimSuffix(q, "/"); self && bare == p || strings.HasPrefix(q, p+"/") && bare != p || p == "" {
			delete(m, q)
		}
	}
}

// folders makes folders of the files in the way to p.
func (m model) folders(p string) {
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		delete(m, dir)
	}
}

func (m model) apply(files []imagetest.File) {
	for _, f := range files {
		dir, base := path.Split(f.Name)
		dir = strings.TrimSuffix(dir, "/")
		if strings.HasPrefix(base, ".wh.") {
			m.folders(f.Name) // a marker says that there is a folder around it
		}
		switch hidden, ok := strings.CutPrefix(base, ".wh."); {
		case base == ".wh..wh..opq":
			m.remove(dir, false)
		case ok:
			m.remove(path.Join(dir, hidden), true)
		}
	}
	for _, f := range files {
		p := strings.TrimSuffix(f.Name, "/")
		if strings.HasPrefix(path.Base(p), ".wh.") {
			continue
		}
		m.folders(p)
		if strings.HasSuffix(f.Name, "/") {
			delete(m, p)
			m[p+"/"] = ""
		} else {
			m.remove(p, true)
			m[p] = f.Data
		}
	}
}

// TestSquashAgreesWithModel compares the composed view of random layers with
// the obvious way of applying them.
func TestSquashAgreesWithModel(t *testing.T) {
	names := []string{"a", "b", "want", ".wh.a", ".wh.want", ".wh..wh..opq"}
	rapid.Check(t, func(t *rapid.T) {
		m := model{}
		var tars [][]byte
		for range rapid.IntRange(1, 4).Draw(t, "layers") {
			used := map[string]bool{}
			var files []imagetest.File
			for range rapid.IntRange(0, 6).Draw(t, "files") {
				var parts []string
				for range rapid.IntRange(0, 2).Draw(t, "depth") {
					parts = append(parts, rapid.SampledFrom([]string{"a", "b", "want"}).Draw(t, "dir"))
				}
				name := path.Join(append(parts, rapid.SampledFrom(names).Draw(t, "name"))...)
				if conflicts(used, name) {
					continue
				}
				used[name] = true
				files = append(files, imagetest.File{Name: name, Data: fmt.Sprintf("p%d 1", len(tars))})
			}
			m.apply(files)
			tars = append(tars, imagetest.Tar(files...))
		}
		img := testImage(imagetest.Plain, tars...)
		r := mustScan(t, &scan.Scanner{Analyzers: analyzer.NewSet(lines{})}, img)
		var want []string
		for p, data := range m {
			if path.Base(p) == "want" && !strings.HasSuffix(p, "/") {
				want = append(want, data+" "+p)
			}
		}
		var got []string
		for _, p := range r.Document.Packages {
			for _, l := range p.Locations {
				got = append(got, p.Name+" "+p.Version+" "+l.Path)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("squashed view differs from the model (-want +got):\n%s", diff)
		}
	})
}

// conflicts keeps one layer free of paths that are file and folder at once,
// and of a name beside its own whiteout: what that means is not defined.
func conflicts(used map[string]bool, name string) bool {
	for u := range used {
		if u == name || strings.HasPrefix(u, name+"/") || strings.HasPrefix(name, u+"/") {
			return true
		}
	}
	return false
}

func TestPackagesAreToldByTheLayerThatBroughtThem(t *testing.T) {
	img := testImage(imagetest.Gzip,
		imagetest.Tar(imagetest.File{Name: "db/want", Data: "a 1\nb 1\n"}),
		imagetest.Tar(imagetest.File{Name: "other", Data: "x"}),
		imagetest.Tar(imagetest.File{Name: "db/want", Data: "a 1\nb 2\nc 1\n"}),
		imagetest.Tar(imagetest.File{Name: "db/want", Data: "a 1\nb 2\nc 1\nd 1\n"}))
	r := mustScan(t, &scan.Scanner{Analyzers: analyzer.NewSet(lines{})}, img)
	want := []string{"a 1 db/want 0", "b 2 db/want 2", "c 1 db/want 2", "d 1 db/want 3"}
	if diff := cmp.Diff(want, found(img, r.Document)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWellKnownPathsAreFollowedThroughLinks(t *testing.T) {
	img := testImage(imagetest.Gzip,
		imagetest.Tar(imagetest.File{Name: "data/real", Data: "linked 1\n"}, imagetest.File{Name: "loop", Link: "loop"}),
		imagetest.Tar(imagetest.File{Name: "known", Link: "alias/real"}, imagetest.File{Name: "alias", Link: "/../data"}))
	r := mustScan(t, &scan.Scanner{Analyzers: analyzer.NewSet(lines{})}, img)
	if diff := cmp.Diff([]string{"linked 1 known 0"}, found(img, r.Document)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := len(r.Document.Composition.Fragments); n != 3 {
		t.Errorf("%d fragments in the recipe, want 3: two layers and the second reading", n)
	}
}

const status = `Package: python3-six
Status: install ok installed
Version: 1.16-1
Architecture: all
Source: six (1.16)

`

// TestOwnedFiles: a language package belongs to a distribution package only
// while the layer that last wrote its file is the one that installed the owner.
func TestOwnedFiles(t *testing.T) {
	base := imagetest.Tar(
		imagetest.File{Name: "etc/os-release", Data: "ID=debian\nVERSION_ID=12\n"},
		imagetest.File{Name: "var/lib/dpkg/status", Data: status},
		imagetest.File{Name: "var/lib/dpkg/info/python3-six.list", Data: "/.\n/lib\n/lib/six/want\n"},
		imagetest.File{Name: "lib", Link: "usr/lib"},
		imagetest.File{Name: "usr/lib/six/want", Data: "six 1.16\n"},
		imagetest.File{Name: "opt/want", Data: "other 1\n"})
	replaced := imagetest.Tar(imagetest.File{Name: "usr/lib/six/want", Data: "six 1.16\n"})
	set := analyzer.NewSet(osrelease.Analyzer{}, dpkg.Analyzer{}, lines{})
	owned := func(d *sbom.Document) []string {
		var out []string
		for _, r := range d.Relationships {
			if r.Kind == sbom.OwnedBy {
				out = append(out, d.PackageByID(r.From).Name+" by "+d.PackageByID(r.To).PURL.String())
			}
		}
		return out
	}
	r := mustScan(t, &scan.Scanner{Analyzers: set}, testImage(imagetest.Gzip, base))
	want := []string{"six by pkg:deb/debian/python3-six@1.16-1?arch=all&distro=debian-12&upstream=six%401.16"}
	if diff := cmp.Diff(want, owned(r.Document)); diff != "" {
		t.Errorf("one layer (-want +got):\n%s", diff)
	}
	r = mustScan(t, &scan.Scanner{Analyzers: set}, testImage(imagetest.Gzip, base, replaced))
	if got := owned(r.Document); len(got) != 0 {
		t.Errorf("the file was replaced by a later layer, but is still owned: %v", got)
	}
}

func TestSameBytes(t *testing.T) {
	tars := [][]byte{
		imagetest.Tar(imagetest.File{Name: "etc/os-release", Data: "ID=debian\nVERSION_ID=12\n"}, imagetest.File{Name: "var/lib/dpkg/status", Data: status}),
		imagetest.Tar(imagetest.File{Name: "a/want", Data: "x 1\ny 2\n"}, imagetest.File{Name: "b/want", Data: "x 1\n"}),
		imagetest.Tar(imagetest.File{Name: "c/want", Data: "z 3\n"}, imagetest.File{Name: "a/.wh.want"}),
	}
	set := analyzer.NewSet(osrelease.Analyzer{}, dpkg.Analyzer{}, lines{})
	cache := memoryCache{}
	var first []byte
	for i := range 24 {
		c := []imagetest.Compression{imagetest.Plain, imagetest.Gzip, imagetest.Zstd}[i%3]
		before := runtime.GOMAXPROCS(1 + i%2)
		s := &scan.Scanner{Analyzers: set, Parallel: 1 + i%4}
		if i >= 12 {
			s.Cache = cache
		}
		r := mustScan(t, s, testImage(c, tars...))
		runtime.GOMAXPROCS(before)
		b, err := json.Marshal(r.Document)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		}
		if !bytes.Equal(first, b) {
			t.Fatalf("run %d differs:\n%s\n%s", i, first, b)
		}
	}
}

// memoryCache is a scan.Cache; tests look inside.
type memoryCache map[string][]byte

func (c memoryCache) Get(_ context.Context, key string) ([]byte, error) {
	if b, ok := c[key]; ok {
		return b, nil
	}
	return nil, fault.NotFound
}
func (c memoryCache) Put(_ context.Context, key string, b []byte) error {
	c[key] = bytes.Clone(b)
	return nil
}

func TestKnownLayersAreNotRead(t *testing.T) {
	img := testImage(imagetest.Gzip, imagetest.Tar(imagetest.File{Name: "a/want", Data: "x 1\n"}), imagetest.Tar(imagetest.File{Name: "b/want", Data: "y 1\n"}))
	cache := memoryCache{}
	s := &scan.Scanner{Analyzers: analyzer.NewSet(lines{}), Cache: cache, Parallel: 1}
	cold := mustScan(t, s, img)
	if cold.Cached != 0 || len(cold.Fragments) != 2 {
		t.Errorf("cold: %d cached, %d fragments", cold.Cached, len(cold.Fragments))
	}
	unreadable := func(context.Context) (_ io.ReadCloser, err error) { return nil, errors.New("must not be opened") }
	for i := range img.Layers {
		img.Layers[i].Open = unreadable
	}
	warm := mustScan(t, s, img)
	if diff := cmp.Diff(cold.Document, warm.Document); diff != "" {
		t.Errorf("warm document differs (-cold +warm):\n%s", diff)
	}
	for _, key := range slices.Collect(maps.Keys(cache)) {
		if strings.HasPrefix(key, "document/") {
			delete(cache, key)
		}
	}
	composed := mustScan(t, s, img)
	if diff := cmp.Diff(cold.Document, composed.Document); diff != "" || composed.Cached != 2 {
		t.Errorf("composed from %d known fragments (-cold +composed):\n%s", composed.Cached, diff)
	}
}
