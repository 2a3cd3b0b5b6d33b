package layer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/layer"
)

// In a folder, files are looked at by their content where they may run: by
// their mode, by their name, or because they are large enough to be a program.
func TestTreeFindsProgramsByContent(t *testing.T) {
	dir := t.TempDir()
	for name, f := range map[string]struct {
		size int
		mode os.FileMode
	}{
		"large.txt": {300 << 10, 0o644}, "program": {5000, 0o755}, "lib.so.1": {5000, 0o644}, "tiny": {100, 0o755}, "small.so": {1000, 0o644}, "small.txt": {1000, 0o644}, "empty": {0, 0o755},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("0123", f.size/4)), f.mode); err != nil {
			t.Fatal(err)
		}
	}
	p := probe{paths: analyzer.Paths{Magic: []string{"0123"}}, extract: func(*analyzer.File) ([]analyzer.Fact, error) { return fact("1"), nil }}
	f, err := layer.ScanTree(t.Context(), layer.Tree{FS: os.DirFS(dir)}, options(p))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"large.txt=1", "lib.so.1=1", "program=1", "small.so=1", "tiny=1"}, seen(f)); diff != "" {
		t.Errorf("looked at (-want +got):\n%s", diff)
	}
}
