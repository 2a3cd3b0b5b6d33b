package julia_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/internal/peertest"
	"github.com/stella-ops/stella/scan/analyzer/julia"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, julia.Analyzer{}) }

func FuzzManifest(f *testing.F) { analyzertest.Fuzz(f, julia.Analyzer{}, "app/Manifest.toml") }

const installed = "root/.julia/packages/JSON/93Ea8/Project.toml"

func FuzzProject(f *testing.F) { analyzertest.Fuzz(f, julia.Analyzer{}, installed) }

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, julia.Analyzer{},
		analyzertest.Growth{Name: "packages", Path: "Manifest.toml", Data: func(n int) string {
			return "manifest_format = \"2.0\"\n" + analyzertest.Lines(n/4, "[[deps.D%[1]d]]\nuuid = \"ade2ca70-3891-5945-98fb-%012[1]d\"\nversion = \"1.%[1]d\"\ndeps = [\"D0\", \"D%[1]d\"]\n")
		}},
		analyzertest.Growth{Name: "packages of one name", Path: "Manifest.toml", Data: func(n int) string {
			return analyzertest.Lines(n/4, "[[D]]\nuuid = \"ade2ca70-3891-5945-98fb-%012d\"\n[D.deps]\nE = \"ade2ca70-3891-5945-98fb-000000000000\"\n")
		}},
		analyzertest.Growth{Name: "needs", Path: "Manifest.toml", Data: func(n int) string {
			return "[[D]]\nuuid = \"ade2ca70-3891-5945-98fb-000000000000\"\n[D.deps]\n" + analyzertest.Lines(n, "E%[1]d = \"ade2ca70-3891-5945-98fb-%012[1]d\"\n")
		}},
		analyzertest.Growth{Name: "authors", Path: installed, Data: func(n int) string {
			return "name = \"A\"\nuuid = \"ade2ca70-3891-5945-98fb-000000000000\"\nauthors = [" + analyzertest.Lines(n, "\"a%d\",\n") + "]\n"
		}},
	)
}

func TestHostile(t *testing.T) {
	same := analyzertest.Lines(2100, "[[D]]\nuuid = \"ade2ca70-3891-5945-98fb-%012d\"\n")
	analyzertest.TestHostile(t, julia.Analyzer{},
		analyzertest.Hostile{Name: "nested arrays", Path: "Manifest.toml", Data: "a = " + strings.Repeat("[", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "one name many times", Path: "Manifest.toml", Want: fault.Limit,
			Data: same + "[[E]]\nuuid = \"bde2ca70-3891-5945-98fb-000000000000\"\ndeps = [" + strings.Repeat(`"D",`, 1000) + "]\n"},
		analyzertest.Hostile{Name: "not a UUID", Path: "Manifest.toml", Data: "[[D]]\nuuid = \"ade2ca70-3891-5945-98fb-00000000000g\"\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "no UUID", Path: installed, Data: "name = \"D\"\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "too large", Path: installed, Data: strings.Repeat("#\n", 1<<20), Want: fault.Limit},
		analyzertest.Hostile{Name: "empty", Path: "Manifest.toml"},
	)
}

// TestPaths: which files are read. In a depot these are the packages themselves.
func TestPaths(t *testing.T) {
	set := analyzer.NewSet(julia.Analyzer{})
	var got []string
	for _, file := range []string{
		"Manifest.toml", "app/JuliaManifest.toml", "app/Manifest-v1.11.toml", "app/JuliaManifest-v1.2.3.toml", "app/Manifest-v.toml", "app/Manifest-vx.toml", "app/Project.toml", "app/manifest.toml",
		"root/.julia/packages/A/words/Project.toml", "opt/depot/packages/A/aB3de/Project.toml", "opt/depot/packages/A/aB3de/JuliaProject.toml", "opt/depot/packages/A/aB3de/test/Project.toml",
		"opt/depot/packages/A/aB3de/Manifest.toml", "root/.julia/packages/A/words/docs/Manifest.toml", "repo/packages/app/tests/Manifest.toml", "root/.julia/environments/v1.10/Manifest.toml",
	} {
		if len(set.ByPath(nil, file)) > 0 {
			got = append(got, file)
		}
	}
	want := []string{
		"Manifest.toml", "app/JuliaManifest.toml", "app/Manifest-v1.11.toml", "app/JuliaManifest-v1.2.3.toml",
		"root/.julia/packages/A/words/Project.toml", "opt/depot/packages/A/aB3de/Project.toml", "opt/depot/packages/A/aB3de/JuliaProject.toml",
		"repo/packages/app/tests/Manifest.toml", "root/.julia/environments/v1.10/Manifest.toml",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPeers: checked by hand. Packages of the standard library have the version that the
// manifest gives them, which is none in these.
func TestPeers(t *testing.T) {
	const parser, analyzers = "trivy-parser/pkg/dependency/parser/julia/manifest/testdata/", "trivy-analyzer/pkg/fanal/analyzer/language/julia/pkg/testdata/"
	peertest.Test(t, julia.Analyzer{}, peertest.Peers{
		parser + "primary/Manifest_v1.6.toml":         {As: "Manifest.toml", Want: "Dates@ JSON@0.21.4 Mmap@ Parsers@2.4.2 Printf@ Unicode@"},
		parser + "no_deps_v1.6/Manifest.toml":         {As: "Manifest.toml", Want: "0"},
		parser + "no_deps_v1.9/Manifest.toml":         {As: "Manifest.toml", Want: "0"},
		analyzers + "shadowed_dep_v1.9/Manifest.toml": {Want: "A@ B@"},
	})
}

func Example() {
	facts, err := julia.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app/Manifest.toml", []byte(`julia_version = "1.9.0"
manifest_format = "2.0"

[[deps.JSON]]
git-tree-sha1 = "31e996f0a15c7b280ba9f76636b3ff9e2ae58c9a"
uuid = "682c06a0-de6a-54ab-a142-c8b1cf79cde6"
version = "0.21.4"
`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL, f.Package.State)
	}
	// Output: pkg:julia/JSON@0.21.4?uuid=682c06a0-de6a-54ab-a142-c8b1cf79cde6 declared
}
