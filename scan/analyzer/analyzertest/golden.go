package analyzertest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stella-ops/stella/scan/analyzer"
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata")

// TestGolden runs every testdata/*.txtar: files of an image by path, in "links" lines such as
// "app/node_modules/a -> lib/a", if there are any, and in "want" what is found in them
// (Result.String). With -update the goldens are written.
func TestGolden(t *testing.T, a analyzer.Analyzer) {
	t.Helper()
	for _, name := range cases(t) {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { golden(t, a, name) })
	}
}

func golden(t *testing.T, a analyzer.Analyzer, name string) {
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	files, links, want := map[string][]byte{}, map[string]string{}, -1
	for i, f := range archive.Files {
		switch f.Name {
		case "want":
			want = i
		case "links":
			for line := range strings.Lines(string(f.Data)) {
				from, to, _ := strings.Cut(strings.TrimSpace(line), " -> ")
				links[from] = to
			}
		default:
			files[f.Name] = f.Data
		}
	}
	got := ScanLinked(a, files, links).String()
	switch {
	case *update:
		if want < 0 {
			want = len(archive.Files)
			archive.Files = append(archive.Files, txtar.File{Name: "want"})
		}
		archive.Files[want].Data = []byte(got)
		if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	case want < 0:
		t.Fatal("no golden; run with -update")
	default:
		if diff := cmp.Diff(string(archive.Files[want].Data), got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func cases(t testing.TB) []string {
	t.Helper()
	list, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(list) == 0 {
		t.Fatalf("no cases in testdata: %v", err)
	}
	return list
}
