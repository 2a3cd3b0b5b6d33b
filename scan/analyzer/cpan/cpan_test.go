package cpan_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/cpan"
)

const meta = "usr/local/share/perl5/.meta/A-1.0/"

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, cpan.Analyzer{}) }

func FuzzSnapshot(f *testing.F) { analyzertest.Fuzz(f, cpan.Analyzer{}, "app/cpanfile.snapshot") }
func FuzzInstall(f *testing.F)  { analyzertest.Fuzz(f, cpan.Analyzer{}, meta+"install.json") }
func FuzzMyMeta(f *testing.F)   { analyzertest.Fuzz(f, cpan.Analyzer{}, meta+"MYMETA.json") }

func TestCost(t *testing.T) {
	const head = "# carton snapshot format: version 1.0\nDISTRIBUTIONS\n"
	analyzertest.TestCost(t, cpan.Analyzer{},
		analyzertest.Growth{Name: "distributions", Path: "cpanfile.snapshot", Data: func(n int) string {
			return head + analyzertest.Lines(n/6, "  A%[1]d-1.%[1]d\n    pathname: A/AB/ABC/A%[1]d-1.%[1]d.tar.gz\n    provides:\n      A%[1]d 1.0\n    requirements:\n      A0 0\n")
		}},
		analyzertest.Growth{Name: "modules", Path: "cpanfile.snapshot", Data: func(n int) string {
			return head + "  A-1\n    provides:\n" + analyzertest.Lines(n, "      A%d 1\n")
		}},
		analyzertest.Growth{Name: "dashes", Path: "cpanfile.snapshot", Data: func(n int) string { return head + "  " + strings.Repeat("-a", n) + "\n" }},
		analyzertest.Growth{Name: "modules", Path: meta + "install.json", Data: func(n int) string {
			return `{"pathname":"A/AB/ABC/A-1.0.tar.gz","provides":{` + analyzertest.Lines(n, `"A%d":{},`) + `"Z":{}}}`
		}},
		analyzertest.Growth{Name: "prereqs", Path: meta + "MYMETA.json", Data: func(n int) string {
			return `{"name":"A","prereqs":{"runtime":{"requires":{` + analyzertest.Lines(n, `"A%d":"0",`) + `"Z":"0"}}}}`
		}},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, cpan.Analyzer{},
		analyzertest.Hostile{Name: "nested objects", Path: meta + "install.json", Data: strings.Repeat(`{"provides":`, 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "no name", Path: meta + "MYMETA.json", Data: `{}`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "no distribution", Path: "cpanfile.snapshot", Data: "DISTRIBUTIONS\n      A 1\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "another format", Path: "cpanfile.snapshot", Data: "# carton snapshot format: version 2.0\n", Want: fault.Unsupported},
		analyzertest.Hostile{Name: "empty", Path: "cpanfile.snapshot"},
	)
}

func Example() {
	facts, err := cpan.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app/cpanfile.snapshot", []byte(`# carton snapshot format: version 1.0
DISTRIBUTIONS
  Try-Tiny-0.31
    pathname: E/ET/ETHER/Try-Tiny-0.31.tar.gz
    provides:
      Try::Tiny 0.31
    requirements:
      perl 5.006
`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL, f.Package.State)
	}
	// Output: pkg:cpan/ETHER/Try-Tiny@0.31 declared
}
