package deno_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/deno"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, deno.Analyzer{}) }

func FuzzLock(f *testing.F) { analyzertest.Fuzz(f, deno.Analyzer{}, "app/deno.lock") }

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, deno.Analyzer{},
		analyzertest.Growth{Name: "npm", Path: "deno.lock", Data: func(n int) string {
			return `{"version":"5","npm":{` + analyzertest.Lines(n/2, `"d%[1]d@1.0.%[1]d":{"integrity":"","dependencies":["d0"]},`) + `"z@1":{}}}`
		}},
		analyzertest.Growth{Name: "jsr", Path: "deno.lock", Data: func(n int) string {
			return `{"version":"4","specifiers":{` + analyzertest.Lines(n/2, `"jsr:@a/d%[1]d@^1":"1.0.%[1]d",`) + `"z":"1"},"jsr":{` +
				analyzertest.Lines(n/2, `"@a/d%[1]d@1.0.%[1]d":{"dependencies":["jsr:@a/d0@^1"]},`) + `"z@1":{}}}`
		}},
		analyzertest.Growth{Name: "addresses", Path: "deno.lock", Data: func(n int) string {
			return `{"version":"3","remote":{` + analyzertest.Lines(n/4, `"https://deno.land/x/a%[1]d@v1.0.0/mod.ts":"00","https://deno.land/x/b@v1/%[1]d.ts":"00",`) + `"https://z":""}}`
		}},
		analyzertest.Growth{Name: "one long address", Path: "deno.lock", Data: func(n int) string {
			return `{"https://a/` + strings.Repeat("a/", n) + `b":""}`
		}},
	)
}

func TestHostile(t *testing.T) {
	many := analyzertest.Lines(2100, `"a@%d":{},`)
	analyzertest.TestHostile(t, deno.Analyzer{},
		analyzertest.Hostile{Name: "nested objects", Path: "deno.lock", Data: strings.Repeat(`{"packages":`, 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "one name many times", Path: "deno.lock", Want: fault.Limit,
			Data: `{"npm":{` + many + `"b@1":{"dependencies":[` + strings.Repeat(`"a",`, 1000) + `"a"]}}}`},
		analyzertest.Hostile{Name: "no name", Path: "deno.lock", Data: `{"npm":{"":{}}}`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "no object", Path: "deno.lock", Data: `[]`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "a new version", Path: "deno.lock", Data: `{"version":"6"}`, Want: fault.Unsupported},
		analyzertest.Hostile{Name: "empty", Path: "deno.lock", Data: `{}`},
	)
}

func Example() {
	facts, err := deno.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app/deno.lock", []byte(`{
  "version": "5",
  "specifiers": {"jsr:@std/path@^1.0.0": "1.0.8", "npm:chalk@5": "5.3.0"},
  "jsr": {"@std/path@1.0.8": {"integrity": "aa"}},
  "npm": {"chalk@5.3.0": {"integrity": "sha512-x"}}
}`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Printf("%s %q\n", f.Key, f.Package.PURL)
	}
	// Output:
	// jsr:@std/path@1.0.8 ""
	// npm:chalk@5.3.0 "pkg:npm/chalk@5.3.0"
}
