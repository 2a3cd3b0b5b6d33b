package hackage_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/hackage"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, hackage.Analyzer{}) }

func FuzzFreeze(f *testing.F) {
	analyzertest.Fuzz(f, hackage.Analyzer{}, "app/cabal.project.freeze")
}

func FuzzStack(f *testing.F) { analyzertest.Fuzz(f, hackage.Analyzer{}, "app/stack.yaml.lock") }

const conf = "ghc/package.conf.d/base-4.17.2.0.conf"

func FuzzConf(f *testing.F) { analyzertest.Fuzz(f, hackage.Analyzer{}, conf) }

const addition = "- completed:\n    hackage: d%[1]d-1.%[1]d@sha256:00,1\n"

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, hackage.Analyzer{},
		analyzertest.Growth{Name: "constraints", Path: "cabal.project.freeze", Data: func(n int) string {
			return "constraints: any.x ==1" + analyzertest.Lines(n, ",\n  any.d%[1]d ==1.%[1]d || ==2.%[1]d")
		}},
		analyzertest.Growth{Name: "comments", Path: "cabal.project.freeze", Data: func(n int) string {
			return "constraints:\n" + strings.Repeat("  -- any.x ==1,\n", n)
		}},
		analyzertest.Growth{Name: "one range", Path: "cabal.project.freeze", Data: func(n int) string {
			return "constraints: x ==1" + analyzertest.Lines(n, " || ==%d")
		}},
		analyzertest.Growth{Name: "packages", Path: "stack.yaml.lock", Data: func(n int) string {
			return "packages:\n" + analyzertest.Lines(n/2, addition)
		}},
		analyzertest.Growth{Name: "needs", Path: conf, Data: func(n int) string {
			return "name: a\nversion: 1\ndepends:\n" + analyzertest.Lines(n, "  d-%d\n")
		}},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, hackage.Analyzer{},
		analyzertest.Hostile{Name: "nested lists", Path: "stack.yaml.lock", Data: "packages: " + strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "no name", Path: "cabal.project.freeze", Data: "constraints: ==1", Want: fault.Invalid},
		analyzertest.Hostile{Name: "no version", Path: conf, Data: "name: a\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "too large", Path: conf, Data: strings.Repeat("\n", 5<<20), Want: fault.Limit},
		analyzertest.Hostile{Name: "empty", Path: "cabal.project.freeze"},
		analyzertest.Hostile{Name: "empty", Path: "stack.yaml.lock"},
	)
}

func Example() {
	facts, err := hackage.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app/cabal.project.freeze", []byte(`constraints: any.aeson ==2.1.2.1,
             aeson -cffi +ordered-keymap
`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL, f.Package.State)
	}
	// Output: pkg:hackage/aeson@2.1.2.1 declared
}
