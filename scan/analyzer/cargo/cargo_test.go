package cargo_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
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

// TestPeers: numbers were checked by hand; members of the workspace are among them.
func TestPeers(t *testing.T) {
	const parser = "trivy-parser/pkg/dependency/parser/rust/cargo/testdata/"
	peertest.Test(t, cargo.Analyzer{}, peertest.Peers{
		parser + "cargo_v3.lock":      {As: "Cargo.lock", Want: "9"},
		parser + "cargo_invalid.lock": {As: "Cargo.lock", Want: "2 !read Cargo.lock: line 10: expected a value: invalid input"},
	})
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
