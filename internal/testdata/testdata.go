// Package testdata gives tests the shared real-world data: advisories, package
// databases, lockfiles and conformance suites, kept as tar.gz packs outside the
// repository.
package testdata

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// Dir returns the folder of the shared data: the environment variable
// STELLA_TESTDATA, or ../shared/data beside the module root. It skips the test
// with a line that says so where the folder is absent.
func Dir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("STELLA_TESTDATA")
	if dir == "" {
		root, err := moduleRoot()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(root, "..", "shared", "data")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("shared test data is absent: set STELLA_TESTDATA (looked for %s)", dir)
	}
	return dir
}

// Path returns the path of one file of the shared data, such as
// "conformance/csaf20-testcases-dev.json", or skips the test.
func Path(t testing.TB, name string) string {
	t.Helper()
	p := filepath.Join(Dir(t), filepath.FromSlash(name))
	if _, err := os.Stat(p); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("shared test data lacks %s", name)
	}
	return p
}

// Open reads the regular files of one pack, such as "pkgdb/rpmdb.tar.gz", into
// memory, keyed by their cleaned path inside the pack, or skips the test.
func Open(t testing.TB, pack string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	Walk(t, pack, func(name string, r io.Reader) {
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("read %s in %s: %v", name, pack, err)
		}
		files[name] = b
	})
	return files
}

// Names returns the keys of files in order.
func Names(files map[string][]byte) []string {
	names := make([]string, 0, len(files))
	for n := range files {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Walk calls fn for each regular file of a pack in the pack's order, or skips
// the test where the pack is absent.
func Walk(t testing.TB, pack string, fn func(name string, r io.Reader)) {
	t.Helper()
	f, err := os.Open(Path(t, pack))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		t.Fatalf("open %s: %v", pack, err)
	}
	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("read %s: %v", pack, err)
		}
		if h.Typeflag == tar.TypeReg {
			fn(strings.TrimPrefix(path.Clean(h.Name), "/"), tr)
		}
	}
}

// moduleRoot finds the outermost folder above the test's working directory
// that has a go.mod: nested modules share the root's data.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	found := ""
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			found = dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	if found == "" {
		return "", errors.New("no go.mod above the working directory")
	}
	return found, nil
}
