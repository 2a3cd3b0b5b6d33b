package npm

import (
	"context"
	"errors"
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
	in := &analyzer.Squashed{Resolve: func(p string) string { return p }}
	for _, f := range facts {
		if f.Package.Name == "" || !slices.IsSorted(f.DependsOn) {
			t.Fatalf("fact %q: name %q, depends on %q", f.Key, f.Package.Name, f.DependsOn)
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

func FuzzManifest(f *testing.F)    { fuzzFile(f, "app/node_modules/a/package.json") }
func FuzzPackageLock(f *testing.F) { fuzzFile(f, "app/package-lock.json") }
func FuzzHiddenLock(f *testing.F)  { fuzzFile(f, "app/node_modules/.package-lock.json") }
func FuzzPnpmLock(f *testing.F)    { fuzzFile(f, "app/pnpm-lock.yaml") }
func FuzzYarnLock(f *testing.F)    { fuzzFile(f, "app/yarn.lock") }

// TestHostile feeds shapes that cost a careless reader too much: deep nesting,
// and inputs whose cost must not grow with the square of their size.
func TestHostile(t *testing.T) {
	tests := []struct {
		name, path string
		data       func(n int) []byte
		want       error
	}{
		{"nested dependencies", "package-lock.json", func(n int) []byte { return repeat(`{"dependencies":{"a":`, n) }, fault.Limit},
		{"nested arrays", "package.json", func(n int) []byte { return repeat("[", n) }, fault.Invalid},
		{"nested licences", "package.json", func(n int) []byte { return append([]byte(`{"license":`), repeat("[", n)...) }, fault.Limit},
		{"nested patches", "yarn.lock", func(n int) []byte {
			return slices.Concat([]byte("__metadata:\n  version: 8\n\na:\n  resolution: \"a@"), repeat("patch:a@", n), []byte("\"\n"))
		}, nil},
		{"packages without end", "yarn.lock", func(n int) []byte { return repeat("a@1:\n  version \"1\"\n", n) }, fault.Limit},
		{"nodes without end", "pnpm-lock.yaml", func(n int) []byte { return repeat("a:\n", 6*n) }, fault.Limit},
		{"requests without end", "yarn.lock", func(n int) []byte { return append(repeat("a, ", 3*n), "b:\n"...) }, fault.Limit},
		{"flows", "pnpm-lock.yaml", func(n int) []byte { return append([]byte("a: "), repeat("[", n)...) }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(tt.path, tt.data(200_000)))
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

func repeat(s string, n int) []byte { return slices.Repeat([]byte(s), n) }
