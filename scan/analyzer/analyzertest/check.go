package analyzertest

import (
	"context"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// Fuzz is the body of a fuzz target: any content of the file at path. Seeds are the files of
// the golden cases with the same base name, and more.
func Fuzz(f *testing.F, a analyzer.Analyzer, path string, more ...string) {
	Seed(f, path, more...)
	f.Fuzz(func(t *testing.T, data []byte) { Check(t, a, path, data) })
}

// Seed adds the seeds that Fuzz adds, for fuzz targets that check more.
func Seed(f *testing.F, path string, more ...string) {
	for _, name := range cases(f) {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if filepath.Base(file.Name) == filepath.Base(path) {
				f.Add(file.Data)
			}
		}
	}
	for _, text := range more {
		f.Add([]byte(text))
	}
}

// Check holds what must be true whatever a file contains: two readings agree, errors have a
// kind, facts can be kept, Join leaves its input alone, every package has a name and a
// package URL that reads back, texts are UTF-8 and lists are sorted.
func Check(t testing.TB, a analyzer.Analyzer, path string, data []byte) {
	t.Helper()
	extract := func() ([]analyzer.Fact, error) {
		return a.Extract(context.Background(), analyzer.NewMemoryFile(path, slices.Clone(data)))
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
		if !slices.IsSorted(f.DependsOn) || !slices.IsSorted(f.Owns) || !slices.IsSorted(f.Holds) {
			t.Fatalf("fact %q: %q, %q, %q are not sorted", f.Key, f.DependsOn, f.Owns, f.Holds)
		}
		for _, p := range f.Holds {
			if p == "" || p[0] == '/' || p == ".." || strings.HasPrefix(p, "../") {
				t.Fatalf("fact %q holds %q", f.Key, p)
			}
		}
		in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: path})
	}
	out, _ := join(a, in)
	if after, err := json.Marshal(facts); err != nil || string(after) != string(kept) {
		t.Fatalf("Join changed its input (%v)", err)
	}
	keys := map[string]bool{}
	for i := range out {
		f := &out[i]
		checkPackage(t, f)
		if name := f.Scope + "\x00" + f.Key; f.Key != "" && keys[name] {
			t.Fatalf("two packages under the key %q", f.Key)
		} else {
			keys[name] = true
		}
	}
}

// CheckNamed is Check of an ecosystem whose packages have a package URL unless the property
// local says that they come from elsewhere, and only where their name is valid.
func CheckNamed(t testing.TB, a analyzer.Analyzer, path string, data []byte, local string, valid func(name string) bool) {
	t.Helper()
	Check(t, a, path, data)
	for _, f := range Scan(a, map[string][]byte{path: data}).Packages {
		p := f.Package
		switch elsewhere := slices.ContainsFunc(p.Properties, func(q sbom.Property) bool { return q.Name == local }); {
		case p.PURL.IsZero() && !elsewhere:
			t.Fatalf("%s %s has no package URL", p.Name, p.Version)
		case !p.PURL.IsZero() && !valid(p.Name):
			t.Fatalf("%q has the package URL %s", p.Name, p.PURL)
		}
	}
}

func checkPackage(t testing.TB, f *analyzer.Located) {
	t.Helper()
	p := f.Package
	if p == nil || p.Name == "" {
		t.Fatalf("fact %q has no named package", f.Key)
	}
	for _, s := range []string{p.Name, p.Version, p.Description, p.Homepage, p.Supplier, p.Originator, p.Download} {
		if !utf8.ValidString(s) {
			t.Fatalf("%q of %q is not UTF-8", s, p.Name)
		}
	}
	if !slices.IsSortedFunc(p.Properties, func(a, b sbom.Property) int { return strings.Compare(a.Name, b.Name) }) {
		t.Fatalf("properties of %q are not sorted: %v", p.Name, p.Properties)
	}
	if p.PURL.IsZero() {
		return
	}
	u, err := purl.Parse(p.PURL.String())
	if err != nil || u.Name != p.PURL.Name || u.Namespace != p.PURL.Namespace || u.Version != p.PURL.Version {
		t.Fatalf("package URL %s of %q %q reads as %+v (%v)", p.PURL, p.Name, p.Version, u, err)
	}
}
