package examples_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTemplates: each folder can be copied. It imports nothing that a copy cannot, says for
// whom it is, has a test, and is in the index.
func TestTemplates(t *testing.T) {
	index, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	folders, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, d := range folders {
		if !d.IsDir() || d.Name() == "testdata" {
			continue
		}
		seen++
		if !bytes.Contains(index, []byte("| ["+d.Name()+"]("+d.Name()+"/) |")) {
			t.Errorf("%s is not in README.md", d.Name())
		}
		tests, err := filepath.Glob(filepath.Join(d.Name(), "*_test.go"))
		if err != nil || len(tests) == 0 {
			t.Errorf("%s has no test: %v", d.Name(), err)
		}
		if d.Name() == "embed" {
			continue // its test builds images by a package of this repository
		}
		doc, err := os.ReadFile(filepath.Join(d.Name(), "doc.go"))
		if err != nil || !bytes.Contains(doc, []byte("// Copy ")) || !bytes.Contains(doc, []byte("// What to change: ")) {
			t.Errorf("%s: doc.go says who copies it, and what to change: %v", d.Name(), err)
		}
		files, err := filepath.Glob(filepath.Join(d.Name(), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range f.Imports {
				path := strings.Trim(spec.Path.Value, `"`)
				if strings.HasPrefix(path, "github.com/stella-ops/stella/") && (strings.Contains(path, "/internal/") || strings.Contains(path, "/stella/services")) {
					t.Errorf("%s imports %s, which a copy cannot", name, path)
				}
			}
		}
	}
	if seen < 11 {
		t.Errorf("only %d templates are there", seen)
	}
}
