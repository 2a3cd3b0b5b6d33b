package pub_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/internal/peertest"
	"github.com/stella-ops/stella/scan/analyzer/pub"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, pub.Analyzer{}) }

func FuzzLock(f *testing.F) { analyzertest.Fuzz(f, pub.Analyzer{}, "app/pubspec.lock") }

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, pub.Analyzer{},
		analyzertest.Growth{Name: "packages", Path: "pubspec.lock", Data: func(n int) string {
			return "packages:\n" + analyzertest.Lines(n/7, "  d%[1]d:\n    dependency: transitive\n    description:\n      name: d%[1]d\n      url: \"https://pub.dev\"\n    source: hosted\n    version: \"1.0.%[1]d\"\n")
		}},
		analyzertest.Growth{Name: "odd packages", Path: "pubspec.lock", Data: func(n int) string {
			return "packages:\n" + analyzertest.Lines(n, "  d%d: {source: moon}\n")
		}},
		analyzertest.Growth{Name: "one name", Path: "pubspec.lock", Data: func(n int) string {
			return "packages:\n" + analyzertest.Lines(n, "  d: {source: sdk, version: \"%d\", description: x}\n")
		}},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, pub.Analyzer{},
		analyzertest.Hostile{Name: "nested lists", Path: "pubspec.lock", Data: "packages: " + strings.Repeat("[", 100_000), Want: fault.Invalid},
		analyzertest.Hostile{Name: "an alias", Path: "pubspec.lock", Data: "packages: &a\n  b: *a\n", Want: fault.Unsupported},
		analyzertest.Hostile{Name: "bytes that are no text", Path: "pubspec.lock", Data: "packages:\n  \xff: {}\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "empty", Path: "pubspec.lock"},
		analyzertest.Hostile{Name: "packages that are a text", Path: "pubspec.lock", Data: "packages: none\n", Want: fault.Invalid},
	)
}

// TestPeers: names and versions were checked by hand.
func TestPeers(t *testing.T) {
	peertest.Test(t, pub.Analyzer{}, peertest.Peers{
		"trivy-parser/pkg/dependency/parser/dart/pub/testdata/happy.lock":                  {As: "pubspec.lock", Want: "crypto@3.0.2 flutter_test@0.0.0 uuid@3.0.6"},
		"trivy-parser/pkg/dependency/parser/dart/pub/testdata/broken.lock":                 {As: "pubspec.lock", Want: "0 !read pubspec.lock: line 1: the file: not a mapping: invalid input"},
		"trivy-analyzer/pkg/fanal/analyzer/language/dart/pub/testdata/broken/pubspec.lock": {As: "pubspec.lock", Want: "0 !read pubspec.lock: line 1: the file: not a mapping: invalid input"},
	})
}

func Example() {
	facts, err := pub.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app/pubspec.lock", []byte(`packages:
  http:
    dependency: "direct main"
    description:
      name: http
      url: "https://pub.dev"
    source: hosted
    version: "1.2.2"
`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL, f.Package.State)
	}
	// Output: pkg:pub/http@1.2.2 declared
}
