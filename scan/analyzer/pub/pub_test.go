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

const (
	pubspec = "app/pubspec.yaml"
	cached  = "root/.pub-cache/hosted/pub.dev/args-2.3.2/pubspec.yaml"
)

func FuzzPubspec(f *testing.F) { analyzertest.Fuzz(f, pub.Analyzer{}, pubspec) }
func FuzzCached(f *testing.F)  { analyzertest.Fuzz(f, pub.Analyzer{}, cached) }

func FuzzLock(f *testing.F) { analyzertest.Fuzz(f, pub.Analyzer{}, "app/pubspec.lock") }

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, pub.Analyzer{},
		analyzertest.Growth{Name: "packages", Path: "pubspec.lock", Data: func(n int) string {
			return "packages:\n" + analyzertest.Lines(n/7, "  d%[1]d:\n    dependency: transitive\n    description:\n      name: d%[1]d\n      url: \"https://pub.dev\"\n    source: hosted\n    version: \"1.0.%[1]d\"\n")
		}},
		analyzertest.Growth{Name: "odd packages", Path: "pubspec.lock", Data: func(n int) string {
			return "packages:\n" + analyzertest.Lines(n, "  d%d: {source: moon}\n")
		}},
		analyzertest.Growth{Name: "dependencies", Path: pubspec, Data: func(n int) string {
			return "name: a\ndependencies:\n" + analyzertest.Lines(n, "  d%[1]d: 1.0.%[1]d\n")
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
		analyzertest.Hostile{Name: "empty", Path: pubspec},
		analyzertest.Hostile{Name: "no mapping", Path: pubspec, Data: "- a\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "nested lists", Path: pubspec, Data: "dependencies: " + strings.Repeat("[", 100_000), Want: fault.Invalid},
		analyzertest.Hostile{Name: "no name in a cache", Path: "root/.pub-cache/git/x-0f/pubspec.yaml", Data: "version: 1.0.0\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "too many dependencies", Path: pubspec, Data: "dependencies:\n" + analyzertest.Lines(100_001, "  d%d: 1.0.0\n"), Want: fault.Limit},
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

// TestPlaces: folders of pub's cache, and what only looks like one.
func TestPlaces(t *testing.T) {
	data := []byte("name: args\nversion: 2.3.2\n")
	for path, want := range map[string]string{
		cached: "[pkg:pub/args@2.3.2] [args@2.3.2]",
		"root/.pub-cache/hosted/pub.dev/args-2.3.2/example/pubspec.yaml":                           "[] []",
		"root/.pub-cache/hosted/pub.dartlang.org/args-2.3.2/pubspec.yaml":                          "[pkg:pub/args@2.3.2] [args@2.3.2]",
		"root/.pub-cache/hosted/dart.example%47acme/args-2.3.2/pubspec.yaml":                       "[pkg:pub/args@2.3.2?repository_url=https://dart.example/acme] [args@2.3.2]",
		"root/.pub-cache/hosted/http%58%47%47dart.example%588080/args-2.3.2/pubspec.yaml":          "[pkg:pub/args@2.3.2?repository_url=http://dart.example:8080] [args@2.3.2]",
		"Users/u/AppData/Local/Pub/Cache/hosted/localhost%584873/args-2.3.2/pubspec.yaml":          "[pkg:pub/args@2.3.2?repository_url=http://localhost:4873] [args@2.3.2]",
		"root/.pub-cache/git/args-bab826581f3f7a0604022f2043490a3b501e785e/pubspec.yaml":           "[] [args@2.3.2]",
		"root/.pub-cache/git/args-bab826581f3f7a0604022f2043490a3b501e785e/pkgs/args/pubspec.yaml": "[] [args@2.3.2]",
		"root/.pub-cache/git/args-bab826581f3f7a0604022f2043490a3b501e785e/example/pubspec.yaml":   "[] []",
		"srv/git/args/pubspec.yaml": "[] [args@2.3.2]", "srv/hosted/a/args-1/pubspec.yaml": "[] [args@2.3.2]", "pubspec.yaml": "[] [args@2.3.2]",
	} {
		r := analyzertest.Scan(pub.Analyzer{}, map[string][]byte{path: data})
		got := strings.NewReplacer("%3A", ":", "%2F", "/").Replace(fmt.Sprint(r.PURLs(), r.Names()))
		if got != want || len(r.Errors) != 0 {
			t.Errorf("%s: %s %v, want %s", path, got, r.Errors, want)
		}
	}
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
