package gobinary

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

func TestFacts(t *testing.T) {
	got, err := buildInfo{version: "go1.22.1", modules: sampleModules}.facts("app/server")
	if err != nil {
		t.Fatal(err)
	}
	library := func(key, name, version, url string, properties ...sbom.Property) analyzer.Fact {
		u, err := purl.Parse(url)
		if err != nil {
			t.Fatal(err)
		}
		return analyzer.Fact{Kind: analyzer.KindPackage, Key: key, Package: &sbom.Package{Name: name, Version: version, PURL: u, Properties: properties}}
	}
	want := []analyzer.Fact{
		library(":main", "example.com/Team/app", "v1.5.0", "pkg:golang/example.com/team/app@v1.5.0",
			sbom.Property{Name: "go:GOOS", Value: "linux"},
			sbom.Property{Name: "go:h1", Value: "h1:AAAA="},
			sbom.Property{Name: "go:ldflags-version", Value: "v9.1.0"},
			sbom.Property{Name: "go:path", Value: "example.com/Team/app/cmd/server"},
			sbom.Property{Name: "go:vcs.modified", Value: "false"},
			sbom.Property{Name: "go:vcs.revision", Value: "0123456789abcdef"},
		),
		library(":stdlib", "stdlib", "1.22.1", "pkg:golang/stdlib@1.22.1"),
		library("example.com/Lib", "example.com/Lib", "v1.2.3", "pkg:golang/example.com/lib@v1.2.3",
			sbom.Property{Name: "go:h1", Value: "h1:BBBB="}),
		library("example.com/old", "example.com/fork/new", "v1.4.0", "pkg:golang/example.com/fork/new@v1.4.0",
			sbom.Property{Name: "go:h1", Value: "h1:CCCC="},
			sbom.Property{Name: "go:replaces", Value: "example.com/old@v1.0.0"}),
		library("example.com/patched", "example.com/patched", "", "pkg:golang/example.com/patched",
			sbom.Property{Name: "go:replaced-by", Value: "../patched"},
			sbom.Property{Name: "go:replaces", Value: "example.com/patched@v0.9.0"}),
	}
	want[0].Package.Type, want[0].Package.Arch = "application", "amd64"
	want[0].DependsOn = []string{":stdlib", "example.com/Lib", "example.com/old", "example.com/patched"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestApplicationName(t *testing.T) {
	tests := []struct{ modules, name, version, url string }{
		{"path\texample.com/a\nmod\texample.com/a\t(devel)\t\n", "example.com/a", "", "pkg:golang/example.com/a"},
		{"path\tcmd/go\n", "cmd/go", "", ""},
		{"path\tcommand-line-arguments\n", "server", "", ""},
		{"", "server", "", ""},
		{"path\ta\nmod\ta\tv0.0.0-20240101000000-abcdefabcdef+dirty\t\n", "a", "v0.0.0-20240101000000-abcdefabcdef+dirty", "pkg:golang/a@v0.0.0-20240101000000-abcdefabcdef%2Bdirty"},
	}
	for _, tt := range tests {
		facts, err := buildInfo{version: "go1.22.1", modules: tt.modules}.facts("bin/server")
		if err != nil {
			t.Fatal(err)
		}
		p := facts[0].Package
		if diff := cmp.Diff([]string{tt.name, tt.version, tt.url}, []string{p.Name, p.Version, p.PURL.String()}); diff != "" {
			t.Errorf("%q: want (-), got (+):\n%s", tt.modules, diff)
		}
	}
}

func TestStdlibVersion(t *testing.T) {
	for toolchain, want := range map[string]string{
		"go1.22.1":                             "1.22.1",
		"go1.20":                               "1.20",
		"go1.22rc1":                            "1.22.0-rc.1",
		"go1.21.0-rc2":                         "1.21.0",
		"go1.18beta2":                          "1.18.0-beta.2",
		"go1.22.5 X:boringcrypto":              "1.22.5",
		"go1.26.8-X:nodwarf5":                  "1.26.8",
		"go1.21.3 (Red Hat 1.21.3-1.el9)":      "1.21.3",
		"devel go1.23-e8ee1dc Fri Mar 1 2024":  "",
		"devel +b7a85e0003 Tue Jan 1 00:00:00": "",
		"go1":                                  "",
		"go1.2.3.4":                            "",
		"go1..2":                               "",
		"weird":                                "",
		"":                                     "",
	} {
		if got := stdlibVersion(toolchain); got != want {
			t.Errorf("stdlibVersion(%q) = %q, want %q", toolchain, got, want)
		}
		f := stdlibFact(toolchain)
		if kept := len(f.Package.Properties) == 1; kept != ("go"+want != toolchain) {
			t.Errorf("%q: properties %v", toolchain, f.Package.Properties)
		}
	}
}

func TestFlagVersion(t *testing.T) {
	for flags, want := range map[string]string{
		"-s -w -X main.version=1.2.3":                                     "1.2.3",
		"-X=main.Version=v1.2.3":                                          "v1.2.3",
		"-X 'example.com/app/internal/build.Version=v1.2.3-rc.1+build'":   "v1.2.3-rc.1+build",
		`-X "main.version=1.0" -X main.commit=abc`:                        "1.0",
		"-X main.version=1.0 -X example.com/a.Version=1.0":                "1.0",
		"-X main.version=1.0 -X example.com/kubectl.Version=1.30":         "", // which one?
		"-X main.version=dev":                                             "",
		"-X main.version=2024":                                            "",
		"-X main.password=1.2.3":                                          "",
		"-X main.version":                                                 "",
		"-X":                                                              "",
		"-X 'main.version=1.2":                                            "1.2",
		"-X main.version=1." + strings.Repeat("1", 100):                   "",
		"-extldflags '-static -X main.version=1.2.3' -X main.version=2.0": "2.0",
	} {
		if got := flagVersion(flags); got != want {
			t.Errorf("flagVersion(%q) = %q, want %q", flags, got, want)
		}
	}
}
