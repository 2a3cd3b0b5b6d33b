package vcpkg_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/vcpkg"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, vcpkg.Analyzer{}) }

func FuzzStatus(f *testing.F) {
	analyzertest.Fuzz(f, vcpkg.Analyzer{}, "app/installed/vcpkg/status")
}

func FuzzManifest(f *testing.F) { analyzertest.Fuzz(f, vcpkg.Analyzer{}, "app/vcpkg.json") }

const (
	status = "installed/vcpkg/status"
	port   = "Package: d%[1]d\nVersion: 1.%[1]d\nDepends: d0, d%[1]d\nArchitecture: x64-linux\nStatus: install ok installed\n\n"
)

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, vcpkg.Analyzer{},
		analyzertest.Growth{Name: "packages", Path: status, Data: func(n int) string { return analyzertest.Lines(n/6, port) }},
		analyzertest.Growth{Name: "features of one package", Path: status, Data: func(n int) string {
			return fmt.Sprintf(port, 1) + analyzertest.Lines(n/5, "Package: d1\nFeature: f%d\nArchitecture: x64-linux\nStatus: install ok installed\n\n")
		}},
		analyzertest.Growth{Name: "removed", Path: status, Data: func(n int) string {
			return analyzertest.Lines(n/8, port) + analyzertest.Lines(n/8, "Package: d%d\nArchitecture: x64-linux\nStatus: purge ok not-installed\n\n")
		}},
		analyzertest.Growth{Name: "a long value", Path: status, Data: func(n int) string { return "Description:\n" + strings.Repeat(" x\n", n) }},
		analyzertest.Growth{Name: "dependencies", Path: "vcpkg.json", Data: func(n int) string {
			return `{"name": "x", "dependencies": [` + analyzertest.Lines(n, `"d%d",`) + `"x"], "overrides": [` + analyzertest.Lines(n, `{"name": "d%d", "version": "1"},`) + "{}]}"
		}},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, vcpkg.Analyzer{},
		analyzertest.Hostile{Name: "nested arrays", Path: "vcpkg.json", Data: `{"dependencies":` + strings.Repeat("[", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "too many dependencies", Path: "vcpkg.json", Data: `{"dependencies":[""` + analyzertest.Lines(100_002, `,"d%d"`) + "]}", Want: fault.Invalid},
		analyzertest.Hostile{Name: "too many packages", Path: status, Data: analyzertest.Lines(100_001, "Package: d%d\nArchitecture: x\nStatus: purge ok not-installed\n\n"), Want: fault.Limit},
		analyzertest.Hostile{Name: "too many needs", Path: status, Data: strings.ReplaceAll(fmt.Sprintf(port, 0), "d0, d0", analyzertest.Lines(1_000_001, "%d,")), Want: fault.Limit},
		analyzertest.Hostile{Name: "no architecture", Path: status, Data: "Package: a\nStatus: install ok installed\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "no object", Path: "vcpkg.json", Data: `"x"`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "empty", Path: status},
	)
}

// TestPaths: which files are read. Updates have ten digits, and recipes are not dependencies.
func TestPaths(t *testing.T) {
	set := analyzer.NewSet(vcpkg.Analyzer{})
	var got []string
	for _, file := range []string{
		"vcpkg/status", "opt/vcpkg/installed/vcpkg/status", "var/lib/dpkg/status", "vcpkg/updates/0000000012", "vcpkg/updates/incomplete", "vcpkg/updates/000000001",
		"vcpkg/info/a_1_x64-linux.list", "var/lib/dpkg/info/a_1_x64.list", "vcpkg.json", "app/vcpkg.json", "ports/zlib/vcpkg.json", "opt/vcpkg/ports/zlib/vcpkg.json", "ports/vcpkg.json",
	} {
		if len(set.ByPath(nil, file))+len(set.ByMagic(nil, file, []byte("Package:"))) > 0 {
			got = append(got, file)
		}
	}
	want := []string{"vcpkg/status", "opt/vcpkg/installed/vcpkg/status", "vcpkg/updates/0000000012", "vcpkg/info/a_1_x64-linux.list", "vcpkg.json", "app/vcpkg.json", "ports/vcpkg.json"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func Example() {
	facts, err := vcpkg.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app/vcpkg_installed/vcpkg/status", []byte(`Package: zlib
Version: 1.3.1
Port-Version: 1
Architecture: x64-linux
Multi-Arch: same
Status: install ok installed
`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL)
	}
	// Output: pkg:vcpkg/zlib@1.3.1?port_version=1
}
