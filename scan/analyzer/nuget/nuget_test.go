package nuget_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/nuget"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, nuget.Analyzer{}) }

func FuzzDeps(f *testing.F) {
	analyzertest.Fuzz(f, nuget.Analyzer{}, "app/shop.deps.json",
		`{"runtimeTarget": "t", "targets": {"t": {"a/1": {}, "runtime.x.a/1": {"native": {"a.so": {}}}, "runtimepack.b/2": {}}}, "libraries": {"a/1": {"type": "package"}, "runtimepack.b/2": {"type": "runtimepack"}}}`,
		`{"targets": {"t": {"a/1": {"dependencies": {"B": "1"}}, "b/2": {"runtime": {"b.dll": {}}}}}, "libraries": {"shop/1": {"type": "project"}, "b/2": {"type": "reference"}, "c/3": {"type": "project"}}}`)
}

func FuzzLock(f *testing.F) { analyzertest.Fuzz(f, nuget.Analyzer{}, "app/packages.lock.json") }

func FuzzAssets(f *testing.F) { analyzertest.Fuzz(f, nuget.Analyzer{}, "obj/project.assets.json") }

func FuzzConfig(f *testing.F) { analyzertest.Fuzz(f, nuget.Analyzer{}, "web/packages.config") }

func FuzzProps(f *testing.F) { analyzertest.Fuzz(f, nuget.Analyzer{}, "src/Directory.Packages.props") }

func FuzzNuspec(f *testing.F) {
	analyzertest.Fuzz(f, nuget.Analyzer{}, "a/1.0.0/newtonsoft.json.nuspec", "<package><metadata><id>newtonsoft.json</id><version>1.0</version><license>(MIT)</license></metadata></package>")
}

func FuzzMetadata(f *testing.F) {
	analyzertest.Fuzz(f, nuget.Analyzer{}, "a/1.0.0/.nupkg.metadata")
}

func FuzzSum(f *testing.F) {
	analyzertest.Fuzz(f, nuget.Analyzer{}, "a/1.0.0/newtonsoft.json.13.0.3.nupkg.sha512")
}

func FuzzAssembly(f *testing.F) {
	a := forged{name: "A", version: [4]uint16{1, 2, 3, 4}, texts: []string{"ProductVersion", "1.0.0+x", "FileVersion", "1.0.0.0", "CompanyName", "C"}}
	b := a
	b.old, b.heaps, b.culture, b.machine = true, 7, "de", 0x14c
	analyzertest.Fuzz(f, nuget.Analyzer{}, "lib/a.dll", a.file(), b.file())
}

func TestCost(t *testing.T) {
	lines := analyzertest.Lines
	analyzertest.TestCost(t, nuget.Analyzer{},
		analyzertest.Growth{Name: "libraries", Path: "a.deps.json", Data: func(n int) string {
			return `{"targets": {"t": {` + lines(n/4, "\"A%[1]d/1.0.0\": {\"dependencies\": {\"A0\": \"1\", \"A%[1]d\": \"1\"}, \"runtime\": {\"lib/a%[1]d.dll\": {}}},\n") + `"z/1": {}}}, "libraries": {` +
				lines(n/4, "\"A%[1]d/1.0.0\": {\"type\": \"package\"},\n") + `"z/1": {"type": "project"}}}`
		}},
		analyzertest.Growth{Name: "targets", Path: "a.deps.json", Data: func(n int) string {
			return `{"targets": {` + lines(n, "\"t%[1]d\": {\"A/%[1]d\": {\"runtime\": {\"lib/a.dll\": {}}}},\n") + `"z": {}}}`
		}},
		analyzertest.Growth{Name: "platforms", Path: "a.deps.json", Data: func(n int) string {
			return `{"targets": {"t": {` + lines(n, "\"runtime.a.b.c.d.p%[1]d/1\": {\"runtime\": {\"lib/a.dll\": {}}},\n") + `"p1/1": {}}}}`
		}},
		analyzertest.Growth{Name: "one long name", Path: "a.deps.json", Data: func(n int) string {
			return `{"targets": {"t": {"runtime.` + strings.Repeat("a.", 8*n) + `z/1": {"runtime": {"lib/a.dll": {}}}}}}`
		}},
		analyzertest.Growth{Name: "frameworks", Path: "packages.lock.json", Data: func(n int) string {
			return `{"dependencies": {` + lines(n/2, "\"net%[1]d/x\": {\"A\": {\"resolved\": \"1.0.%[1]d\", \"dependencies\": {\"B\": \"1\"}}, \"B\": {\"resolved\": \"1.0.%[1]d\"}},\n") + `"z": {}}}`
		}},
		analyzertest.Growth{Name: "packages", Path: "project.assets.json", Data: func(n int) string {
			return `{"libraries": {` + lines(n, "\"A/1.0.%[1]d\": {\"type\": \"package\"},\n") + `"z/1": {}}, "project": {"restore": {"projectName": "p"}, "frameworks": {"net8.0": {"dependencies": {"a": {}}}}}}`
		}},
		analyzertest.Growth{Name: "packages", Path: "packages.config", Data: func(n int) string {
			return "<packages>" + lines(n, "<package id=\"A%[1]d\" version=\"1.0.%[1]d\"/>\n") + "</packages>"
		}},
		analyzertest.Growth{Name: "properties", Path: "Directory.Packages.props", Data: func(n int) string {
			return "<Project><PropertyGroup>" + lines(n/2, "<P%[1]d>$(P0)1</P%[1]d>\n") + "</PropertyGroup><ItemGroup>" + lines(n/2, "<PackageVersion Include=\"A%[1]d\" Version=\"$(P%[1]d).0\"/>\n") + "</ItemGroup></Project>"
		}},
		analyzertest.Growth{Name: "one long value", Path: "Directory.Packages.props", Data: func(n int) string {
			return "<Project><PropertyGroup><P>" + strings.Repeat("$(", 8*n) + "</P></PropertyGroup></Project>"
		}},
		analyzertest.Growth{Name: "names of one item", Path: "Directory.Packages.props", Data: func(n int) string {
			return "<Project><ItemGroup><PackageVersion Version=\"1.0.0\" Include=\"" + lines(n, "a%d;") + "\"/></ItemGroup></Project>"
		}},
		analyzertest.Growth{Name: "dependencies", Path: "a.nuspec", Data: func(n int) string {
			return "<package><metadata><id>A</id><version>1.0.0</version>" + lines(n/2, "<dependency id=\"A%d\"/>\n") + "</metadata></package>"
		}},
		analyzertest.Growth{Name: "one long text", Path: "a.nuspec", Data: func(n int) string {
			return "<package><metadata><id>A</id><version>1.0.0</version><description>" + strings.Repeat("&amp;<b/>", 4*n) + "</description></metadata></package>"
		}},
		analyzertest.Growth{Name: "texts", Path: "a.dll", Data: func(n int) string {
			return forged{name: "A", texts: strings.Split(strings.Repeat("k,v,", min(n/8, 2000)), ",")}.file()
		}},
	)
}

// TestJoinCost: many assemblies in deep folders.
func TestJoinCost(t *testing.T) {
	dll := []byte(forged{name: "A", version: [4]uint16{1}}.file())
	files := map[string][]byte{"c/a/1.0.0/a.nuspec": []byte("<package><metadata><id>A</id><version>1.0.0</version></metadata></package>")}
	for i := range 300 {
		files[fmt.Sprintf("%sd%d/a.dll", strings.Repeat("x/", 500), i)] = dll
	}
	if n := len(analyzertest.Scan(nuget.Analyzer{}, files).Packages); n != 301 {
		t.Errorf("%d packages", n)
	}
}

func TestHostile(t *testing.T) {
	double := "<Project><PropertyGroup><P0>ab</P0>"
	for i := range 60 {
		double += fmt.Sprintf("<P%d>$(P%d)$(P%d)</P%d>", i+1, i, i, i+1)
	}
	analyzertest.TestHostile(t, nuget.Analyzer{},
		analyzertest.Hostile{Name: "nested arrays", Path: "a.deps.json", Data: `{"targets": ` + strings.Repeat("[", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "not a list", Path: "packages.lock.json", Data: "1", Want: fault.Invalid},
		analyzertest.Hostile{Name: "empty lock", Path: "packages.lock.json", Data: "{}"},
		analyzertest.Hostile{Name: "nested elements", Path: "a.nuspec", Data: strings.Repeat("<a>", 100_000), Want: fault.Invalid},
		analyzertest.Hostile{Name: "nested metadata", Path: "a.nuspec", Data: "<package><metadata><id>" + strings.Repeat("<a>", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "entities", Path: "packages.config", Data: `<!DOCTYPE p [<!ENTITY a "&a;&a;">]><packages>&a;</packages>`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "another root", Path: "packages.config", Data: "<packages/><packages/>", Want: fault.Invalid},
		analyzertest.Hostile{Name: "doubled properties", Path: "Packages.props", Data: double + `</PropertyGroup><ItemGroup><PackageVersion Include="A" Version="$(P60)"/></ItemGroup></Project>`},
		analyzertest.Hostile{Name: "not UTF-8", Path: "packages.config", Data: "<packages><package id=\"\xff\" version=\"1\"/></packages>", Want: fault.Invalid},
		analyzertest.Hostile{Name: "large", Path: "packages.config", Data: strings.Repeat(" ", 4<<20+1), Want: fault.Limit},
		analyzertest.Hostile{Name: "large metadata", Path: ".nupkg.metadata", Data: strings.Repeat(" ", 64<<10+1), Want: fault.Limit},
		analyzertest.Hostile{Name: "empty", Path: "a.dll"},
	)
}

// TestLimits: more packages than a file can have.
func TestLimits(t *testing.T) {
	many := strings.TrimSuffix(analyzertest.Lines(100_001, "\"A/%d\": {},"), ",")
	for path, data := range map[string]string{
		"a.deps.json":        `{"targets": {"t": {` + many + `}}}`,
		"packages.lock.json": `{"dependencies": {"t": {` + many + `}}}`,
	} {
		facts, err := nuget.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(path, []byte(data)))
		if !errors.Is(err, fault.Limit) || len(facts) != 100_000 {
			t.Errorf("%s: %d facts, error %v", path, len(facts), err)
		}
	}
}

// TestEncodings: a nuspec that an editor of Windows wrote.
func TestEncodings(t *testing.T) {
	text := "<?xml version=\"1.0\" encoding=\"%s\"?><package><metadata><id>Ä𝄞</id><version>1.0</version></metadata></package>"
	wide := func(order binary.AppendByteOrder) string {
		b := order.AppendUint16(nil, 0xfeff)
		for _, u := range utf16.Encode([]rune(fmt.Sprintf(text, "utf-16"))) {
			b = order.AppendUint16(b, u)
		}
		return string(b)
	}
	latin := string(bytes.ReplaceAll([]byte(fmt.Sprintf(text, "windows-1252")), []byte("Ä𝄞"), []byte("\xc4")))
	for name, tt := range map[string]struct{ data, want string }{
		"UTF-8": {"\xef\xbb\xbf" + fmt.Sprintf(text, "utf-8"), "Ä𝄞"}, "little": {wide(binary.LittleEndian), "Ä𝄞"}, "big": {wide(binary.BigEndian), "Ä𝄞"}, "latin": {latin, "Ä"},
	} {
		facts, err := nuget.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("a.nuspec", []byte(tt.data)))
		if err != nil || len(facts) != 1 || facts[0].Package.Name != tt.want {
			t.Errorf("%s: %v, %v", name, facts, err)
		}
	}
}

func Example() {
	facts, err := nuget.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app/shop.deps.json", []byte(`{
  "runtimeTarget": {"name": ".NETCoreApp,Version=v8.0/linux-x64"},
  "targets": {".NETCoreApp,Version=v8.0/linux-x64": {
    "Newtonsoft.Json/13.0.3": {"runtime": {"lib/net6.0/Newtonsoft.Json.dll": {}}},
    "System.Net.Http/4.3.4": {},
    "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.11": {"runtime": {"System.Private.CoreLib.dll": {}}}
  }},
  "libraries": {
    "Newtonsoft.Json/13.0.3": {"type": "package"},
    "System.Net.Http/4.3.4": {"type": "package"},
    "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.11": {"type": "runtimepack"}
  }
}`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Printf("%s %q\n", f.Package.PURL, f.Package.State)
	}
	// Output:
	// pkg:nuget/Newtonsoft.Json@13.0.3 ""
	// pkg:nuget/System.Net.Http@4.3.4 "declared"
	// pkg:nuget/Microsoft.NETCore.App.Runtime.linux-x64@8.0.11 ""
}
