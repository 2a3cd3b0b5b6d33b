package gomod_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/gomod"
	"github.com/stella-ops/stella/scan/analyzer/internal/peertest"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, gomod.Analyzer{}) }

func FuzzMod(f *testing.F)      { analyzertest.Fuzz(f, gomod.Analyzer{}, "app/go.mod") }
func FuzzVendored(f *testing.F) { analyzertest.Fuzz(f, gomod.Analyzer{}, "app/vendor/modules.txt") }

// FuzzSum: what go.sum says beside a go.mod that does not name all.
func FuzzSum(f *testing.F) {
	f.Add([]byte("a.example/b v1.0.0 h1:x\na.example/b v1.0.1 h1:y\na.example/b v1.0.1/go.mod h1:z\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		analyzertest.Check(t, gomod.Analyzer{}, "app/go.sum", data)
		r := analyzertest.Scan(gomod.Analyzer{}, map[string][]byte{"go.mod": []byte("module m\nrequire a.example/b v1.0.0\n"), "go.sum": data})
		for i, p := range r.Packages {
			for _, q := range r.Packages[:i] {
				if p.Package.Name == q.Package.Name {
					t.Fatalf("%s at two versions", p.Package.Name)
				}
			}
		}
	})
}

func TestCost(t *testing.T) {
	lines := analyzertest.Lines
	analyzertest.TestCost(t, gomod.Analyzer{},
		analyzertest.Growth{Name: "requirements", Path: "go.mod", Data: func(n int) string {
			return "module m\ngo 1.20\nrequire (\n" + lines(n, "\ta.example/m%d v1.0.0 // indirect\n") + ")\n"
		}},
		analyzertest.Growth{Name: "replacements", Path: "go.mod", Data: func(n int) string {
			return "module m\n" + lines(n/2, "require a.example/m%[1]d v1.0.0\nreplace a.example/m%[1]d => ./x\n")
		}},
		analyzertest.Growth{Name: "one module", Path: "go.mod", Data: func(n int) string {
			return "module m\n" + lines(n, "require a.example/m v1.0.%d\n")
		}},
		analyzertest.Growth{Name: "hashes", Path: "go.sum", Data: func(n int) string { return lines(n, "a.example/m%d v1.0.0 h1:x\n") }},
		analyzertest.Growth{Name: "modules", Path: "vendor/modules.txt", Data: func(n int) string {
			return lines(n/2, "# a.example/m%[1]d v1.0.0\na.example/m%[1]d/p\n")
		}},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, gomod.Analyzer{},
		analyzertest.Hostile{Name: "empty", Path: "go.mod"},
		analyzertest.Hostile{Name: "an open block", Path: "go.mod", Data: "require (\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "nested blocks", Path: "go.mod", Data: strings.Repeat("require (\n", 100_000), Want: fault.Invalid},
		analyzertest.Hostile{Name: "a branch for a version", Path: "go.mod", Data: "module m\nrequire a.example/b main\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "errors on every line", Path: "go.mod", Data: strings.Repeat("require a b c d\n", 100_000), Want: fault.Invalid},
		analyzertest.Hostile{Name: "bytes that are no text", Path: "go.mod", Data: "module \xff\n"},
		analyzertest.Hostile{Name: "no hash", Path: "go.sum", Data: "a.example/b v1.0.0\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "too many hashes", Path: "go.sum", Data: strings.Repeat("a v1.0.0 h1:x\n", 100_001), Want: fault.Limit},
		analyzertest.Hostile{Name: "no version", Path: "vendor/modules.txt", Data: "# a.example/b\na.example/b/c\n", Want: fault.Invalid},
	)
}

// TestPlaces: what a dependency asks for is not what is built.
func TestPlaces(t *testing.T) {
	for path, want := range map[string]int{
		"srv/app/go.mod": 2, "go.mod": 2, "root/go/pkg/mod/a.example/b@v1.0.0/go.mod": 0, "srv/app/vendor/a.example/b/go.mod": 0,
		"srv/app/go.mod.bak": 0, "srv/modules.txt": 0, "root/go/pkg/mod/a.example/b@v1.0.0/vendor/modules.txt": 0,
	} {
		r := analyzertest.Scan(gomod.Analyzer{}, map[string][]byte{path: []byte("module m\nrequire a.example/b v1.0.0\n")})
		if len(r.Packages) != want || len(r.Errors) != 0 {
			t.Errorf("%s: %v %v", path, r.Names(), r.Errors)
		}
	}
}

// TestPeers: names and versions were checked by hand.
func TestPeers(t *testing.T) {
	peertest.Test(t, gomod.Analyzer{}, peertest.Peers{
		"trivy-parser/pkg/dependency/parser/golang/mod/testdata/go116/go.mod":                                {Want: "github.com/aquasecurity/go-dep-parser@v0.0.0-20211224170007-df43bca6b6ff github.com/org/repo@ gopkg.in/yaml.v3@v3.0.0-20210107192922-496545a6307b stdlib@"},
		"trivy-parser/pkg/dependency/parser/golang/mod/testdata/replaced/go.mod":                             {Want: "github.com/aquasecurity/go-dep-parser@v0.0.0-20220406074731-71021a481237 github.com/org/repo@ golang.org/x/xerrors@v0.0.0-20200804184101-5ec99f83aff1 stdlib@"},
		"trivy-parser/pkg/dependency/parser/golang/mod/testdata/replaced-with-version-mismatch/go.mod":       {Want: "github.com/aquasecurity/go-dep-parser@v0.0.0-20211224170007-df43bca6b6ff github.com/org/repo@ golang.org/x/xerrors@v0.0.0-20200804184101-5ec99f83aff1 gopkg.in/yaml.v3@v3.0.0-20210107192922-496545a6307b stdlib@"},
		"trivy-parser/pkg/dependency/parser/golang/mod/testdata/replaced-with-local-path-and-version/go.mod": {Want: "github.com/aquasecurity/go-dep-parser@v0.0.0-20211224170007-df43bca6b6ff github.com/org/repo@ golang.org/x/xerrors@ gopkg.in/yaml.v3@v3.0.0-20210107192922-496545a6307b stdlib@"},
		"trivy-analyzer/integration/testdata/fixtures/repo/gomod/go.mod":                                     {Want: "20"},
		"scancode/tests/packagedcode/data/golang/gomod/kingpin/go.mod":                                       {Want: "7"},
		"scancode/tests/packagedcode/data/golang/gomod/sample/go.mod":                                        {Want: "github.com/alecthomas/sample@ github.com/davecgh/go-spew@v1.1.1 github.com/stretchr/testify@v1.4.0 stdlib@"},
		"scancode/tests/packagedcode/data/golang/gomod/uap-go/go.mod":                                        {Want: "github.com/ua-parser/uap-go@ gopkg.in/yaml.v2@v2.2.1"},
	})
}

func ExampleAnalyzer() {
	f := analyzer.NewMemoryFile("app/go.mod", []byte("module example.com/app\nrequire golang.org/x/text v0.3.0\nreplace golang.org/x/text => golang.org/x/text v0.14.0\n"))
	facts, err := gomod.Analyzer{}.Extract(context.Background(), f)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		if f.Package != nil {
			fmt.Println(f.Package.PURL, f.Package.State, f.DependsOn)
		}
	}
	// Output:
	// pkg:golang/golang.org/x/text@v0.14.0 declared []
	// pkg:golang/example.com/app declared [golang.org/x/text]
}
