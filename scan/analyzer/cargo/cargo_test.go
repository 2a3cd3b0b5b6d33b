package cargo_test

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/cargo"
	"github.com/stella-ops/stella/scan/analyzer/internal/peertest"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, cargo.Analyzer{}) }

func FuzzLock(f *testing.F) { analyzertest.Fuzz(f, cargo.Analyzer{}, "app/Cargo.lock") }

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, cargo.Analyzer{},
		analyzertest.Growth{Name: "packages", Path: "Cargo.lock", Data: func(n int) string {
			return analyzertest.Lines(n/4, "[[package]]\nname = \"d%[1]d\"\nversion = \"1.0.%[1]d\"\ndependencies = [\"d0\", \"d%[1]d\"]\n")
		}},
		analyzertest.Growth{Name: "versions of one crate", Path: "Cargo.lock", Data: func(n int) string {
			return analyzertest.Lines(n/4, "[[package]]\nname = \"d\"\nversion = \"1.0.%d\"\n")
		}},
		analyzertest.Growth{Name: "one crate again", Path: "Cargo.lock", Data: func(n int) string {
			return analyzertest.Lines(n/4, "[[package]]\nname = \"d\"\nversion = \"1\"\nchecksum = \"%064d\"\n")
		}},
		analyzertest.Growth{Name: "checksums", Path: "Cargo.lock", Data: func(n int) string {
			return "[metadata]\n" + analyzertest.Lines(n, "\"checksum d%[1]d 1.0.0 (x)\" = \"%[1]d\"\n")
		}},
	)
}

func TestHostile(t *testing.T) {
	same := analyzertest.Lines(2100, "[[package]]\nname = \"a\"\nversion = \"%d\"\n")
	analyzertest.TestHostile(t, cargo.Analyzer{},
		analyzertest.Hostile{Name: "nested arrays", Path: "Cargo.lock", Data: "a = " + strings.Repeat("[", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "one name many times", Path: "Cargo.lock", Want: fault.Limit,
			Data: same + "[[package]]\nname = \"b\"\nversion = \"1\"\ndependencies = [" + strings.Repeat(`"a",`, 1000) + "]\n"},
		analyzertest.Hostile{Name: "no name", Path: "Cargo.lock", Data: "[[package]]\nversion = \"1\"\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "empty", Path: "Cargo.lock"},
	)
}

// TestPeers: numbers were checked by hand; members of the workspace are among them. Cargo
// reads no "cargo.lock", and neither do we.
func TestPeers(t *testing.T) {
	const parser = "trivy-parser/pkg/dependency/parser/rust/cargo/testdata/"
	const repo = "trivy-analyzer/integration/testdata/fixtures/repo/"
	const scancode = "scancode/tests/packagedcode/data/cargo/"
	peertest.Test(t, cargo.Analyzer{}, peertest.Peers{
		parser + "cargo_v3.lock":          {As: "Cargo.lock", Want: "9"},
		parser + "cargo_invalid.lock":     {As: "Cargo.lock", Want: "2 !read Cargo.lock: line 10: expected a value: invalid input"},
		repo + "cargo/Cargo.lock":         {Want: "10"},
		repo + "trivy-ci-test/Cargo.lock": {Want: "74"},
		"osv-scanner/cmd/osv-scanner/scan/source/testdata/exp-plugins-pkgdeprecate/deprecated-novuln/Cargo.lock": {Want: "36"},
		scancode + "cargo-with-workspace/tauri/examples/api/src-tauri/Cargo.lock":                                {Want: "3"},
		scancode + "lowercase/cargo.lock": {Want: "0"},
	})
}

// scancodeVerdicts say who is right where what ScanCode expects of its own test files and
// our result differ: "+" is ours alone, "-" theirs alone.
var scancodeVerdicts = map[string]string{
	"cargo_lock/sample1/Cargo.lock: - pkg:cargo/cargo-lock@4.0.1": "ours: a member of the workspace is not what a registry has under its name",
	"scan/Cargo.lock: - pkg:cargo/proxy-wasm@0.1.4":               "ours: a member of the workspace is not what a registry has under its name",
}

// TestScancode compares package URLs with what ScanCode expects of the Cargo.lock files
// among its test files.
func TestScancode(t *testing.T) {
	const root = "tests/packagedcode/data/cargo/"
	files := testdata.Open(t, "lockfiles/scancode.tar.gz")
	seen, compared := map[string]bool{}, 0
	for _, name := range testdata.Names(files) {
		if !strings.HasPrefix(name, root) || path.Base(name) != "Cargo.lock" {
			continue
		}
		compared++
		short := strings.TrimPrefix(name, root)
		theirs := peertest.ScancodePURLs(t, scancodeExpects(t, files, root, short))
		ours := analyzertest.Scan(cargo.Analyzer{}, map[string][]byte{name: files[name]})
		if len(ours.Errors) > 0 {
			t.Error(ours.Errors)
		}
		note := func(sign string, list, other []string) {
			for _, u := range list {
				if slices.Contains(other, u) {
					continue
				}
				line := short + ": " + sign + " " + u
				if seen[line] = true; scancodeVerdicts[line] == "" {
					t.Errorf("%s: no verdict", line)
				}
			}
		}
		note("+", ours.PURLs(), theirs)
		note("-", theirs, ours.PURLs())
	}
	if compared != 7 {
		t.Errorf("compared %d files, want 7", compared)
	}
	for line := range scancodeVerdicts {
		if !seen[line] {
			t.Errorf("%s: has a verdict and does not differ", line)
		}
	}
}

// scancodeExpects returns the expectation of one file: beside it, or a part of one of the
// scans of whole folders.
func scancodeExpects(t *testing.T, files map[string][]byte, root, short string) []byte {
	if expected, ok := files[root+path.Dir(short)+"/output.expected.json"]; ok {
		return expected
	}
	for _, scan := range []string{"scan.expected.json", "cargo-with-workspace/tauri.expected.json"} {
		var doc struct {
			Files []struct {
				Path string         `json:"path"`
				Data jsontext.Value `json:"package_data"`
			} `json:"files"`
		}
		if err := json.Unmarshal(files[root+scan], &doc); err != nil {
			t.Fatal(err)
		}
		for _, f := range doc.Files {
			if strings.HasSuffix(short, f.Path) {
				return f.Data
			}
		}
	}
	t.Fatalf("no expectation of %s", short)
	return nil
}

func Example() {
	facts, err := cargo.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app/Cargo.lock", []byte(`version = 4
[[package]]
name = "libc"
version = "0.2.155"
source = "registry+https://github.com/rust-lang/crates.io-index"
`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL, f.Package.State)
	}
	// Output: pkg:cargo/libc@0.2.155 declared
}

// TestSecrets: what a lockfile has of somebody's password is told to nobody.
func TestSecrets(t *testing.T) {
	r := analyzertest.Scan(cargo.Analyzer{}, map[string][]byte{"Cargo.lock": []byte(`
[[package]]
name = "a"
version = "1.0.0"
source = "git+https://ann:hunter2@git.example/a?branch=main#0123456789abcdef0123456789abcdef01234567"
[[package]]
name = "b"
version = "1.0.0"
source = "registry+https://ann:hunter2@crates.example/index"
`)})
	for _, f := range r.Packages {
		if text := f.Package.PURL.String() + f.Package.Download; strings.Contains(text, "hunter2") || !strings.Contains(text, ".example") {
			t.Errorf("%s: %s", f.Package.Name, text)
		}
	}
	if len(r.Packages) != 2 {
		t.Errorf("%d packages", len(r.Packages))
	}
}
