package pypi

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// checkFile holds what must be true of any content of a file.
func checkFile(t *testing.T, path string, data []byte) {
	t.Helper()
	extract := func() ([]analyzer.Fact, error) {
		return Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(path, slices.Clone(data)))
	}
	facts, err := extract()
	if err != nil && fault.KindOf(err) == "" {
		t.Fatalf("error without a kind: %v", err)
	}
	again, errAgain := extract()
	if !reflect.DeepEqual(facts, again) || (err == nil) != (errAgain == nil) {
		t.Fatal("two readings of one file differ")
	}
	kept, errKept := json.Marshal(facts)
	if errKept != nil {
		t.Fatalf("facts cannot be kept: %v", errKept)
	}
	in := &analyzer.Squashed{}
	for _, f := range facts {
		if f.Kind == analyzer.KindPackage && f.Package.Name == "" || !slices.IsSorted(f.DependsOn) {
			t.Fatalf("fact %q depends on %q", f.Key, f.DependsOn)
		}
		in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: path})
	}
	out, _ := Analyzer{}.Join(in)
	if after, err := json.Marshal(facts); err != nil || string(after) != string(kept) {
		t.Fatalf("Join changed its input (%v)", err)
	}
	keys := map[string]bool{}
	for _, f := range out {
		checkPackage(t, f.Package)
		if name := f.Scope + "\x00" + f.Key; f.Key != "" && keys[name] {
			t.Fatalf("two packages under the key %q", f.Key)
		} else {
			keys[name] = true
		}
	}
}

func checkPackage(t *testing.T, p *sbom.Package) {
	t.Helper()
	local := slices.ContainsFunc(p.Properties, func(q sbom.Property) bool { return q.Name == sourceProperty })
	if p.PURL.IsZero() {
		if !local {
			t.Fatalf("%s %s has no package URL", p.Name, p.Version)
		}
		return
	}
	if !validName(p.Name) {
		t.Fatalf("%q has the package URL %s", p.Name, p.PURL)
	}
	u, err := purl.Parse(p.PURL.String())
	if err != nil || u.Name != p.PURL.Name || u.Namespace != p.PURL.Namespace || u.Version != p.PURL.Version {
		t.Fatalf("package URL %s of %q %q reads as %+v (%v)", p.PURL, p.Name, p.Version, u, err)
	}
}

// seed adds the files of that base name in the golden cases.
func seed(f *testing.F, base string) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) == 0 {
		f.Fatalf("no cases: %v", err)
	}
	for _, name := range cases {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range txtar.Parse(text).Files {
			if filepath.Base(file.Name) == base {
				f.Add(file.Data)
			}
		}
	}
}

func fuzzFile(f *testing.F, path string) {
	seed(f, filepath.Base(path))
	f.Fuzz(func(t *testing.T, data []byte) { checkFile(t, path, data) })
}

func FuzzMetadata(f *testing.F)     { fuzzFile(f, "site-packages/a-1.0.dist-info/METADATA") }
func FuzzRequires(f *testing.F)     { fuzzFile(f, "site-packages/a.egg-info/requires.txt") }
func FuzzRequirements(f *testing.F) { fuzzFile(f, "app/requirements.txt") }
func FuzzPoetry(f *testing.F)       { fuzzFile(f, "app/poetry.lock") }
func FuzzPipfile(f *testing.F)      { fuzzFile(f, "app/Pipfile.lock") }
func FuzzUV(f *testing.F)           { fuzzFile(f, "app/uv.lock") }
func FuzzPDM(f *testing.F)          { fuzzFile(f, "app/pdm.lock") }
func FuzzPylock(f *testing.F)       { fuzzFile(f, "app/pylock.toml") }
