package swift_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/internal/peertest"
	"github.com/stella-ops/stella/scan/analyzer/swift"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, swift.Analyzer{}) }

func FuzzResolved(f *testing.F) { analyzertest.Fuzz(f, swift.Analyzer{}, "app/Package.resolved") }

func TestCost(t *testing.T) {
	const pin = `{"identity": "p%[1]d", "kind": "remoteSourceControl", "location": "https://git.example/a/p%[1]d.git", "state": {"revision": "%[1]d", "version": "1.0.%[1]d"}},` + "\n"
	analyzertest.TestCost(t, swift.Analyzer{},
		analyzertest.Growth{Name: "pins", Path: "Package.resolved", Data: func(n int) string {
			return "{\"version\": 2, \"pins\": [\n" + analyzertest.Lines(n, pin) + "{\"identity\": \"last\"}]}"
		}},
		analyzertest.Growth{Name: "pins that are none", Path: "Package.resolved", Data: func(n int) string {
			return "{\"version\": 2, \"pins\": [\n" + analyzertest.Lines(n, "%d,\n") + "0]}"
		}},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, swift.Analyzer{},
		analyzertest.Hostile{Name: "nested arrays", Path: "Package.resolved", Data: `{"pins": ` + strings.Repeat("[", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "a name that climbs", Path: "Package.resolved",
			Data: `{"version": 1, "object": {"pins": [{"repositoryURL": "https://git.example/a/../..", "state": {"version": "1.0.0"}}]}}`},
		analyzertest.Hostile{Name: "no place", Path: "Package.resolved", Data: `{"version": 2, "pins": [{"location": "https://"}]}`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "no version", Path: "Package.resolved", Data: `{"pins": []}`, Want: fault.Unsupported},
		analyzertest.Hostile{Name: "no pins", Path: "Package.resolved", Data: `{"version": 3, "pins": []}`},
		analyzertest.Hostile{Name: "empty", Path: "Package.resolved", Want: fault.Invalid},
	)
}

// TestPeers: names and versions were checked by hand.
func TestPeers(t *testing.T) {
	peertest.Test(t, swift.Analyzer{}, peertest.Peers{
		"trivy-analyzer/pkg/fanal/analyzer/language/swift/swift/testdata/happy/Package.resolved": {
			Want: "github.com/Quick/Nimble@9.2.1 github.com/Quick/Quick@7.0.0 github.com/ReactiveCocoa/ReactiveSwift@7.1.1"},
		"scancode/tests/packagedcode/data/swift/packages/fastlane_resolved_v1/Package.resolved": {
			Want: "github.com/apple/swift-atomics@1.1.0 github.com/kareman/SwiftShell@5.1.0"},
		"scancode/tests/packagedcode/data/swift/packages/mapboxmaps_manifest_and_resolved/Package.resolved": {
			Want: "github.com/mapbox/mapbox-common-ios@24.4.0 github.com/mapbox/mapbox-core-maps-ios@11.4.0 github.com/mapbox/turf-swift@2.8.0"},
	})
}

// TestScancode compares package URLs with what ScanCode expects of a project of its tests. It
// reads more files of that project: the project's own name and a dependency as the manifest
// asks for it are theirs alone.
func TestScancode(t *testing.T) {
	const root = "tests/packagedcode/data/swift/"
	files := testdata.Open(t, "lockfiles/scancode.tar.gz")
	theirs := slices.DeleteFunc(peertest.ScancodePURLs(t, files[root+"swift-vercelui-expected.json"]), func(s string) bool {
		return s == "pkg:swift/VercelUI" || s == "pkg:swift/github.com/swift-cloud/Vercel"
	})
	name := root + "packages/vercelui/Package.resolved"
	ours := analyzertest.Scan(swift.Analyzer{}, map[string][]byte{name: files[name]}).PURLs()
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("(-theirs +ours):\n%s", diff)
	}
}

func Example() {
	facts, err := swift.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app/Package.resolved", []byte(`{"version": 2, "pins": [
  {"identity": "vapor", "kind": "remoteSourceControl", "location": "https://github.com/vapor/vapor.git",
   "state": {"revision": "1bb4a2ed94bec7a92f92e82896408c785d068f5c", "version": "4.79.0"}}]}`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL, f.Package.State)
	}
	// Output: pkg:swift/github.com/vapor/vapor@4.79.0 declared
}
