package bottlerocket_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/bottlerocket"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	inventory = "usr/share/bottlerocket/application-inventory.json"
	sysroot   = "x86_64-bottlerocket-linux-gnu/sys-root/"
	one       = `{"Content":[{"Name":"glibc","Version":"2.40","Release":"1.br1","Epoch":"1","Architecture":"x86_64"}]}`
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, bottlerocket.Analyzer{}) }

func FuzzInventory(f *testing.F) { analyzertest.Fuzz(f, bottlerocket.Analyzer{}, inventory) }

func TestCost(t *testing.T) {
	lines := analyzertest.Lines
	analyzertest.TestCost(t, bottlerocket.Analyzer{},
		analyzertest.Growth{Name: "packages", Path: inventory, Data: func(n int) string {
			return `{"Content":[` + lines(n, `{"Name":"p%d","Version":"1"},`) + `{"Name":"z","Version":"1"}]}`
		}},
		analyzertest.Growth{Name: "no packages", Path: inventory, Data: func(n int) string { return `{"Content":[` + lines(n, `%d,`) + `0]}` }},
	)
}

func TestHostile(t *testing.T) {
	content := func(entry string) string { return `{"Content":[` + entry + `]}` }
	analyzertest.TestHostile(t, bottlerocket.Analyzer{},
		analyzertest.Hostile{Name: "empty", Path: inventory, Want: fault.Invalid},
		analyzertest.Hostile{Name: "nothing installed", Path: inventory, Data: content("")},
		analyzertest.Hostile{Name: "no content", Path: inventory, Data: `{"content":[]}`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "nested", Path: inventory, Data: `{"Content":` + strings.Repeat("[", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "no name", Path: inventory, Data: content(`{"Version":"1"}`), Want: fault.Invalid},
		analyzertest.Hostile{Name: "no version", Path: inventory, Data: content(`{"Name":"a"}`), Want: fault.Invalid},
		analyzertest.Hostile{Name: "no epoch", Path: inventory, Data: content(`{"Name":"a","Version":"1","Epoch":"-1"}`), Want: fault.Invalid},
		analyzertest.Hostile{Name: "no object", Path: inventory, Data: content(`"a"`), Want: fault.Invalid},
		analyzertest.Hostile{Name: "too many", Path: inventory, Data: content(analyzertest.Lines(30_001, `{"Name":"p%d","Version":"1"},`) + "0"), Want: fault.Limit},
		analyzertest.Hostile{Name: "cut short", Path: inventory, Data: one[:40], Want: fault.Invalid},
	)
}

// TestJoin: the version of the distribution, none, and an image that has both places.
func TestJoin(t *testing.T) {
	facts, err := bottlerocket.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(inventory, []byte(one)))
	if err != nil {
		t.Fatal(err)
	}
	at := func(paths ...string) (list []analyzer.Located) {
		for _, p := range paths {
			list = append(list, analyzer.Located{Fact: facts[0], Path: p})
		}
		return list
	}
	for _, test := range []struct {
		os    *sbom.OS
		facts []analyzer.Located
		usr   string // where usr leads
		want  string
	}{
		{&sbom.OS{ID: "bottlerocket", VersionID: "1.34.0"}, at(inventory), "usr", "[pkg:bottlerocket/glibc@2.40-1.br1?arch=x86_64&distro=bottlerocket-1.34.0&epoch=1] 0"},
		{nil, at(inventory), "usr", "[pkg:bottlerocket/glibc@2.40-1.br1?arch=x86_64&epoch=1] 1"},
		{nil, at(sysroot + inventory), sysroot + "usr", "[pkg:bottlerocket/glibc@2.40-1.br1?arch=x86_64&epoch=1] 1"},
		{nil, at(sysroot + inventory), "usr", "[pkg:bottlerocket/glibc@2.40-1.br1?arch=x86_64&epoch=1] 1"},
		{nil, at(inventory, sysroot+inventory), "usr", "[pkg:bottlerocket/glibc@2.40-1.br1?arch=x86_64&epoch=1] 1"},
		{nil, nil, "usr", "[] 0"},
	} {
		out, gaps := bottlerocket.Analyzer{}.Join(&analyzer.Squashed{OS: test.os, Facts: test.facts,
			Resolve: func(p string) string { return test.usr + strings.TrimPrefix(p, "usr") }})
		var urls []string
		for _, f := range out {
			urls = append(urls, f.Package.PURL.String())
		}
		if got := fmt.Sprint(urls, len(gaps)); got != test.want {
			t.Errorf("%v: %s, want %s", test.facts, got, test.want)
		}
	}
}

func ExampleAnalyzer() {
	facts, err := bottlerocket.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(inventory, []byte(`{"Content": [
  {"Name": "systemd", "Publisher": "bottlerocket-core-kit", "Version": "252.22", "Release": "1.br1", "Epoch": "0", "Architecture": "x86_64"}
]}`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.Name, f.Package.Version, f.Package.Arch)
	}
	// Output: systemd 252.22-1.br1 x86_64
}
