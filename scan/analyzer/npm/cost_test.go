//go:build unix

package npm

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stella-ops/stella/scan/analyzer"
)

// TestCost checks that processor time grows with the size of the input and not
// with its square: sixteen times the input would then cost 256 times the time.
// It may cost eighty, which leaves room for the caches.
func TestCost(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	tests := []struct {
		name, path string
		data       func(n int) string
	}{
		{"manifest", "package.json", func(n int) string {
			return `{"name":"a","version":"1.0.0","dependencies":{` + many(n, `"d%[1]d":"*",`) + `"z":"*"}}`
		}},
		{"folders", "package-lock.json", func(n int) string {
			return `{"packages":{` + many(n/10, `"node_modules/a%[1]d":{"version":"1.0.%[1]d","dependencies":{"a0":"*","b%[1]d":"*"}},`) + `"":{}}}`
		}},
		{"one deep folder", "package-lock.json", func(n int) string {
			return `{"packages":{"` + strings.Repeat("node_modules/x/", 200) + `node_modules/a":{"version":"1.0.0","dependencies":{` + many(n, `"d%[1]d":"*",`) + `"z":"*"}}}}`
		}},
		{"long names in a tree", "package-lock.json", func(n int) string {
			return strings.Repeat(`{"dependencies":{"`+strings.Repeat("a", n/20)+`":`, 200)
		}},
		{"tree", "package-lock.json", func(n int) string {
			return `{"dependencies":{` + many(n/10, `"a%[1]d":{"version":"1.0.0","requires":{"a0":"*"},"dependencies":{"b":{"version":"2.0.%[1]d"}}},`) + `"z":{}}}`
		}},
		{"snapshots", "pnpm-lock.yaml", func(n int) string {
			return "lockfileVersion: '9.0'\npackages:\n" + many(n/20, "  a%[1]d@1.0.0:\n    resolution: {integrity: x}\n") +
				"snapshots:\n" + many(n/20, "  a%[1]d@1.0.0(b@%[1]d):\n    dependencies:\n      a0: 1.0.0(b@0)\n      c: d@1.0.0\n")
		}},
		{"YAML of another shape", "pnpm-lock.yaml", func(n int) string {
			return "lockfileVersion: &v '9.0'\npackages:\n" + many(n/40, "  a%[1]d@1.0.0:\n    resolution: {integrity: x}\n")
		}},
		{"requests", "yarn.lock", func(n int) string {
			return many(n/10, "\"a@^%[1]d\", a@%[1]d:\n  version \"1.0.%[1]d\"\n  dependencies:\n    a \"^0\"\n")
		}},
		{"one long line", "yarn.lock", func(n int) string { return many(n, "a@^%[1]d, ") + "b@1:\n  version \"1.0.0\"\n" }},
		{"resolutions", "yarn.lock", func(n int) string {
			return "__metadata:\n  version: 8\n\n" + many(n/10, "\"a@npm:^%[1]d, a@npm:%[1]d\":\n  version: 1.0.%[1]d\n  resolution: \"a@npm:1.0.%[1]d\"\n  dependencies:\n    a: ^0\n")
		}},
		{"packages", "bun.lock", func(n int) string {
			return `{"lockfileVersion":1,"packages":{` + many(n/5, `"a%[1]d":["a%[1]d@1.0.0","",{"dependencies":{"a0":"*","b":"*"}},""],`) + `}}`
		}},
		{"deep places", "bun.lock", func(n int) string {
			return `{"lockfileVersion":1,"packages":{` + many(n/40, `"`+strings.Repeat("x/", 200)+`a%[1]d":["a%[1]d@1.0.0","",{"dependencies":{"c":"*"}},""],`) + `}}`
		}},
		{"comments and commas", "bun.lock", func(n int) string {
			return `{"a":[` + many(n, "/* %[1]d */ [1 , ], // x\n") + `],"lockfileVersion":1}`
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cost := func(n int) time.Duration {
				data := []byte(tt.data(n))
				best := time.Hour
				for range 3 {
					start := processorTime(t)
					facts, _ := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(tt.path, data))
					in := &analyzer.Squashed{Resolve: func(p string) string { return p }}
					for _, f := range facts {
						in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: tt.path})
					}
					Analyzer{}.Join(in)
					best = min(best, processorTime(t)-start)
				}
				return best
			}
			const n = 2_000
			small, large := cost(n), cost(16*n)
			t.Logf("%v, %v", small, large)
			if large > 80*small && large > 50*time.Millisecond {
				t.Errorf("%v for one part, %v for sixteen", small, large)
			}
		})
	}
}

// processorTime is what this process has used: other work on the machine does
// not count.
func processorTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
