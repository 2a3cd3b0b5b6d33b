package scalibr_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/extractor/filesystem/language/nim/nimble"
	"github.com/google/osv-scalibr/inventory"
	"github.com/google/osv-scalibr/inventory/location"
	"github.com/google/osv-scalibr/plugin"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/scalibr"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// fake is an extractor that does what a test says.
type fake struct {
	name     string
	needs    plugin.Capabilities
	required func(filesystem.FileAPI) bool
	extract  func(*filesystem.ScanInput) (inventory.Inventory, error)
}

func (f *fake) Name() string                       { return f.name }
func (f *fake) Version() int                       { return 3 }
func (f *fake) Requirements() *plugin.Capabilities { return &f.needs }
func (f *fake) FileRequired(api filesystem.FileAPI) bool {
	if f.required == nil {
		return true
	}
	return f.required(api)
}

func (f *fake) Extract(_ context.Context, in *filesystem.ScanInput) (inventory.Inventory, error) {
	return f.extract(in)
}

// one adapts a fake.
func one(t *testing.T, f *fake) analyzer.Analyzer {
	t.Helper()
	f.name = "test/fake"
	list, err := scalibr.New(f)
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

// grouped is metadata of a lockfile that has groups.
type grouped []string

func (grouped) IsProtoable()          {}
func (g grouped) DepGroups() []string { return g }

func found(list ...*extractor.Package) inventory.Inventory {
	return inventory.Inventory{Packages: list}
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		list []scalibr.Extractor
		kind error
	}{
		"nil":                           {[]scalibr.Extractor{nil}, fault.Invalid},
		"twice":                         {[]scalibr.Extractor{&fake{name: "a"}, &fake{name: "a"}}, fault.Invalid},
		"a real folder":                 {[]scalibr.Extractor{&fake{name: "a", needs: plugin.Capabilities{DirectFS: true}}}, fault.Unsupported},
		"a running system":              {[]scalibr.Extractor{&fake{name: "a", needs: plugin.Capabilities{RunningSystem: true}}}, fault.Unsupported},
		"a network":                     {[]scalibr.Extractor{&fake{name: "a", needs: plugin.Capabilities{Network: plugin.NetworkOnline}}}, fault.Unsupported},
		"folders":                       {[]scalibr.Extractor{&fake{name: "a", needs: plugin.Capabilities{ExtractFromDirs: true}}}, fault.Unsupported},
		"Windows":                       {[]scalibr.Extractor{&fake{name: "a", needs: plugin.Capabilities{OS: plugin.OSWindows}}}, fault.Unsupported},
		"what may run the image's code": {[]scalibr.Extractor{&fake{name: "a", needs: plugin.Capabilities{AllowUnsafePlugins: true}}}, fault.Unsupported},
	} {
		if list, err := scalibr.New(c.list...); !errors.Is(err, c.kind) || list != nil {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
}

// TestFacts: all that a package says and that a fact has a place for.
func TestFacts(t *testing.T) {
	a := one(t, &fake{extract: func(in *filesystem.ScanInput) (inventory.Inventory, error) {
		inner := location.FromPath("srv/app.ear/lib/a.jar")
		return found(
			&extractor.Package{Name: "child", Version: "2", PURLType: "npm", ID: "c", ParentIDs: map[string]bool{"p": true, "gone": true, "c": true}, Metadata: grouped{"dev", "test"}},
			&extractor.Package{Name: "child", Version: "2", PURLType: "npm", Licenses: []string{"MIT", "no such licence"}, Metadata: grouped{"main"}},
			&extractor.Package{Name: "parent", Version: "1", PURLType: "npm", ID: "p", Metadata: grouped{"dev"}, SourceCode: &extractor.SourceCodeIdentifier{Repo: "https://user:secret@host.test/x", Commit: "abc"}},
			&extractor.Package{Name: "maybe", Version: "1", PURLType: "npm", Metadata: grouped{"optional"}},
			&extractor.Package{Name: "inside", Version: "1", PURLType: "generic", Location: extractor.PackageLocation{Descriptor: &inner}},
			&extractor.Package{Name: "bare\xff", Version: "1"},
		), nil
	}})
	facts, err := a.Extract(t.Context(), analyzer.NewMemoryFile("srv/app.ear", []byte("x")))
	if err != nil {
		t.Fatal(err)
	}
	child := "pkg:npm/child@2 child 2"
	want := []analyzer.Fact{
		{Key: " bare\uFFFD 1", Package: &sbom.Package{Name: "bare\uFFFD", Version: "1"}},
		{Key: "pkg:generic/inside@1 inside 1 lib/a.jar", Inner: "lib/a.jar", Package: &sbom.Package{Name: "inside", Version: "1"}},
		{Key: child, Package: &sbom.Package{Name: "child", Version: "2", Licenses: []sbom.License{{Name: "no such licence"}, {Expression: "MIT"}}}},
		{Key: "pkg:npm/maybe@1 maybe 1", Package: &sbom.Package{Name: "maybe", Version: "1", Scope: sbom.ScopeOptional}},
		{Key: "pkg:npm/parent@1 parent 1", DependsOn: []string{child}, Package: &sbom.Package{Name: "parent", Version: "1", Scope: sbom.ScopeDev,
			Properties: []sbom.Property{{Name: "scalibr:commit", Value: "abc"}, {Name: "scalibr:repository", Value: "https://host.test/x"}}}},
	}
	for i := range want {
		want[i].Kind = analyzer.KindPackage
	}
	for i := range facts {
		if u := facts[i].Package.PURL; !strings.HasPrefix(facts[i].Key, u.String()+" ") {
			t.Errorf("key %q of %s", facts[i].Key, u)
		}
		facts[i].Package.PURL = want[min(i, len(want)-1)].Package.PURL // compared by the key
	}
	if diff := cmp.Diff(want, facts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestOrder: extractors go through maps; facts are the same whatever comes first.
func TestOrder(t *testing.T) {
	list := []*extractor.Package{
		{Name: "a", Version: "1", PURLType: "npm", Licenses: []string{"MIT"}, SourceCode: &extractor.SourceCodeIdentifier{Commit: "1"}},
		{Name: "a", Version: "1", PURLType: "npm", Licenses: []string{"0BSD"}, SourceCode: &extractor.SourceCodeIdentifier{Commit: "2"}, Metadata: grouped{"dev"}},
		{Name: "b", Version: "1", PURLType: "npm"},
	}
	turn := 0
	a := one(t, &fake{extract: func(*filesystem.ScanInput) (inventory.Inventory, error) {
		turn++
		return found(list[turn%3], list[(turn+1)%3], list[(turn+2)%3]), nil
	}})
	var first []analyzer.Fact
	for range 3 {
		facts, err := a.Extract(t.Context(), analyzer.NewMemoryFile("f", nil))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = facts
		}
		if diff := cmp.Diff(first, facts); diff != "" {
			t.Errorf("another order gives other facts:\n%s", diff)
		}
	}
}

// TestContent: a file can be read in each way that extractors know, and nothing else can.
func TestContent(t *testing.T) {
	a := one(t, &fake{
		required: func(api filesystem.FileAPI) bool {
			i, err := api.Stat()
			return err == nil && api.Path() == "dir/file" && i.Name() == "file" && i.Mode().IsRegular()
		},
		extract: func(in *filesystem.ScanInput) (inventory.Inventory, error) {
			text, err := io.ReadAll(in.Reader)
			if err != nil || string(text) != "text" || in.Root != "" || in.Info.Size() != 4 {
				t.Errorf("%q, %v, %q, %d", text, err, in.Root, in.Info.Size())
			}
			two := make([]byte, 2)
			if _, err := in.Reader.(io.ReaderAt).ReadAt(two, 1); err != nil || string(two) != "ex" {
				t.Errorf("at 1: %q, %v", two, err)
			}
			f, err := in.FS.Open("dir/file")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			i, err := f.Stat()
			if again, errRead := io.ReadAll(f); err != nil || errRead != nil || i.Size() != 4 || string(again) != "text" {
				t.Errorf("%q, %v, %v", again, err, errRead)
			}
			if _, err := f.(io.ReaderAt).ReadAt(two, 2); err != nil || string(two) != "xt" {
				t.Errorf("at 2: %q, %v", two, err)
			}
			if i, err := in.FS.Stat("dir/file"); err != nil || i.Size() != 4 {
				t.Error(err)
			}
			return found(&extractor.Package{Name: "a"}), nil
		},
	})
	set := analyzer.NewSet(a)
	if len(set.ByPath(nil, "dir/file")) != 1 || len(set.ByPath(nil, "dir/other")) != 0 {
		t.Error("not dispatched by what the extractor wants")
	}
	facts, err := a.Extract(t.Context(), analyzer.NewMemoryFile("dir/file", []byte("text")))
	if err != nil || len(facts) != 1 {
		t.Errorf("%v, %v", facts, err)
	}
	info := a.Info()
	if info.Name != "scalibr/test/fake" || info.Rules != "osv-scalibr "+scalibr.Release+", test/fake 3" || info.Authoritative {
		t.Errorf("%+v", info)
	}
}

// TestBeside: an extractor that asks for more than its file keeps what it said, and the file
// is a gap.
func TestBeside(t *testing.T) {
	for name, ask := range map[string]func(*filesystem.ScanInput) error{
		"open":    func(in *filesystem.ScanInput) error { _, err := in.FS.Open("etc/os-release"); return err },
		"stat":    func(in *filesystem.ScanInput) error { _, err := in.FS.Stat("etc/os-release"); return err },
		"readdir": func(in *filesystem.ScanInput) error { _, err := in.FS.ReadDir("etc/os-release"); return err },
	} {
		a := one(t, &fake{extract: func(in *filesystem.ScanInput) (inventory.Inventory, error) {
			if err := ask(in); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", name, err)
			}
			return found(&extractor.Package{Name: "a"}), nil
		}})
		facts, err := a.Extract(t.Context(), analyzer.NewMemoryFile("f", nil))
		if len(facts) != 1 || !errors.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "etc/os-release") {
			t.Errorf("%s: %v, %v", name, facts, err)
		}
	}
}

// TestFailures: whatever an extractor does, what it said is kept and the rest is an error
// with a kind.
func TestFailures(t *testing.T) {
	a := &extractor.Package{Name: "a"}
	temp := t.TempDir()
	for name, c := range map[string]struct {
		fake fake
		kind error
		kept int
	}{
		"an error":       {fake{extract: func(*filesystem.ScanInput) (inventory.Inventory, error) { return found(a), errors.New("line 3") }}, fault.Invalid, 1},
		"a panic":        {fake{extract: func(*filesystem.ScanInput) (inventory.Inventory, error) { panic("index out of range") }}, fault.Invalid, 0},
		"a panic before": {fake{required: func(filesystem.FileAPI) bool { panic("no such") }}, fault.Invalid, 0},
		"no name": {fake{extract: func(*filesystem.ScanInput) (inventory.Inventory, error) {
			return found(a, nil, &extractor.Package{}), nil
		}}, fault.Invalid, 1},
		"no purl": {fake{extract: func(*filesystem.ScanInput) (inventory.Inventory, error) {
			return found(&extractor.Package{Name: "a", PURLType: "no type"}), nil
		}}, fault.Invalid, 1},
		"secrets": {fake{extract: func(*filesystem.ScanInput) (inventory.Inventory, error) {
			return inventory.Inventory{Packages: []*extractor.Package{a}, Secrets: []*inventory.Secret{{}}}, nil
		}}, fault.Unsupported, 1},
		"a disk in the file": {fake{extract: func(*filesystem.ScanInput) (inventory.Inventory, error) {
			return inventory.Inventory{EmbeddedFSs: []*inventory.EmbeddedFS{{TempPaths: []string{temp}}}}, nil
		}}, fault.Unsupported, 0},
	} {
		adapted := one(t, &c.fake)
		if len(analyzer.NewSet(adapted).ByPath(nil, "f")) != 1 {
			t.Errorf("%s: the file is not shown", name)
		}
		facts, err := adapted.Extract(t.Context(), analyzer.NewMemoryFile("f", []byte("x")))
		if !errors.Is(err, c.kind) || len(facts) != c.kept || !strings.Contains(err.Error(), "f") {
			t.Errorf("%s: %v, %v", name, facts, err)
		}
	}
	if _, err := os.Stat(temp); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the temporary folder is left: %v", err)
	}
}

// TestLimits: a large file is not read, and a scan that is given up says so.
func TestLimits(t *testing.T) {
	asked := false
	a := one(t, &fake{extract: func(*filesystem.ScanInput) (inventory.Inventory, error) {
		asked = true
		return found(&extractor.Package{Name: "a"}), nil
	}})
	f := analyzer.NewMemoryFile("f", []byte("12345"))
	f.Budget = analyzer.NewBudget(analyzer.Limits{FileBytes: 4})
	if _, err := a.Extract(t.Context(), f); !errors.Is(err, fault.Limit) || asked {
		t.Errorf("%v, asked %v", err, asked)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if facts, err := a.Extract(ctx, analyzer.NewMemoryFile("f", nil)); !errors.Is(err, context.Canceled) || facts != nil {
		t.Errorf("%v, %v", facts, err)
	}
}

// TestNimble reads an ecosystem that osv-scalibr alone has, as a scan does.
func TestNimble(t *testing.T) {
	nim, err := nimble.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := scalibr.New(nim)
	if err != nil {
		t.Fatal(err)
	}
	file := "root/.nimble/pkgs2/jester-0.6.0-abcdef0123456789abcdef0123456789abcdef01/jester.nimble"
	r := analyzertest.Scan(list[0], map[string][]byte{file: []byte("version = \"0.6.0\"\n"), "root/jester.nimble": nil, "etc/passwd": nil})
	if diff := cmp.Diff([]string{"pkg:nim/jester@0.6.0"}, r.PURLs()); diff != "" || len(r.Errors) > 0 {
		t.Errorf("(-want +got):\n%s%v", diff, r.Errors)
	}
	analyzertest.Check(t, list[0], file, nil)
}

// TestScan scans an image with an ecosystem of osv-scalibr's and an extractor that panics: the
// packages are there with their place, and so is the gap.
func TestScan(t *testing.T) {
	nim, err := nimble.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	broken := &fake{name: "test/broken",
		required: func(api filesystem.FileAPI) bool { return api.Path() == "etc/broken" },
		extract:  func(*filesystem.ScanInput) (inventory.Inventory, error) { panic("index\nout of range") },
	}
	list, err := scalibr.New(nim, broken)
	if err != nil {
		t.Fatal(err)
	}
	file := "root/.nimble/pkgs2/jester-0.6.0-abcdef0123456789abcdef0123456789abcdef01/jester.nimble"
	img := &scan.Image{
		Subject: sbom.Subject{Kind: sbom.SubjectImage, Name: "test"},
		Layers: []layer.Blob{
			imagetest.Blob(imagetest.Tar(imagetest.File{Name: "etc/broken", Data: "x"}), imagetest.Gzip),
			imagetest.Blob(imagetest.Tar(imagetest.File{Name: file, Data: "version = \"0.6.0\"\n"}), imagetest.Gzip),
		},
	}
	result, err := (&scan.Scanner{Analyzers: analyzer.NewSet(list...)}).Scan(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	d := result.Document
	if len(d.Packages) != 1 || d.Packages[0].PURL.String() != "pkg:nim/jester@0.6.0" || d.Packages[0].FoundBy != "scalibr/nim/nimble" ||
		len(d.Packages[0].Locations) != 1 || d.Packages[0].Locations[0] != (sbom.Location{Path: file, Layer: img.Layers[1].DiffID}) {
		t.Errorf("%+v", d.Packages)
	}
	if !slices.ContainsFunc(d.Gaps, func(g sbom.Gap) bool {
		return strings.Contains(g.Where, "etc/broken") && strings.Contains(g.What, "test/broken panicked on etc/broken: index out of range")
	}) {
		t.Errorf("%+v", d.Gaps)
	}
}

// TestRelease: what facts are kept under is what is linked.
func TestRelease(t *testing.T) {
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "github.com/google/osv-scalibr "+scalibr.Release+"\n") {
		t.Errorf("go.mod does not require %s", scalibr.Release)
	}
}
