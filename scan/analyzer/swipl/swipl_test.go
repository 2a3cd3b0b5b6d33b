package swipl_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/swipl"
)

const pack = "root/.local/share/swi-prolog/pack/hdt/pack.pl"

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, swipl.Analyzer{}) }

func FuzzPack(f *testing.F)    { analyzertest.Fuzz(f, swipl.Analyzer{}, pack) }
func FuzzProject(f *testing.F) { analyzertest.Fuzz(f, swipl.Analyzer{}, "srv/app/pack.pl") }

func TestCost(t *testing.T) {
	lines := analyzertest.Lines
	analyzertest.TestCost(t, swipl.Analyzer{},
		analyzertest.Growth{Name: "facts", Path: pack, Data: func(n int) string { return lines(n, "requires(p%d).\n") }},
		analyzertest.Growth{Name: "a list", Path: pack, Data: func(n int) string { return "keywords([" + lines(n, "k%d,") + "z])." }},
		analyzertest.Growth{Name: "operators", Path: pack, Data: func(n int) string { return "requires(a" + strings.Repeat(" + b", n) + ")." }},
		analyzertest.Growth{Name: "comments", Path: pack, Data: func(n int) string { return lines(n, "%% %d\n/* x */") }},
		analyzertest.Growth{Name: "escapes", Path: pack, Data: func(n int) string { return "title('" + strings.Repeat(`\n''\x41\`, n) + "')." }},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, swipl.Analyzer{},
		analyzertest.Hostile{Name: "empty", Path: pack},
		analyzertest.Hostile{Name: "nested lists", Path: pack, Data: "a(" + strings.Repeat("[", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "nested terms", Path: pack, Data: strings.Repeat("a(", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "nested operators", Path: pack, Data: "a(" + strings.Repeat("- ", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "terms without end", Path: pack, Data: "a([" + strings.Repeat("1,", 200_000) + "1]).", Want: fault.Limit},
		analyzertest.Hostile{Name: "an open comment", Path: pack, Data: strings.Repeat("/*", 100_000), Want: fault.Invalid},
		analyzertest.Hostile{Name: "an open text", Path: pack, Data: "title('x).", Want: fault.Invalid},
		analyzertest.Hostile{Name: "an escape", Path: pack, Data: `title('\q').`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "no end", Path: pack, Data: "name(a)", Want: fault.Invalid},
		analyzertest.Hostile{Name: "no term", Path: pack, Data: "{a}.", Want: fault.Invalid},
		analyzertest.Hostile{Name: "too large", Path: pack, Data: strings.Repeat("% x\n", 300_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "a large file of others", Path: "srv/pack.pl", Data: strings.Repeat("# x\n", 300_000)},
		analyzertest.Hostile{Name: "bytes that are no text", Path: pack, Data: "name('\xff').\n"},
	)
}

// TestPlaces: what is a pack, and what has only its name.
func TestPlaces(t *testing.T) {
	facts := "name(a).\nversion('1.0').\n"
	for _, test := range [][3]string{
		{pack, facts, "[pkg:swiplpack/a@1.0] [a@1.0]"},
		{"usr/lib/swi-prolog/packs/b/pack.pl", "version(\"2\").\n", "[pkg:swiplpack/b@2] [b@2]"},
		{"srv/app/pack.pl", facts, "[] [a@1.0]"},
		{"srv/app/pack.pl", "#!/usr/bin/perl\nuse strict;\n", "[] []"},
		{"srv/app/pack.pl", "name(a).\n", "[] []"},
		{"pack.pl", facts, "[] [a@1.0]"},
	} {
		r := analyzertest.Scan(swipl.Analyzer{}, map[string][]byte{test[0]: []byte(test[1])})
		if got := fmt.Sprint(r.PURLs(), r.Names()); got != test[2] || len(r.Errors) != 0 {
			t.Errorf("%s: %s %v, want %s", test[0], got, r.Errors, test[2])
		}
	}
}

func ExampleAnalyzer() {
	facts, err := swipl.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(pack, []byte(`name(hdt).
version('0.5.2').
title('Access RDF HDT files').
author('Jan Wielemaker', 'J.Wielemaker@vu.nl').
`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL, f.Package.Originator)
	}
	// Output: pkg:swiplpack/hdt@0.5.2 Jan Wielemaker (J.Wielemaker@vu.nl)
}
