package all_test

import (
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/all"
)

// TestTogether has several goroutines read the files of every analyzer's golden cases with
// the same analyzers, as the layers of an image are read: all get the same facts. It is what
// the race detector sees of analyzers, whose own tests read one file at a time.
func TestTogether(t *testing.T) {
	cases, err := filepath.Glob("../*/testdata/*.txtar")
	if err != nil || len(cases) < 30 {
		t.Fatalf("%d golden cases: %v", len(cases), err)
	}
	type file struct {
		path string
		data []byte
	}
	var files []file
	for _, name := range cases {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			files = append(files, file{f.Name, f.Data})
		}
	}
	set := all.Set()
	const readers = 4
	var found [readers][][]analyzer.Fact
	var wg sync.WaitGroup
	for r := range readers {
		wg.Go(func() {
			for _, f := range files {
				by := set.ByMagic(set.ByPath(nil, f.path), f.path, f.data[:min(8, len(f.data))])
				for _, i := range by {
					a, _ := set.At(i)
					facts, _ := a.Extract(t.Context(), analyzer.NewMemoryFile(f.path, f.data)) // broken files are among them
					found[r] = append(found[r], facts)
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, facts := range found[0] {
		for _, f := range facts {
			if f.Package != nil && f.Package.PURL.Type != "" {
				seen[f.Package.PURL.Type] = true
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("packages of %d types were found: %v", len(seen), seen)
	}
	for r := range found {
		if !reflect.DeepEqual(found[r], found[0]) {
			t.Errorf("reader %d has other facts than the first", r)
		}
	}
}
