package opkg_test

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
	"github.com/stella-ops/stella/scan/analyzer/opkg"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	status  = "usr/lib/opkg/status"
	control = "usr/lib/opkg/info/busybox.control"
	list    = "usr/lib/opkg/info/busybox.list"
	busybox = "Package: busybox\nVersion: 1.36.1-r2\nDepends: libc\nStatus: install ok installed\nArchitecture: x86_64\n\n"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, opkg.Analyzer{}) }

func FuzzStatus(f *testing.F)  { analyzertest.Fuzz(f, opkg.Analyzer{}, status) }
func FuzzControl(f *testing.F) { analyzertest.Fuzz(f, opkg.Analyzer{}, control) }

// TestDistribution: it is in the package URL; without one a gap says so. That there are no
// advisories is said either way.
func TestDistribution(t *testing.T) {
	facts, err := opkg.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(status, []byte(busybox)))
	if err != nil {
		t.Fatal(err)
	}
	in := &analyzer.Squashed{Facts: []analyzer.Located{{Fact: facts[0], Path: status}}}
	unidentified := sbom.Gap{Code: sbom.GapUnidentified, Blocking: true, Where: status, What: "opkg packages, but no os-release says which distribution they belong to"}
	unsupported := sbom.Gap{Code: sbom.GapUnsupported, Blocking: true, Where: status, What: "no advisories are known for opkg packages: 1 are listed, not assessed"}
	for _, tt := range []struct {
		os   *sbom.OS
		want string
		gaps []sbom.Gap
	}{
		{&sbom.OS{ID: "openwrt", VersionID: "23.05.5"}, "pkg:generic/openwrt/busybox@1.36.1-r2?arch=x86_64&distro=openwrt-23.05.5", []sbom.Gap{unsupported}},
		{&sbom.OS{ID: "poky", VersionID: "4.0.20"}, "pkg:generic/poky/busybox@1.36.1-r2?arch=x86_64&distro=poky-4.0.20", []sbom.Gap{unsupported}},
		{nil, "pkg:generic/opkg/busybox@1.36.1-r2?arch=x86_64", []sbom.Gap{unidentified, unsupported}},
	} {
		in.OS = tt.os
		out, gaps := opkg.Analyzer{}.Join(in)
		if got := out[0].Package.PURL.String(); got != tt.want {
			t.Errorf("package URL %s, want %s", got, tt.want)
		}
		if diff := cmp.Diff(tt.gaps, gaps); diff != "" {
			t.Errorf("%s: gaps (-want +got):\n%s", tt.want, diff)
		}
	}
}

// TestCPE: names of OpenWrt become CPE 2.3 names of the version without its release.
func TestCPE(t *testing.T) {
	for _, tt := range []struct{ id, version, want string }{
		{"cpe:/a:busybox:busybox", "1.36.1-r2", "cpe:2.3:a:busybox:busybox:1.36.1:*:*:*:*:*:*:*"},
		{"cpe:/a:OpenSSL:openssl", "3.0.15-r1", "cpe:2.3:a:openssl:openssl:3.0.15:*:*:*:*:*:*:*"},
		{"cpe:/a:openwrt:uci", "2025.01.20~16ff0bad-r1", `cpe:2.3:a:openwrt:uci:2025.01.20\~16ff0bad:*:*:*:*:*:*:*`},
		{"cpe:/o:linux:linux_kernel", "6.6.73", "cpe:2.3:o:linux:linux_kernel:6.6.73:*:*:*:*:*:*:*"},
		{"cpe:/a:gnu:bash:5", "5.2-r1", ""},
		{"cpe:/a:x%21:y", "1", ""},
		{"busybox", "1", ""},
	} {
		text := "Package: p\nVersion: " + tt.version + "\nCPE-ID: " + tt.id + "\n"
		facts, err := opkg.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(control, []byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(facts[0].Package.CPEs, " "); got != tt.want {
			t.Errorf("%s of %s: %q, want %q", tt.id, tt.version, got, tt.want)
		}
	}
}

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, opkg.Analyzer{},
		analyzertest.Growth{Name: "packages", Path: status, Data: func(n int) string {
			return analyzertest.Lines(n/5, "Package: p%[1]d\nVersion: 1\nDepends: p0, p%[1]d\nStatus: install ok installed\n\n")
		}},
		analyzertest.Growth{Name: "one package", Path: status, Data: func(n int) string { return strings.Repeat(busybox, n/6) }},
		analyzertest.Growth{Name: "dependencies", Path: status, Data: func(n int) string {
			return "Package: p\nVersion: 1\nStatus: install ok installed\nDepends: " + analyzertest.Lines(n, "a%d | b,\n ") + "\n"
		}},
		analyzertest.Growth{Name: "files", Path: list, Data: func(n int) string { return analyzertest.Lines(n, "/usr/share/%d\n") }},
	)
}

// TestLimits: what is too much is an error, and what was read before it is kept.
func TestLimits(t *testing.T) {
	for name, h := range map[string]struct{ path, data string }{
		"packages": {status, analyzertest.Lines(30_001, "Package: p%d\nVersion: 1\nStatus: a\n\n")},
		"files":    {list, strings.Repeat("/a\n", 300_001)},
	} {
		facts, err := opkg.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(h.path, []byte(h.data)))
		if !errors.Is(err, fault.Limit) || len(facts) == 0 {
			t.Errorf("%s: %d facts, error %v; want a limit", name, len(facts), err)
		}
	}
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, opkg.Analyzer{},
		analyzertest.Hostile{Name: "a large control file", Path: control, Data: "Package: p\n" + strings.Repeat(" x\n", 1<<19), Want: fault.Limit},
		analyzertest.Hostile{Name: "bars and commas", Path: status, Data: "Package: p\nVersion: 1\nStatus: a\nDepends: " + strings.Repeat("|,", 100_000)},
		analyzertest.Hostile{Name: "empty status", Path: status},
	)
}

func Example() {
	facts, err := opkg.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(status, []byte(busybox)))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(facts[0].Package.Name, facts[0].Package.Version, "needs", facts[0].DependsOn)
	// Output: busybox 1.36.1-r2 needs [libc]
}
