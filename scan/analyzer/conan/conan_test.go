package conan_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/conan"
	"github.com/stella-ops/stella/scan/analyzer/internal/peertest"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, conan.Analyzer{}) }

func FuzzLock(f *testing.F) { analyzertest.Fuzz(f, conan.Analyzer{}, "app/conan.lock") }

func FuzzConanfile(f *testing.F) { analyzertest.Fuzz(f, conan.Analyzer{}, "app/conanfile.txt") }

const info = "root/.conan/data/zlib/1.2.13/_/_/package/6af9/conaninfo.txt"

func FuzzInfo(f *testing.F) { analyzertest.Fuzz(f, conan.Analyzer{}, info) }

// node is one of a graph, which ends with another one without a comma.
const node = `"%[1]d": {"ref": "d%[1]d/1.0", "requires": ["%[1]d", "0"], "build_requires": ["1"]},`

func graph(nodes string) string {
	return `{"graph_lock": {"nodes": {` + nodes + `"x": {"path": "conanfile.txt", "requires": ["0"]}}}}`
}

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, conan.Analyzer{},
		analyzertest.Growth{Name: "nodes", Path: "conan.lock", Data: func(n int) string { return graph(analyzertest.Lines(n, node)) }},
		analyzertest.Growth{Name: "a chain", Path: "conan.lock", Data: func(n int) string {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, `"%d": {"ref": "d%[1]d/1", "requires": {"d": "%[2]d"}},`, i, i+1)
			}
			return graph(b.String())
		}},
		analyzertest.Growth{Name: "nodes of one package", Path: "conan.lock", Data: func(n int) string {
			return graph(analyzertest.Lines(n, `"%d": {"ref": "a/1", "python_requires": ["b/1"]},`))
		}},
		analyzertest.Growth{Name: "lists", Path: "conan.lock", Data: func(n int) string {
			return `{"requires": [` + analyzertest.Lines(n, `"d%d/1.0#aa%%1.5",`) + `"x/1"]}`
		}},
		analyzertest.Growth{Name: "requirements", Path: "conanfile.txt", Data: func(n int) string {
			return "[requires]\n" + analyzertest.Lines(n, "d%[1]d/1.%[1]d\n")
		}},
		analyzertest.Growth{Name: "one range", Path: "conanfile.txt", Data: func(n int) string {
			return "[requires]\na/[" + analyzertest.Lines(n, ">%d ") + "]\n"
		}},
		analyzertest.Growth{Name: "needs", Path: info, Data: func(n int) string {
			return "[full_requires]\n" + analyzertest.Lines(n, "d%d/1:aa\n")
		}},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, conan.Analyzer{},
		analyzertest.Hostile{Name: "nested arrays", Path: "conan.lock", Data: `{"requires": ` + strings.Repeat("[", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "too many nodes", Path: "conan.lock", Data: graph(analyzertest.Lines(100_001, `"%d":{},`)), Want: fault.Limit},
		analyzertest.Hostile{Name: "a circle", Path: "conan.lock", Data: `{"graph_lock":{"nodes":{"1":{"ref":"a/1","requires":["2"]},"2":{"ref":"b/1","requires":["1"]}}}}`},
		analyzertest.Hostile{Name: "no reference", Path: "conan.lock", Data: `{"requires":["/"]}`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "no object", Path: "conan.lock", Data: `1`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "empty", Path: "conan.lock", Want: fault.Invalid},
		analyzertest.Hostile{Name: "empty text", Path: "conanfile.txt"},
		analyzertest.Hostile{Name: "a range of nothing", Path: "conanfile.txt", Data: "[requires]\n/[]\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "too large", Path: "conanfile.txt", Data: strings.Repeat("#\n", 1<<20), Want: fault.Limit},
	)
}

// TestPeers: checked by hand. The wrong reference is wrong for Conan, too.
func TestPeers(t *testing.T) {
	const parser, analyzers = "trivy-parser/pkg/dependency/parser/c/conan/testdata/", "trivy-analyzer/pkg/fanal/analyzer/language/c/conan/testdata/"
	peertest.Test(t, conan.Analyzer{}, peertest.Peers{
		parser + "happy_v2.lock":       {As: "conan.lock", Want: "autoconf@2.71 automake@1.16.5 matrix@1.3 sound32@1.0"},
		parser + "sad_v1.lock":         {As: "conan.lock", Want: `0 !read conan.lock: node 1: "wrong/ref/format" is not a package reference: invalid input`},
		analyzers + "happy/conan.lock": {Want: "openssl@3.0.5 zlib@1.2.12"},
		analyzers + "empty/conan.lock": {Want: "0"},
	})
}

func Example() {
	facts, err := conan.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app/conan.lock", []byte(`{
    "version": "0.5",
    "requires": ["zlib/1.3.1#f52e03ae3d251dec704634230cd806a2%1708593606.497"]
}`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL, f.Package.State)
	}
	// Output: pkg:conan/zlib@1.3.1?rrev=f52e03ae3d251dec704634230cd806a2 declared
}
