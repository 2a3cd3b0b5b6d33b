package cran_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/cran"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, cran.Analyzer{}) }

const description = "usr/lib/R/library/rlang/DESCRIPTION"

func FuzzDescription(f *testing.F) { analyzertest.Fuzz(f, cran.Analyzer{}, description) }

func FuzzRenv(f *testing.F) { analyzertest.Fuzz(f, cran.Analyzer{}, "app/renv.lock") }

func FuzzPackrat(f *testing.F) { analyzertest.Fuzz(f, cran.Analyzer{}, "app/packrat.lock") }

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, cran.Analyzer{},
		analyzertest.Growth{Name: "packages", Path: "renv.lock", Data: func(n int) string {
			return `{"Packages": {` + analyzertest.Lines(n, `"d%[1]d": {"Version": "1.%[1]d", "Source": "CRAN", "Requirements": ["d0", "d%[1]d"]},`) + `"x": {}}}`
		}},
		analyzertest.Growth{Name: "packages", Path: "packrat.lock", Data: func(n int) string {
			return "PackratFormat: 1.4\n\n" + analyzertest.Lines(n/4, "Package: d%[1]d\nVersion: 1.%[1]d\nRequires: d0, d%[1]d\n\n")
		}},
		analyzertest.Growth{Name: "repositories", Path: "packrat.lock", Data: func(n int) string {
			return "PackratFormat: 1.4\nRepos: a=b" + analyzertest.Lines(n, ",\n  r%[1]d=https://r%[1]d.example.org/") + "\n"
		}},
		analyzertest.Growth{Name: "needs", Path: description, Data: func(n int) string {
			return "Package: a\nVersion: 1\nBuilt: R 4\nImports: b" + analyzertest.Lines(n/4, ",\n  d%d (>= 1.0)") + "\n"
		}},
		analyzertest.Growth{Name: "licences", Path: description, Data: func(n int) string {
			return "Package: a\nVersion: 1\nBuilt: R 4\nLicense: MIT" + strings.Repeat("\n | GPL (>= 2)", n/2) + "\n"
		}},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, cran.Analyzer{},
		analyzertest.Hostile{Name: "nested objects", Path: "renv.lock", Data: `{"Packages":` + strings.Repeat(`{"a":`, 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "no name", Path: "packrat.lock", Data: "Version: 1\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "no version", Path: description, Data: "Package: a\nBuilt: R 4\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "no object", Path: "renv.lock", Data: "[]", Want: fault.Invalid},
		analyzertest.Hostile{Name: "sources", Path: "src/DESCRIPTION", Data: "what\nPackage: a\n"},
		analyzertest.Hostile{Name: "too large", Path: description, Data: strings.Repeat("A: 1\n", 300_000), Want: fault.Limit},
	)
}

// TestLicences: the field License in the forms that R's manual has.
func TestLicences(t *testing.T) {
	for text, want := range map[string]string{
		"GPL-2":                              "GPL-2.0-only",
		"GPL (>= 2)":                         "GPL-2.0-or-later",
		"GPL (== 3)":                         "GPL-3.0-only",
		"GPL (> 2)":                          "? GPL (> 2)",
		"GPL":                                "? GPL",
		"GPL-2 | GPL-3":                      "GPL-2.0-only OR GPL-3.0-only",
		"LGPL (>= 2.1) | MIT + file LICENCE": "LGPL-2.1-or-later OR MIT",
		"MIT + file LICENSE":                 "MIT",
		"BSD_2_clause + file LICENSE":        "BSD-2-Clause",
		"GPL-3 + file LICENSE":               "? GPL-3 + file LICENSE",
		"MIT + other":                        "? MIT + other",
		"Apache License 2.0":                 "Apache-2.0",
		"Apache License (== 2.0)":            "Apache-2.0",
		"Artistic-2.0 | file LICENSE":        "? Artistic-2.0 | file LICENSE",
		"file LICENSE":                       "? file LICENSE",
		"CC0":                                "CC0-1.0",
		"|":                                  "? |",
	} {
		facts, err := cran.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(description, []byte("Package: a\nVersion: 1\nBuilt: R 4\nLicense: "+text+"\n")))
		if err != nil || len(facts) != 1 || len(facts[0].Package.Licenses) != 1 {
			t.Errorf("%q: %v, %v", text, facts, err)
			continue
		}
		l := facts[0].Package.Licenses[0]
		got := l.Expression
		if got == "" {
			got = "? " + l.Name
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func Example() {
	facts, err := cran.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("usr/lib/R/site-library/rlang/DESCRIPTION", []byte(`Package: rlang
Version: 1.1.3
License: MIT + file LICENSE
Repository: CRAN
Built: R 4.3.1; x86_64-pc-linux-gnu; 2024-01-11 02:34:54 UTC; unix
`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL, f.Package.Licenses[0].Expression)
	}
	// Output: pkg:cran/rlang@1.1.3 MIT
}
