package conda_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/conda"
	"github.com/stella-ops/stella/scan/analyzer/internal/peertest"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, conda.Analyzer{}) }

func FuzzMeta(f *testing.F) {
	analyzertest.Fuzz(f, conda.Analyzer{}, "opt/conda/conda-meta/a-1-0.json",
		`{"name":"a","version":"1","build":"0","channel":"https://h/c/linux-64","url":"https://h/c/linux-64/a-1-0.conda","depends":["b >=1","c"]}`)
}
func FuzzEnvironment(f *testing.F) { analyzertest.Fuzz(f, conda.Analyzer{}, "app/environment.yml") }
func FuzzCondaLock(f *testing.F)   { analyzertest.Fuzz(f, conda.Analyzer{}, "app/conda-lock.yml") }
func FuzzPixi(f *testing.F)        { analyzertest.Fuzz(f, conda.Analyzer{}, "app/pixi.lock") }
func FuzzExplicit(f *testing.F)    { analyzertest.Fuzz(f, conda.Analyzer{}, "srv/explicit.txt") }

func TestCost(t *testing.T) {
	lines := analyzertest.Lines
	const host = "https://conda.anaconda.org/conda-forge/linux-64/"
	analyzertest.TestCost(t, conda.Analyzer{},
		analyzertest.Growth{Name: "depends", Path: "conda-meta/a.json", Data: func(n int) string {
			return `{"name":"a","depends":[` + lines(n, `"d%d >=1",`) + `"z"]}`
		}},
		analyzertest.Growth{Name: "specifications", Path: "environment.yml", Data: func(n int) string {
			return "dependencies:\n" + lines(n, "- a%[1]d=1.%[1]d=b\n")
		}},
		analyzertest.Growth{Name: "one long specification", Path: "environment.yml", Data: func(n int) string {
			return "dependencies:\n- a[" + strings.Repeat("version=1,", n) + "]\n"
		}},
		analyzertest.Growth{Name: "packages", Path: "conda-lock.yml", Data: func(n int) string {
			return "version: 1\npackage:\n" + lines(n/8, "- name: a%[1]d\n  version: '1'\n  platform: linux-64\n  manager: conda\n  dependencies:\n    a0: ''\n  url: "+host+"a%[1]d-1-0.conda\n")
		}},
		analyzertest.Growth{Name: "packages", Path: "pixi.lock", Data: func(n int) string {
			return "version: 6\nenvironments:\n  default:\n    packages:\n      linux-64:\n" + lines(n/5, "      - conda: "+host+"a%[1]d-1-0.conda\n") +
				"packages:\n" + lines(n/5, "- conda: "+host+"a%[1]d-1-0.conda\n  depends:\n  - a0 >=1\n")
		}},
		analyzertest.Growth{Name: "addresses", Path: "a.txt", Data: func(n int) string {
			return "@EXPLICIT\n" + lines(n, host+"a%d-1-0.conda\n")
		}},
	)
}

func TestHostile(t *testing.T) {
	groups := analyzertest.Lines(1500, "  e%d:\n    packages:\n      p:\n      - conda: x\n")
	analyzertest.TestHostile(t, conda.Analyzer{},
		analyzertest.Hostile{Name: "nested arrays", Path: "conda-meta/a.json", Data: strings.Repeat(`{"depends":[`, 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "nested flows", Path: "environment.yml", Data: "dependencies: " + strings.Repeat("[", 2000) + strings.Repeat("]", 2000), Want: fault.Limit},
		analyzertest.Hostile{Name: "many environments", Path: "pixi.lock", Want: fault.Limit,
			Data: "version: 6\nenvironments:\n" + groups + "packages:\n- conda: x\n  name: x\n  depends:\n" + strings.Repeat("  - a\n", 1500)},
		analyzertest.Hostile{Name: "no name", Path: "conda-meta/a.json", Data: `{"version":"1"}`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "no version", Path: "conda-lock.yml", Data: "package: []\n", Want: fault.Unsupported},
		analyzertest.Hostile{Name: "an alias", Path: "environment.yml", Data: "dependencies: &a [x, *a]\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "empty", Path: "environment.yml"},
		analyzertest.Hostile{Name: "empty list", Path: "explicit.txt", Data: "@EXPLICIT\n"},
	)
}

// TestPeers: "pip" and packages of pip count too, which Trivy leaves out.
func TestPeers(t *testing.T) {
	const parser, analyzers = "trivy-parser/pkg/dependency/parser/conda/", "trivy-analyzer/pkg/fanal/analyzer/language/conda/"
	const env, meta = "app/environment.yaml", "opt/conda/conda-meta/a.json"
	peertest.Test(t, conda.Analyzer{}, peertest.Peers{
		parser + "environment/testdata/happy.yaml":                                             {As: env, Want: "17"},
		parser + "environment/testdata/invalid.yaml":                                           {As: env, Want: "0 !read app/environment.yaml: line 1: expected a mapping: invalid input"},
		parser + "environment/testdata/wrong-deps-type.yaml":                                   {As: env, Want: "0 !read app/environment.yaml: line 5: \"1\" is not a package: invalid input"},
		parser + "environment/testdata/wrong-nested-dep-type.yaml":                             {As: env, Want: "0 !read app/environment.yaml: line 6: expected a requirement of pip: invalid input"},
		parser + "meta/testdata/_libgcc_mutex-0.1-main.json":                                   {As: meta, Want: "_libgcc_mutex@0.1"},
		parser + "meta/testdata/invalid_json.json":                                             {As: meta, Want: "0 !read opt/conda/conda-meta/a.json: line 1 (byte 0): unexpected 'I': invalid input"},
		analyzers + "environment/testdata/empty.yaml":                                          {As: env, Want: "0"},
		analyzers + "environment/testdata/environment.yaml":                                    {As: env, Want: "_libgcc_mutex@ _openmp_mutex@5.1 blas@1.0 bzip2@1.0.8"},
		analyzers + "environment/testdata/environment-with-licenses.yaml":                      {As: env, Want: "_libgcc_mutex@ _openmp_mutex@5.1 blas@1.0 bzip2@1.0.8"},
		analyzers + "environment/testdata/invalid.yaml":                                        {As: env, Want: "0 !read app/environment.yaml: line 1: expected a mapping: invalid input"},
		analyzers + "meta/testdata/invalid.json":                                               {As: meta, Want: "0 !read opt/conda/conda-meta/a.json: no name: invalid input"},
		analyzers + "meta/testdata/pip-22.2.2-py38h06a4308_0.json":                             {As: meta, Want: "pip@22.2.2"},
		"trivy-analyzer/integration/testdata/fixtures/repo/conda-environment/environment.yaml": {As: env, Want: "bzip2@1.0.8"},
	})
}

func Example() {
	facts, err := conda.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("opt/conda/conda-meta/xz-5.4.6-h5eee18b_1.json", []byte(`{
  "name": "xz", "version": "5.4.6", "build": "h5eee18b_1", "subdir": "linux-64",
  "channel": "https://repo.anaconda.com/pkgs/main/linux-64"
}`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL)
	}
	// Output: pkg:conda/xz@5.4.6?build=h5eee18b_1&channel=main&subdir=linux-64
}
