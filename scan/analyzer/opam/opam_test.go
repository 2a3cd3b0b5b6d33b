package opam_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/opam"
)

const installed = "home/u/.opam/default/.opam-switch/packages/lwt.5.7.0/opam"

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, opam.Analyzer{}) }

func FuzzInstalled(f *testing.F) { analyzertest.Fuzz(f, opam.Analyzer{}, installed) }
func FuzzLock(f *testing.F)      { analyzertest.Fuzz(f, opam.Analyzer{}, "srv/app/app.opam.locked") }

func TestCost(t *testing.T) {
	lines := analyzertest.Lines
	analyzertest.TestCost(t, opam.Analyzer{},
		analyzertest.Growth{Name: "dependencies", Path: "a.opam.locked", Data: func(n int) string { return "depends: [\n" + lines(n, "  \"p%d\" {= \"1.0\"}\n") + "]\n" }},
		analyzertest.Growth{Name: "fields", Path: installed, Data: func(n int) string { return lines(n, "x-%d: \"y\"\n") }},
		analyzertest.Growth{Name: "comments", Path: installed, Data: func(n int) string { return lines(n, "# %d\n(* (* *) *)\n") }},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, opam.Analyzer{},
		analyzertest.Hostile{Name: "empty", Path: "a.opam.locked"},
		analyzertest.Hostile{Name: "nested lists", Path: installed, Data: "depends: " + strings.Repeat("[", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "nested sections", Path: installed, Data: strings.Repeat("a {", 100_000), Want: fault.Invalid},
		analyzertest.Hostile{Name: "an open comment", Path: installed, Data: strings.Repeat("(*", 100_000)},
		analyzertest.Hostile{Name: "an open text", Path: installed, Data: `synopsis: "x`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "an open filter", Path: installed, Data: `depends: "x" {` + strings.Repeat("= ", 300_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "bytes that are no text", Path: installed, Data: "synopsis: \"\xff\"\n"},
	)
}

// TestPlaces: sources of a build and repositories hold what is not installed.
func TestPlaces(t *testing.T) {
	data := []byte("opam-version: \"2.0\"\nversion: \"1\"\n")
	for path, want := range map[string]string{
		installed: "[lwt@5.7.0]", "srv/_opam/.opam-switch/packages/a.1~beta/opam": "[a@1~beta]", "srv/app/app.opam": "[app@1]", "srv/app/opam": "[app@1]",
		"home/u/.opam/default/.opam-switch/sources/lwt.5.7.0/lwt.opam": "[]", "home/u/.opam/repo/default/packages/lwt/lwt.5.7.0/opam": "[]",
		"home/u/.opam/default/.opam-switch/overlay/a/opam": "[]", ".opam": "[]",
	} {
		if r := analyzertest.Scan(opam.Analyzer{}, map[string][]byte{path: data}); fmt.Sprint(r.Names()) != want || len(r.Errors) != 0 {
			t.Errorf("%s: %v %v, want %s", path, r.Names(), r.Errors, want)
		}
	}
	for _, program := range []string{"\x7fELF opam", strings.Repeat("\x7f", 5<<20)} {
		if r := analyzertest.Scan(opam.Analyzer{}, map[string][]byte{"usr/bin/opam": []byte(program)}); len(r.Packages) != 0 || len(r.Errors) != 0 {
			t.Errorf("opam itself: %v %v", r.Names(), r.Errors)
		}
	}
	if r := analyzertest.Scan(opam.Analyzer{}, map[string][]byte{"srv/x.opam": []byte("other: \"x\"\n")}); len(r.Packages) != 0 || len(r.Errors) != 0 {
		t.Errorf("another format: %v %v", r.Names(), r.Errors)
	}
}

func ExampleAnalyzer() {
	f := analyzer.NewMemoryFile("srv/app.opam.locked", []byte(`opam-version: "2.0"
name: "app"
depends: [ "dune" {= "3.11.1"} "alcotest" {= "1.7.0" & with-test} ]
`))
	facts, err := opam.Analyzer{}.Extract(context.Background(), f)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.Name, f.Package.PURL.IsZero(), f.Package.Version, f.Package.Scope == "dev")
	}
	// Output:
	// dune false 3.11.1 false
	// alcotest false 1.7.0 true
	// app true  false
}
