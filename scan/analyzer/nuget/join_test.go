package nuget_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/nuget"
)

// depsOf writes a deps.json of one package and what it has at run time.
func depsOf(library, kind string, members ...string) []byte {
	return []byte(`{"runtimeTarget": {"name": "t"}, "targets": {"t": {"` + library + `": {` + strings.Join(members, ",") + `}}}, "libraries": {"` + library + `": {"type": "` + kind + `"}}}`)
}

// TestJoin: an assembly that something accounts for is no package.
func TestJoin(t *testing.T) {
	dll := func(name, version string) []byte {
		return []byte(forged{name: name, version: [4]uint16{9}, texts: []string{"ProductVersion", version}, machine: 0x8664 ^ 0x7b79}.file())
	}
	json := depsOf("Newtonsoft.Json/13.0.3", "package", `"runtime": {"lib/net6.0/Newtonsoft.Json.dll": {}}`, `"compile": {"ref/net6.0/Api.dll": {}}`, `"runtimeTargets": {"runtimes/unix/lib/net6.0/Unix.dll": {}}`)
	tests := []struct {
		name  string
		files map[string][]byte
		want  []string // packages with their path
	}{
		{"alone", map[string][]byte{"opt/Newtonsoft.Json.dll": dll("Newtonsoft.Json", "12.0.1+abc")}, []string{"opt/Newtonsoft.Json.dll pkg:nuget/Newtonsoft.Json@12.0.1"}},
		{"published", map[string][]byte{"app/a.deps.json": json, "app/Newtonsoft.Json.dll": dll("Newtonsoft.Json", "13.0.3"), "app/refs/Api.dll": dll("Api", "1"), "app/runtimes/unix/lib/net6.0/Unix.dll": dll("Unix", "1")},
			[]string{"app/a.deps.json pkg:nuget/Newtonsoft.Json@13.0.3"}},
		{"elsewhere", map[string][]byte{"app/a.deps.json": json, "app/plugins/Newtonsoft.Json.dll": dll("Newtonsoft.Json", "9.0.1")},
			[]string{"app/a.deps.json pkg:nuget/Newtonsoft.Json@13.0.3", "app/plugins/Newtonsoft.Json.dll pkg:nuget/Newtonsoft.Json@9.0.1"}},
		{"climbing", map[string][]byte{"app/a.deps.json": depsOf("A/1.0.0", "package", `"runtime": {"../lib/B.dll": {}}`), "lib/B.dll": dll("B", "2.0.0")},
			[]string{"app/a.deps.json pkg:nuget/A@1.0.0", "lib/B.dll pkg:nuget/B@2.0.0"}},
		{"by its file", map[string][]byte{"app/a.deps.json": depsOf("Vendor.Reference/2.0.0.0", "reference", `"runtime": {"Vendor.dll": {}}`), "app/Vendor.dll": dll("Vendor", "2.0.7")},
			[]string{"app/a.deps.json pkg:nuget/Vendor@2.0.7"}},
		{"cache", map[string][]byte{"c/a/1.0.0/a.nuspec": []byte("<package><metadata><id>A</id><version>1.0.0</version></metadata></package>"), "c/a/1.0.0/lib/net8.0/A.dll": dll("A", "1.0.0+x"), "c/a/1.0.1/lib/A.dll": dll("A", "1.0.1")},
			[]string{"c/a/1.0.0/a.nuspec pkg:nuget/A@1.0.0", "c/a/1.0.1/lib/A.dll pkg:nuget/A@1.0.1"}},
		{"framework", map[string][]byte{
			"dotnet/shared/Microsoft.NETCore.App/8.0.11/Microsoft.NETCore.App.deps.json": depsOf("Microsoft.NETCore.App.Runtime.linux-musl-x64/8.0.11", "package", `"runtime": {"System.Runtime.dll": {}}`),
			"dotnet/shared/Microsoft.NETCore.App/8.0.11/System.Runtime.dll":              dll("System.Runtime", "8.0.11"),
			"dotnet/shared/Microsoft.NETCore.App/8.0.11/Extra.dll":                       dll("Extra", "8.0.11"),
			"dotnet/shared/Microsoft.AspNetCore.App/8.0.10/A.dll":                        dll("A", "8.0.10"),
			"dotnet/shared/Microsoft.AspNetCore.App/8.0.10/B.dll":                        dll("B", "8.0.10"),
			"dotnet/shared/Other/8.0.10/C.dll":                                           dll("C", "8.0.10"),
		}, []string{
			"dotnet/shared/Microsoft.NETCore.App/8.0.11/Microsoft.NETCore.App.deps.json pkg:nuget/Microsoft.NETCore.App.Runtime.linux-musl-x64@8.0.11",
			"dotnet/shared/Microsoft.AspNetCore.App/8.0.10/A.dll pkg:nuget/Microsoft.AspNetCore.App.Runtime.linux-x64@8.0.10",
			"dotnet/shared/Microsoft.NETCore.App/8.0.11/Extra.dll pkg:nuget/Extra@8.0.11",
			"dotnet/shared/Other/8.0.10/C.dll pkg:nuget/C@8.0.10",
		}},
		{"packs", map[string][]byte{"dotnet/packs/Microsoft.NETCore.App.Ref/8.0.11/ref/net8.0/System.Runtime.dll": dll("System.Runtime", "8.0.11"), "dotnet/packs/Microsoft.NETCore.App.Ref/8.0.11/ref/net8.0/System.dll": dll("System", "8.0.11"), "x/packs/my.music/1.0/A.dll": dll("A", "1.0.0")},
			[]string{"dotnet/packs/Microsoft.NETCore.App.Ref/8.0.11/ref/net8.0/System.Runtime.dll pkg:nuget/Microsoft.NETCore.App.Ref@8.0.11", "x/packs/my.music/1.0/A.dll pkg:nuget/A@1.0.0"}},
	}
	for _, tt := range tests {
		r := analyzertest.Scan(nuget.Analyzer{}, tt.files)
		var got []string
		for _, f := range r.Packages {
			got = append(got, f.Path+" "+f.Package.PURL.String())
			if len(f.Provides) > 0 {
				t.Errorf("%s: %s provides %v", tt.name, f.Key, f.Provides)
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || len(r.Errors) > 0 || len(r.Gaps) > 0 {
			t.Errorf("%s: %v %v (-want +got):\n%s", tt.name, r.Errors, r.Gaps, diff)
		}
	}
}
