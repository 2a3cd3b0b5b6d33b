package cocoapods_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/cocoapods"
	"github.com/stella-ops/stella/scan/analyzer/internal/peertest"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, cocoapods.Analyzer{}) }

func FuzzLock(f *testing.F) { analyzertest.Fuzz(f, cocoapods.Analyzer{}, "app/Podfile.lock") }

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, cocoapods.Analyzer{},
		analyzertest.Growth{Name: "pods", Path: "Podfile.lock", Data: func(n int) string {
			return "PODS:\n" + analyzertest.Lines(n/3, "  - P%[1]d (1.0.%[1]d):\n    - P0\n    - P%[1]d/Core (= 1.0)\n")
		}},
		analyzertest.Growth{Name: "options of one pod", Path: "Podfile.lock", Data: func(n int) string {
			return "PODS:\n" + analyzertest.Lines(n/2, "  - P/S%d (1.0)\n") + "EXTERNAL SOURCES:\n  P:\n" + analyzertest.Lines(n/2, "    :o%[1]d: %[1]d\n")
		}},
		analyzertest.Growth{Name: "spec repositories", Path: "Podfile.lock", Data: func(n int) string {
			return "SPEC REPOS:\n" + analyzertest.Lines(n/2, "  https://git.example/%[1]d:\n    - P%[1]d\n")
		}},
		analyzertest.Growth{Name: "lines that are no pods", Path: "Podfile.lock", Data: func(n int) string {
			return "PODS:\n" + analyzertest.Lines(n, "  - P = %d\n")
		}},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, cocoapods.Analyzer{},
		analyzertest.Hostile{Name: "nested lists", Path: "Podfile.lock", Data: "PODS: " + strings.Repeat("[", 100_000), Want: fault.Invalid},
		analyzertest.Hostile{Name: "a subspec that climbs", Path: "Podfile.lock", Data: "PODS:\n  - P/../../Q (1.0)\n  - .P (1.0)\n  - P+Q (1.0)\n  - P// (1.0)\n"},
		analyzertest.Hostile{Name: "an alias", Path: "Podfile.lock", Data: "PODS: &a\n  - *a\n", Want: fault.Unsupported},
		analyzertest.Hostile{Name: "pods in pods", Path: "Podfile.lock", Data: "PODS:\n  - - P (1.0)\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "empty", Path: "Podfile.lock"},
	)
}

// TestPeers: names and versions were checked by hand.
func TestPeers(t *testing.T) {
	const trivy = "trivy-analyzer/pkg/fanal/analyzer/language/swift/cocoapods/testdata/"
	const scancode = "scancode/tests/packagedcode/data/cocoapods/assemble/"
	peertest.Test(t, cocoapods.Analyzer{}, peertest.Peers{
		trivy + "happy.lock": {As: "Podfile.lock", Want: "AppCenter/Analytics@4.2.0 AppCenter/Core@4.2.0 AppCenter/Crashes@4.2.0 AppCenter@4.2.0 KeychainAccess@4.2.1"},
		trivy + "empty.lock": {As: "Podfile.lock", Want: "0"},
		"trivy-parser/pkg/dependency/parser/swift/cocoapods/testdata/sad.lock": {As: "Podfile.lock",
			Want: `0 !read Podfile.lock: line 2: "AppCenter = 4.2.0" is not a pod and its version: invalid input`},
		"osv-scanner/cmd/osv-scanner/scan/source/testdata/locks-scalibr/Podfile.lock": {Want: "GlossButtonNode@3.1.2 PINCache@3.0.3"},
		scancode + "many-podspecs/Podfile.lock":                                       {Want: "8"},
		scancode + "multiple-podspec/Podfile.lock":                                    {Want: "Yoga@1.14.0 YogaKit@1.18.1 boost@1.76.0"},
	})
}

// scancodeVerdicts say who is right where ScanCode's expectation of its own test files and
// our result differ: "+" is ours alone, "-" theirs alone.
var scancodeVerdicts = map[string]string{
	"solo: - pkg:cocoapods/boost@1.76.0": "ours: its podspec is a file of the project, no spec repository has it",
}

// TestScancode compares package URLs with what ScanCode expects of its own test files.
func TestScancode(t *testing.T) {
	const root = "tests/packagedcode/data/cocoapods/assemble/"
	files := testdata.Open(t, "lockfiles/scancode.tar.gz")
	seen := map[string]bool{}
	for name, expected := range map[string]string{"solo": "solo/Podfile.lock-expected.json"} {
		lock := root + name + "/Podfile.lock"
		theirs := peertest.ScancodePURLs(t, files[root+expected])
		ours := analyzertest.Scan(cocoapods.Analyzer{}, map[string][]byte{lock: files[lock]}).PURLs()
		for _, u := range ours {
			if !slices.Contains(theirs, u) {
				seen[name+": + "+u] = true
			}
		}
		for _, u := range theirs {
			if !slices.Contains(ours, u) {
				seen[name+": - "+u] = true
			}
		}
	}
	for line := range seen {
		if scancodeVerdicts[line] == "" {
			t.Errorf("%s: no verdict", line)
		}
	}
	for line := range scancodeVerdicts {
		if !seen[line] {
			t.Errorf("%s: has a verdict and does not differ", line)
		}
	}
}

func Example() {
	facts, err := cocoapods.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app/Podfile.lock", []byte(`PODS:
  - Texture (3.1.0):
    - Texture/Core (= 3.1.0)
  - Texture/Core (3.1.0)
`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL, f.Package.State, f.DependsOn)
	}
	// Output:
	// pkg:cocoapods/Texture@3.1.0 declared [Texture/Core]
	// pkg:cocoapods/Texture@3.1.0#Core declared []
}
