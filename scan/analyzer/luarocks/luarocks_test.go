package luarocks_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/luarocks"
)

const (
	tree = "usr/local/lib/luarocks/rocks-5.4/"
	spec = tree + "luasocket/3.1.0-1/luasocket-3.1.0-1.rockspec"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, luarocks.Analyzer{}) }

func FuzzRockspec(f *testing.F) { analyzertest.Fuzz(f, luarocks.Analyzer{}, spec) }
func FuzzManifest(f *testing.F) { analyzertest.Fuzz(f, luarocks.Analyzer{}, tree+"manifest") }
func FuzzLock(f *testing.F)     { analyzertest.Fuzz(f, luarocks.Analyzer{}, "app/luarocks.lock") }

func TestCost(t *testing.T) {
	lines := analyzertest.Lines
	analyzertest.TestCost(t, luarocks.Analyzer{},
		analyzertest.Growth{Name: "dependencies", Path: spec, Data: func(n int) string {
			return "dependencies = {\n" + lines(n, "'d%d >= 1',\n") + "}"
		}},
		analyzertest.Growth{Name: "joined texts", Path: spec, Data: func(n int) string {
			return "version = 'a'" + strings.Repeat(" .. 'b'", n) + "\n"
		}},
		analyzertest.Growth{Name: "comments", Path: spec, Data: func(n int) string { return lines(n, "--[==[ %d ]==] -- x\n") }},
		analyzertest.Growth{Name: "assignments", Path: spec, Data: func(n int) string { return lines(n, "a%d = {}\n") }},
		analyzertest.Growth{Name: "rocks", Path: tree + "manifest", Data: func(n int) string {
			return "repository = {\n" + lines(n, "a%[1]d = { ['1.0-%[1]d'] = { { arch = 'installed' } } },\n") + "}"
		}},
		analyzertest.Growth{Name: "rocks", Path: "luarocks.lock", Data: func(n int) string {
			return "return { dependencies = {\n" + lines(n, "a%d = '1.0-1',\n") + "} }"
		}},
	)
}

func TestHostile(t *testing.T) {
	shared := "v = {" + analyzertest.Lines(2000, "['%d'] = 1,") + "} repository = {" + analyzertest.Lines(2000, "a%d = v,") + "}"
	analyzertest.TestHostile(t, luarocks.Analyzer{},
		analyzertest.Hostile{Name: "nested tables", Path: spec, Data: "a = " + strings.Repeat("{", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "a text that doubles", Path: spec, Data: "a = 'x'\n" + strings.Repeat("a = a .. a\n", 100), Want: fault.Limit},
		analyzertest.Hostile{Name: "a shared table", Path: tree + "manifest", Data: shared, Want: fault.Limit},
		analyzertest.Hostile{Name: "values without end", Path: tree + "manifest", Data: "a = {" + strings.Repeat("1,", 600_000) + "}", Want: fault.Limit},
		analyzertest.Hostile{Name: "no package", Path: "app/a.rockspec", Data: "version = '1'", Want: fault.Invalid},
		analyzertest.Hostile{Name: "a loop", Path: "app/a.rockspec", Data: "while true do end", Want: fault.Unsupported},
		analyzertest.Hostile{Name: "no version", Path: "luarocks.lock", Data: "return { dependencies = { a = {} } }", Want: fault.Invalid},
		analyzertest.Hostile{Name: "empty", Path: "luarocks.lock"},
	)
}

func Example() {
	facts, err := luarocks.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app/luarocks.lock", []byte(`return {
   dependencies = {
      ["lua-cjson"] = "2.1.0-1",
   }
}
`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL, f.Package.State)
	}
	// Output: pkg:luarocks/lua-cjson@2.1.0-1 declared
}
