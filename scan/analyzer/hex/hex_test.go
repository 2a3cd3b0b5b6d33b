package hex_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/hex"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, hex.Analyzer{}) }

func FuzzMix(f *testing.F) { analyzertest.Fuzz(f, hex.Analyzer{}, "app/mix.lock") }

func FuzzRebar(f *testing.F) { analyzertest.Fuzz(f, hex.Analyzer{}, "app/rebar.lock") }

func FuzzResource(f *testing.F) {
	analyzertest.Fuzz(f, hex.Analyzer{}, "app/lib/kernel/ebin/kernel.app", `{application,a,[{vsn,"1"}]}.`)
}

func FuzzMetadata(f *testing.F) {
	analyzertest.Fuzz(f, hex.Analyzer{}, "deps/a/hex_metadata.config")
}

func FuzzRelease(f *testing.F) {
	analyzertest.Fuzz(f, hex.Analyzer{}, "app/releases/1/shop.rel")
}

func TestPaths(t *testing.T) {
	tests := map[string]bool{
		"app/mix.lock":                        true,
		"app/rebar.lock":                      true,
		"app/deps/jason/hex_metadata.config":  true,
		"app/lib/jason-1.4.1/ebin/jason.app":  true,
		"ebin/jason.app":                      true,
		"Applications/Notes.app":              false,
		"app/src/jason.app.src":               false,
		"app/src/jason.app":                   false,
		"app/releases/1.0/app.rel":            true,
		"app/files/1.0/app.rel":               false,
		"app/lib/jason-1.4.1/ebin/jason.beam": false,
	}
	set := analyzer.NewSet(hex.Analyzer{})
	for path, want := range tests {
		if got := len(set.ByPath(nil, path)) == 1; got != want {
			t.Errorf("%s: wanted = %v, want %v", path, got, want)
		}
	}
}

// entry is one of a mix.lock in its whole length.
const entry = `  "d%[1]d": {:hex, :d%[1]d, "1.0.%[1]d", "00", [:mix], [{:d0, "~> 1.0", [hex: :d0, repo: "hexpm", optional: false]}], "hexpm", "00"},` + "\n"

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, hex.Analyzer{},
		analyzertest.Growth{Name: "packages", Path: "mix.lock", Data: func(n int) string {
			return "%{\n" + analyzertest.Lines(n/2, entry) + "}\n"
		}},
		analyzertest.Growth{Name: "entries that are none", Path: "mix.lock", Data: func(n int) string {
			return "%{\n" + analyzertest.Lines(n, "%d,\n") + "}\n"
		}},
		analyzertest.Growth{Name: "packages", Path: "rebar.lock", Data: func(n int) string {
			return "{\"1.2.0\",[\n" + analyzertest.Lines(n, "{<<\"d%[1]d\">>,{pkg,<<\"d%[1]d\">>,<<\"1.0.%[1]d\">>},0},\n") + "{<<\"last\">>,{pkg,<<\"last\">>,<<\"1\">>},0}]}.\n" +
				"[{pkg_hash_ext,[\n" + analyzertest.Lines(n, "{<<\"d%[1]d\">>,<<\"00\">>},\n") + "{<<\"last\">>,<<\"00\">>}]}].\n"
		}},
		analyzertest.Growth{Name: "modules", Path: "lib/a-1/ebin/a.app", Data: func(n int) string {
			return "{application,a,[{modules,[" + analyzertest.Lines(n, "m%d,\n") + "a]},{vsn,\"1\"}]}.\n"
		}},
		analyzertest.Growth{Name: "applications", Path: "lib/a-1/ebin/a.app", Data: func(n int) string {
			return "{application,a,[{applications,[" + analyzertest.Lines(n, "m%d,\n") + "a]},{vsn,\"1\"}]}.\n"
		}},
		analyzertest.Growth{Name: "a text of many parts", Path: "lib/a-1/ebin/a.app", Data: func(n int) string {
			return "{application,a,[{description," + analyzertest.Lines(n, "\"part %d\"\n") + "},{vsn,<<" + strings.Repeat("49,\n", n) + "49>>}]}.\n"
		}},
		analyzertest.Growth{Name: "links", Path: "deps/a/hex_metadata.config", Data: func(n int) string {
			return "{<<\"name\">>,<<\"a\">>}.\n{<<\"links\">>,[" + analyzertest.Lines(n, "{<<\"Source\">>,<<\"%d\">>},\n") + "a]}.\n"
		}},
	)
}

func TestHostile(t *testing.T) {
	const app, mix, rebar = "lib/a-1/ebin/a.app", "mix.lock", "rebar.lock"
	analyzertest.TestHostile(t, hex.Analyzer{},
		analyzertest.Hostile{Name: "nested tuples", Path: app, Data: strings.Repeat("{", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "nested lists of Elixir", Path: mix, Data: strings.Repeat("[", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "nested maps", Path: mix, Data: strings.Repeat("%{a: ", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "a resource file that is too long", Path: app, Data: strings.Repeat(" ", 4<<20+1), Want: fault.Limit},
		analyzertest.Hostile{Name: "text without end", Path: mix, Data: `%{"`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "an escape at the end", Path: mix, Data: `%{"\`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "a character at the end", Path: app, Data: `$\`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "a binary at the end", Path: app, Data: `<<"a"/utf8`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "a NUL byte", Path: app, Data: "{application,a,[\x00]}.", Want: fault.Invalid},
		analyzertest.Hostile{Name: "bytes that are no text", Path: app, Data: "{application,'\xff',[{vsn,\"\xff\"},{description,<<255>>}]}."},
		analyzertest.Hostile{Name: "empty lock of Mix", Path: mix},
		analyzertest.Hostile{Name: "empty lock of rebar3", Path: rebar},
		analyzertest.Hostile{Name: "empty resource file", Path: app, Want: fault.Invalid},
	)
}

func Example() {
	facts, err := hex.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app/mix.lock", []byte(`%{
  "plug": {:hex, :plug, "1.16.1", "40c74619c12f82736d2214557dedec2e9762029b2438d6d175c5074c933edc9d", [:mix], [{:mime, "~> 1.0 or ~> 2.0", [hex: :mime, repo: "hexpm", optional: false]}], "hexpm", "a13ff6b9006b03d7e33874945b2755253841b238c34071ed85b0e86057f8cddc"},
}
`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL, f.Package.State)
	}
	// Output: pkg:hex/plug@1.16.1 declared
}
