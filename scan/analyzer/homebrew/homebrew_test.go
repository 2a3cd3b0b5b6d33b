package homebrew_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/homebrew"
	"github.com/stella-ops/stella/scan/sbom"
)

const (
	keg     = "home/linuxbrew/.linuxbrew/Cellar/curl/8.5.0/"
	receipt = keg + "INSTALL_RECEIPT.json"
	formula = keg + ".brew/curl.rb"
	cask    = "opt/homebrew/Caskroom/firefox/.metadata/INSTALL_RECEIPT.json"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, homebrew.Analyzer{}) }

func FuzzReceipt(f *testing.F) { analyzertest.Fuzz(f, homebrew.Analyzer{}, receipt) }
func FuzzFormula(f *testing.F) {
	analyzertest.Fuzz(f, homebrew.Analyzer{}, formula, "  license any_of: [\"MIT\", { all_of: [:public_domain, 'ISC' => { with: \"x\" }] }]\n  desc \"a\"\n  stable do\n    url \"b\"\n")
}

// TestLicences: statements of a formula and what they are as SPDX expressions.
func TestLicences(t *testing.T) {
	for statement, want := range map[string][]sbom.License{
		`"MIT"`:                         {{Expression: "MIT"}},
		`'BSD-2-Clause'`:                {{Expression: "BSD-2-Clause"}},
		`any_of: ["MIT", "Apache-2.0"]`: {{Expression: "MIT OR Apache-2.0"}},
		`all_of: ["MIT", any_of: ["ISC", "Zlib"]]`:     {{Expression: "MIT AND (ISC OR Zlib)"}},
		`all_of: [{ any_of: ["ISC", "Zlib"] }, "MIT"]`: {{Expression: "(ISC OR Zlib) AND MIT"}},
		`"Apache-2.0" => { with: "LLVM-exception" }`:   {{Expression: "Apache-2.0 WITH LLVM-exception"}},
		`:public_domain`:                              {{Name: "public domain"}},
		`:cannot_represent`:                           {{Name: "cannot represent"}},
		`all_of: ["MIT", :public_domain]`:             {{Name: "MIT AND public domain"}},
		`any_of: []`:                                  nil,
		`any_of: ["MIT" "ISC"]`:                       nil,
		`SOME_CONSTANT`:                               nil,
		"any_of: " + strings.Repeat("[{any_of:", 100): nil,
	} {
		facts, err := homebrew.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(formula, []byte("class Curl < Formula\n  license "+statement+"\nend\n")))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, facts[0].Package.Licenses); diff != "" {
			t.Errorf("%s (-want +got):\n%s", statement, diff)
		}
	}
}

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, homebrew.Analyzer{},
		analyzertest.Growth{Name: "dependencies", Path: receipt, Data: func(n int) string {
			return `{"runtime_dependencies":[` + analyzertest.Lines(n/4, "{\"full_name\":\"a%[1]d\",\"version\":\"%[1]d\"},\n") + "{}]}"
		}},
		analyzertest.Growth{Name: "licences", Path: formula, Data: func(n int) string {
			return strings.Repeat("  license any_of: [[\n", n)
		}},
		analyzertest.Growth{Name: "a list of licences", Path: formula, Data: func(n int) string {
			return "  license any_of: [" + strings.Repeat(`"MIT",`, n) + "]\n"
		}},
		analyzertest.Growth{Name: "a long string", Path: formula, Data: func(n int) string {
			return strings.Repeat("  desc '", n) + "\n"
		}},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, homebrew.Analyzer{},
		analyzertest.Hostile{Name: "nested arrays", Path: receipt, Data: `{"a":` + strings.Repeat("[", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "many dependencies", Path: cask, Want: fault.Limit,
			Data: `{"runtime_dependencies":{"formula":[` + strings.Repeat(`{"full_name":"a"},`, 10_001) + "{}]}}"},
		analyzertest.Hostile{Name: "nested licences", Path: formula, Data: "  license " + strings.Repeat("any_of: [", 10_000)},
		analyzertest.Hostile{Name: "empty receipt", Path: receipt, Want: fault.Invalid},
		analyzertest.Hostile{Name: "empty formula", Path: formula},
		analyzertest.Hostile{Name: "no name", Path: "Cellar//1/INSTALL_RECEIPT.json", Data: "{}", Want: fault.Invalid},
	)
	_, err := homebrew.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(formula, make([]byte, 8<<20+1)))
	if !errors.Is(err, fault.Limit) {
		t.Errorf("a large formula: error %v, want a limit", err)
	}
}

func Example() {
	files := map[string][]byte{
		receipt: []byte(`{"source": {"tap": "homebrew/core"}, "arch": "x86_64"}`),
		formula: []byte("class Curl < Formula\n  license \"curl\"\nend\n"),
	}
	for _, f := range analyzertest.Scan(homebrew.Analyzer{}, files).Packages {
		fmt.Println(f.Package.PURL, f.Package.Licenses[0].Expression)
	}
	// Output: pkg:brew/curl@8.5.0 curl
}
