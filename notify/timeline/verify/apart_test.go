package verify_test

import (
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestApart: nothing of what is checked takes part in the check.
func TestApart(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	common := []string{"github.com/stella-ops/stella/attest/dsse", "github.com/stella-ops/stella/internal/fault"}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			if name := strings.Trim(spec.Path.Value, `"`); strings.HasPrefix(name, "github.com/stella-ops/") && !slices.Contains(common, name) {
				t.Errorf("%s imports %s", e.Name(), name)
			}
		}
	}
}
