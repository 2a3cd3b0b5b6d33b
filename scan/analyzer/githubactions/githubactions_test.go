package githubactions_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/githubactions"
)

const workflow = ".github/workflows/a.yml"

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, githubactions.Analyzer{}) }

func FuzzWorkflow(f *testing.F) {
	analyzertest.Fuzz(f, githubactions.Analyzer{}, workflow,
		"jobs:\n  a:\n    steps:\n      - uses: a/b/c@0123456789012345678901234567890123456789 # v1.2\n      - &x\n        uses: docker://h:1/a/b:1@sha256:0\n      - *x\n",
		"runs:\n  image: docker://a\n  steps: [{uses: a/b}]\n")
}

func TestPaths(t *testing.T) {
	set := analyzer.NewSet(githubactions.Analyzer{})
	for path, want := range map[string]bool{
		".github/workflows/ci.yml": true, "src/x/.github/workflows/ci.yaml": true, "action.yml": true, "a/b/action.yaml": true,
		".github/workflows/sub/ci.yml": false, "x.github/workflows/ci.yml": false, ".github/ci.yml": false, "a/reaction.yml": false, "a/b.yml": false,
	} {
		if got := len(set.ByPath(nil, path)) > 0; got != want {
			t.Errorf("%s is wanted: %v", path, got)
		}
	}
}

func TestCost(t *testing.T) {
	const pin = "      - uses: a/b%[1]d@%[1]040d # v1.%[1]d\n"
	analyzertest.TestCost(t, githubactions.Analyzer{},
		analyzertest.Growth{Name: "steps", Path: workflow, Data: func(n int) string {
			return "jobs:\n  a:\n    steps:\n" + analyzertest.Lines(n/8, pin)
		}},
		analyzertest.Growth{Name: "jobs", Path: workflow, Data: func(n int) string {
			return "jobs:\n" + analyzertest.Lines(n/8, "  a%[1]d:\n    uses: a/b/c%[1]d@v1\n")
		}},
		analyzertest.Growth{Name: "one line", Path: workflow, Data: func(n int) string {
			return "jobs:\n  a:\n    steps: [" + strings.Repeat("{uses: a/b@0123456789012345678901234567890123456789},", n/8) + "{}]\n"
		}},
		analyzertest.Growth{Name: "services", Path: workflow, Data: func(n int) string {
			return "jobs:\n  a:\n    services:\n" + analyzertest.Lines(n/8, "      a%[1]d: {image: 'h.example/a:%[1]d'}\n")
		}},
	)
}

func TestHostile(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'z'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s*%c]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 8), c-1)
	}
	analyzertest.TestHostile(t, githubactions.Analyzer{},
		analyzertest.Hostile{Name: "aliases of aliases", Path: workflow, Data: bomb + "jobs: *y\n"},
		analyzertest.Hostile{Name: "nested flows", Path: workflow, Data: "jobs: " + strings.Repeat("[", 3000) + strings.Repeat("]", 3000), Want: fault.Limit},
		analyzertest.Hostile{Name: "too large", Path: workflow, Data: strings.Repeat("#", 5<<20), Want: fault.Limit},
		analyzertest.Hostile{Name: "not UTF-8", Path: workflow, Data: "jobs: \xff", Want: fault.Invalid},
		analyzertest.Hostile{Name: "no action", Path: workflow, Data: "jobs: {a: {uses: ../x@v1}}\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "an expression", Path: workflow, Data: "jobs: {a: {container: '${{ x }}'}}\n", Want: fault.Unsupported},
		analyzertest.Hostile{Name: "empty", Path: workflow},
	)
}

func Example() {
	facts, err := githubactions.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(workflow, []byte(`jobs:
  test:
    steps:
      - uses: actions/checkout@v4
      - uses: actions/cache/save@0c45773b623bea8c8e75f6c82b208c3cf94ea4f9 # v4.0.2
`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.Name, f.Package.Version, f.Package.PURL)
	}
	// Output:
	// actions/checkout v4 pkg:github/actions/checkout@v4
	// actions/cache/save v4.0.2 pkg:github/actions/cache@v4.0.2?vcs_url=git%2Bhttps:%2F%2Fgithub.com%2Factions%2Fcache%400c45773b623bea8c8e75f6c82b208c3cf94ea4f9#save
}
