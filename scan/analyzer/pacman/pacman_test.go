package pacman_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/pacman"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	descPath  = "var/lib/pacman/local/gawk-5.3.1-1/desc"
	filesPath = "var/lib/pacman/local/gawk-5.3.1-1/files"
	gawk      = "%NAME%\ngawk\n\n%VERSION%\n5.3.1-1\n\n%BASE%\ngawk\n\n%ARCH%\nx86_64\n\n%DEPENDS%\nsh\nmpfr>=4\n\n%PROVIDES%\nawk\n\n"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, pacman.Analyzer{}) }

func FuzzDesc(f *testing.F)  { analyzertest.Fuzz(f, pacman.Analyzer{}, descPath, gawk) }
func FuzzFiles(f *testing.F) { analyzertest.Fuzz(f, pacman.Analyzer{}, filesPath) }

// TestPackageURL: the distribution is the namespace, and names are in lower case.
func TestPackageURL(t *testing.T) {
	join := func(os *sbom.OS, desc string) (string, []sbom.Gap) {
		facts, err := pacman.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(descPath, []byte(desc)))
		if err != nil {
			t.Fatal(err)
		}
		out, gaps := pacman.Analyzer{}.Join(&analyzer.Squashed{OS: os, Facts: []analyzer.Located{{Fact: facts[0], Path: descPath}}})
		return out[0].Package.PURL.String(), gaps
	}
	split := "%NAME%\nLibX\n\n%VERSION%\n1:2.0-1\n\n%BASE%\nx\n\n%ARCH%\nany\n"
	for _, tt := range []struct {
		os         *sbom.OS
		desc, want string
	}{
		{&sbom.OS{ID: "arch", VersionID: "20241201.0.285026"}, gawk, "pkg:alpm/arch/gawk@5.3.1-1?arch=x86_64&distro=arch-20241201.0.285026"},
		{&sbom.OS{ID: "manjaro"}, split, "pkg:alpm/manjaro/libx@1:2.0-1?arch=any&distro=manjaro&upstream=x"},
	} {
		got, gaps := join(tt.os, tt.desc)
		if got != tt.want || len(gaps) > 0 {
			t.Errorf("got %s, want %s; gaps %v", got, tt.want, gaps)
		}
	}
	got, gaps := join(nil, gawk)
	want := []sbom.Gap{{Code: sbom.GapUnidentified, Blocking: true, Where: descPath, What: "pacman packages, but no os-release says which distribution they belong to"}}
	if diff := cmp.Diff(want, gaps); diff != "" || got != "" {
		t.Errorf("without a distribution: %q (-want +got):\n%s", got, diff)
	}
}

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, pacman.Analyzer{},
		analyzertest.Growth{Name: "dependencies", Path: descPath, Data: func(n int) string {
			return gawk + "%DEPENDS%\n" + analyzertest.Lines(n, "d%d>=1\n")
		}},
		analyzertest.Growth{Name: "sections", Path: descPath, Data: func(n int) string {
			return gawk + analyzertest.Lines(n/3, "%%S%d%%\nx\n\n")
		}},
		analyzertest.Growth{Name: "files", Path: filesPath, Data: func(n int) string {
			return "%FILES%\n" + analyzertest.Lines(n, "usr/share/%d\n")
		}},
		analyzertest.Growth{Name: "one file", Path: filesPath, Data: func(n int) string {
			return "%FILES%\n" + strings.Repeat("usr/share/x\n", n)
		}},
	)
}

// TestLimits: what is too much is an error, and what was read before it is kept.
func TestLimits(t *testing.T) {
	for name, h := range map[string]struct{ path, data string }{
		"dependencies": {descPath, gawk + "%DEPENDS%\n" + strings.Repeat("a\n", 100_001)},
		"files":        {filesPath, "%FILES%\n" + strings.Repeat("a\n", 500_001)},
	} {
		facts, err := pacman.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(h.path, []byte(h.data)))
		if !errors.Is(err, fault.Limit) || len(facts) == 0 {
			t.Errorf("%s: %d facts, error %v; want a limit", name, len(facts), err)
		}
	}
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, pacman.Analyzer{},
		analyzertest.Hostile{Name: "empty desc", Path: descPath, Want: fault.Invalid},
		analyzertest.Hostile{Name: "empty files", Path: filesPath},
		analyzertest.Hostile{Name: "a large desc", Path: descPath, Data: gawk + strings.Repeat("\n", 4<<20), Want: fault.Limit},
		analyzertest.Hostile{Name: "percent signs", Path: descPath, Data: strings.Repeat("%", 100_000), Want: fault.Invalid},
	)
}

func Example() {
	facts, err := pacman.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(descPath, []byte(gawk)))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(facts[0].Package.Name, facts[0].Package.Version, "needs", facts[0].DependsOn)
	// Output: gawk 5.3.1-1 needs [mpfr sh]
}
