package nuget_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/internal/peertest"
	"github.com/stella-ops/stella/scan/analyzer/nuget"
)

// TestPeers: numbers were counted in the files by hand.
func TestPeers(t *testing.T) {
	const parser, analyzers = "trivy-parser/pkg/dependency/parser/", "trivy-analyzer/pkg/fanal/analyzer/language/dotnet/nuget/testdata/"
	const osv = "osv-scanner/cmd/osv-scanner/scan/source/testdata/"
	peertest.Test(t, nuget.Analyzer{}, peertest.Peers{
		parser + "dotnet/core_deps/testdata/happy.deps.json":                                    {Want: "ExampleApp1@1.0.0 Newtonsoft.Json@13.0.1"},
		parser + "dotnet/core_deps/testdata/missing-target.deps.json":                           {Want: "ExampleApp1@1.0.0 Newtonsoft.Json@13.0.1"},
		parser + "dotnet/core_deps/testdata/self-contained.deps.json":                           {Want: "ExampleApp1@1.0.0 Microsoft.AspNetCore.App.Runtime.linux-x64@8.0.0 Microsoft.NETCore.App.Runtime.linux-x64@8.0.0 Newtonsoft.Json@13.0.1"},
		parser + "dotnet/core_deps/testdata/without-runtime.deps.json":                          {Want: "8"},
		parser + "nuget/lock/testdata/packages_lock_simple.json":                                {As: "packages.lock.json", Want: "Newtonsoft.Json@12.0.3 NuGet.Frameworks@5.7.0"},
		parser + "nuget/lock/testdata/packages_lock_multi.json":                                 {As: "packages.lock.json", Want: "40"},
		parser + "nuget/packagesprops/testdata/packages.props":                                  {As: "Packages.props", Want: "Microsoft.Extensions.Configuration@2.1.1 Microsoft.Extensions.DependencyInjection.Abstractions@2.2.1 Microsoft.Extensions.Http@3.2.1"},
		parser + "nuget/packagesprops/testdata/no_project.props":                                {As: "Packages.props", Want: "0 !read Packages.props: the root element is <ItemGroup>, not <Project>: invalid input"},
		parser + "nuget/packagesprops/testdata/several_item_groups":                             {As: "Packages.props", Want: "PackageOne@6.2.3 PackageThree@2.4.1 PackageTwo@6.0.0"},
		analyzers + "lock/packages.lock.json":                                                   {Want: "Newtonsoft.Json@12.0.3 NuGet.Frameworks@5.7.0"},
		analyzers + "lock-without-deps/packages.lock.json":                                      {Want: "0"},
		analyzers + "repository/.nuget/packages/newtonsoft.json/12.0.3/newtonsoft.json.nuspec":  {Want: "Newtonsoft.Json@12.0.3"},
		analyzers + "repository/.nuget/packages/newtonsoft.json/6.0.4/newtonsoft.json.nuspec":   {Want: "Newtonsoft.Json@6.0.4"},
		analyzers + "repository/.nuget/packages/nuget.frameworks/5.7.0/nuget.frameworks.nuspec": {Want: "NuGet.Frameworks@5.7.0"},
		osv + "locks-dotnet/Directory.Packages.props":                                           {Want: "System.Text.RegularExpressions@4.3.0"},
		osv + "locks-scalibr/packages.lock.json":                                                {Want: "Newtonsoft.Json@13.0.3"},
	})
}

// TestWithoutFiles: of a peer's file, which libraries have something beside it.
func TestWithoutFiles(t *testing.T) {
	const name = "pkg/dependency/parser/dotnet/core_deps/testdata/without-runtime.deps.json"
	data := testdata.Open(t, "lockfiles/trivy-parser.tar.gz")[name]
	var installed []string
	for _, f := range analyzertest.Scan(nuget.Analyzer{}, map[string][]byte{name: data}).Packages {
		if f.Package.State == "" {
			installed = append(installed, f.Package.Name)
		}
	}
	if got, want := strings.Join(installed, " "), "hello2 JsonDiffPatch Libuv"; got != want {
		t.Errorf("installed %s, want %s", got, want)
	}
}

// TestScancode compares package URLs with what ScanCode expects of its own test files. It
// also lists what a package depends on; those are ranges and no packages.
func TestScancode(t *testing.T) {
	const root = "tests/packagedcode/data/nuget/"
	files := testdata.Open(t, "lockfiles/scancode.tar.gz")
	compared := 0
	for name, expected := range files {
		file, ok := strings.CutSuffix(name, ".json.expected")
		if !ok || path.Dir(name)+"/" != root {
			continue
		}
		compared++
		r := analyzertest.Scan(nuget.Analyzer{}, map[string][]byte{file: files[file]})
		ours, theirs := r.PURLs(), peertest.ScancodePURLs(t, expected)
		for _, u := range ours {
			if !slices.Contains(theirs, u) {
				t.Errorf("%s: ours alone: %s", file, u)
			}
		}
		for _, u := range theirs {
			dependency := strings.Contains(string(files[file]), `<dependency id="`+strings.TrimPrefix(u, "pkg:nuget/")+`"`)
			if !slices.Contains(ours, u) && !dependency {
				t.Errorf("%s: theirs alone: %s", file, u)
			}
		}
	}
	if compared != 3 {
		t.Errorf("compared %d files, want 3", compared)
	}
}
