package snap_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/snap"
)

const (
	path  = "snap/hello/42/meta/snap.yaml"
	hello = "name: hello\nversion: '2.10'\nbase: core22\narchitectures: [amd64]\n"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, snap.Analyzer{}) }

func FuzzManifest(f *testing.F) {
	analyzertest.Fuzz(f, snap.Analyzer{}, "snap/hello/42/snap/manifest.yaml")
}

func FuzzYAML(f *testing.F) { analyzertest.Fuzz(f, snap.Analyzer{}, path, hello) }

// TestCurrent: a snap runs on the revision of its base that the link leads to; without a link
// on the last one.
func TestCurrent(t *testing.T) {
	read := func(p, text string) analyzer.Located {
		facts, err := snap.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(p, []byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		return analyzer.Located{Fact: facts[0], Path: p}
	}
	in := &analyzer.Squashed{Facts: []analyzer.Located{
		read("snap/core22/1/meta/snap.yaml", "name: core22\nversion: 1\ntype: base\n"),
		read("snap/core22/2/meta/snap.yaml", "name: core22\nversion: 2\ntype: base\n"),
		read(path, hello),
	}}
	for link, want := range map[string]string{"1": "core22/1", "2": "core22/2", "": "core22/2"} {
		in.Resolve = func(p string) string {
			if link == "" {
				return p
			}
			return strings.Replace(p, "current", link, 1)
		}
		out, _ := snap.Analyzer{}.Join(in)
		if got := out[2].DependsOn; !slices.Equal(got, []string{want}) {
			t.Errorf("current is %q: needs %v, want %s", link, got, want)
		}
	}
}

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, snap.Analyzer{},
		analyzertest.Growth{Name: "applications", Path: path, Data: func(n int) string {
			return hello + "apps:\n" + analyzertest.Lines(n/2, "  a%d:\n    command: a\n")
		}},
		analyzertest.Growth{Name: "architectures", Path: path, Data: func(n int) string {
			return "name: a\narchitectures:\n" + analyzertest.Lines(n, "- a%d\n")
		}},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, snap.Analyzer{},
		analyzertest.Hostile{Name: "nested lists", Path: path, Data: hello + "a: " + strings.Repeat("[", 600) + strings.Repeat("]", 600) + "\n", Want: fault.Limit},
		analyzertest.Hostile{Name: "a large file", Path: path, Data: hello + strings.Repeat("#\n", 1<<20), Want: fault.Limit},
		analyzertest.Hostile{Name: "aliases", Path: path, Data: "a: &a [x,x]\nb: &b [*a,*a]\nname: c\n", Want: fault.Unsupported},
		analyzertest.Hostile{Name: "empty", Path: path, Want: fault.Invalid},
	)
}

func Example() {
	facts, err := snap.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(path, []byte(hello)))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(facts[0].Package.PURL, "on", facts[0].DependsOn)
	// Output: pkg:generic/snap/hello@2.10?arch=amd64 on [core22]
}
