package npm

import (
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
)

func TestCost(t *testing.T) {
	many := analyzertest.Lines
	analyzertest.TestCost(t, Analyzer{},
		analyzertest.Growth{Name: "manifest", Path: "package.json", Data: func(n int) string {
			return `{"name":"a","version":"1.0.0","dependencies":{` + many(n, `"d%[1]d":"*",`) + `"z":"*"}}`
		}},
		analyzertest.Growth{Name: "folders", Path: "package-lock.json", Data: func(n int) string {
			return `{"packages":{` + many(n/10, `"node_modules/a%[1]d":{"version":"1.0.%[1]d","dependencies":{"a0":"*","b%[1]d":"*"}},`) + `"":{}}}`
		}},
		analyzertest.Growth{Name: "one deep folder", Path: "package-lock.json", Data: func(n int) string {
			return `{"packages":{"` + strings.Repeat("node_modules/x/", 200) + `node_modules/a":{"version":"1.0.0","dependencies":{` + many(n, `"d%[1]d":"*",`) + `"z":"*"}}}}`
		}},
		analyzertest.Growth{Name: "long names in a tree", Path: "package-lock.json", Data: func(n int) string {
			return strings.Repeat(`{"dependencies":{"`+strings.Repeat("a", n/20)+`":`, 200)
		}},
		analyzertest.Growth{Name: "tree", Path: "package-lock.json", Data: func(n int) string {
			return `{"dependencies":{` + many(n/10, `"a%[1]d":{"version":"1.0.0","requires":{"a0":"*"},"dependencies":{"b":{"version":"2.0.%[1]d"}}},`) + `"z":{}}}`
		}},
		analyzertest.Growth{Name: "snapshots", Path: "pnpm-lock.yaml", Data: func(n int) string {
			return "lockfileVersion: '9.0'\npackages:\n" + many(n/20, "  a%[1]d@1.0.0:\n    resolution: {integrity: x}\n") +
				"snapshots:\n" + many(n/20, "  a%[1]d@1.0.0(b@%[1]d):\n    dependencies:\n      a0: 1.0.0(b@0)\n      c: d@1.0.0\n")
		}},
		analyzertest.Growth{Name: "YAML of another shape", Path: "pnpm-lock.yaml", Data: func(n int) string {
			return "lockfileVersion: &v '9.0'\npackages:\n" + many(n/40, "  a%[1]d@1.0.0:\n    resolution: {integrity: x}\n")
		}},
		analyzertest.Growth{Name: "requests", Path: "yarn.lock", Data: func(n int) string {
			return many(n/10, "\"a@^%[1]d\", a@%[1]d:\n  version \"1.0.%[1]d\"\n  dependencies:\n    a \"^0\"\n")
		}},
		analyzertest.Growth{Name: "one long line", Path: "yarn.lock", Data: func(n int) string { return many(n, "a@^%[1]d, ") + "b@1:\n  version \"1.0.0\"\n" }},
		analyzertest.Growth{Name: "resolutions", Path: "yarn.lock", Data: func(n int) string {
			return "__metadata:\n  version: 8\n\n" + many(n/10, "\"a@npm:^%[1]d, a@npm:%[1]d\":\n  version: 1.0.%[1]d\n  resolution: \"a@npm:1.0.%[1]d\"\n  dependencies:\n    a: ^0\n")
		}},
		analyzertest.Growth{Name: "packages", Path: "bun.lock", Data: func(n int) string {
			return `{"lockfileVersion":1,"packages":{` + many(n/5, `"a%[1]d":["a%[1]d@1.0.0","",{"dependencies":{"a0":"*","b":"*"}},""],`) + `}}`
		}},
		analyzertest.Growth{Name: "deep places", Path: "bun.lock", Data: func(n int) string {
			return `{"lockfileVersion":1,"packages":{` + many(n/40, `"`+strings.Repeat("x/", 200)+`a%[1]d":["a%[1]d@1.0.0","",{"dependencies":{"c":"*"}},""],`) + `}}`
		}},
		analyzertest.Growth{Name: "comments and commas", Path: "bun.lock", Data: func(n int) string {
			return `{"a":[` + many(n, "/* %[1]d */ [1 , ], // x\n") + `],"lockfileVersion":1}`
		}},
	)
}
