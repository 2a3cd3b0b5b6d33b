package blob_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/store/blob"
)

// FuzzNames: a name is refused, or leads to one file inside of the folder that is
// listed under it.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"a", "scan-1/sbom.spdx.json", "../x", "a/../../x", "/etc/passwd", "a//b", ".", "...", "~tmp/x", "sha256/aa", "a\x00b", "é", "a/.", "CON", "a\\b", "-", "+", strings.Repeat("a/", 500)} {
		f.Add(s)
	}
	outer := f.TempDir()
	dir := filepath.Join(outer, "in", "side")
	b, err := blob.Open(f.Context(), "file:"+dir)
	if err != nil {
		f.Fatal(err)
	}
	ref, err := b.Put(f.Context(), strings.NewReader("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if err := b.Name(t.Context(), ref, name); err != nil {
			return
		}
		if !fs.ValidPath(name) || strings.HasPrefix(name, "sha256/") || strings.HasPrefix(name, "~") {
			t.Fatalf("%q was accepted", name)
		}
		if text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))); err != nil || string(text) != "x" {
			t.Fatalf("%q lies elsewhere: %q, %v", name, text, err)
		}
		found := false
		for info, err := range b.List(t.Context(), name) {
			found = found || err == nil && info.Key == name
		}
		if !found {
			t.Fatalf("%q is not listed", name)
		}
		if err := b.Unname(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if entries, err := os.ReadDir(outer); err != nil || len(entries) != 1 {
			t.Fatalf("%q made something outside: %v, %v", name, entries, err)
		}
		if d, _, _ := strings.Cut(name, "/"); d != name { // folders would hide later names
			os.RemoveAll(filepath.Join(dir, d))
		}
	})
}
