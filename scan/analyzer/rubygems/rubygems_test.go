package rubygems_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/rubygems"
)

const spec = "lib/ruby/gems/3.3.0/specifications/a-1.0.gemspec"

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, rubygems.Analyzer{}) }

func FuzzLock(f *testing.F) { analyzertest.Fuzz(f, rubygems.Analyzer{}, "app/Gemfile.lock") }

func FuzzGemspec(f *testing.F) {
	analyzertest.Fuzz(f, rubygems.Analyzer{}, spec,
		"# -*- encoding: utf-8 -*-\n# stub: a 1.0 java lib\n\nGem::Specification.new do |s|\n  s.name = \"a\".freeze\n  s.version = \"1.0\"\n  s.platform = \"java\".freeze\n"+
			"  s.authors = [\"L\\u00FCtke\".freeze]\n  s.licenses = [\"MIT\".freeze]\n  s.description = \"\\x41\\u{1F600}\\101\\e\".freeze\n  s.add_runtime_dependency(%q<b>.freeze, [\">= 1\", \"< 2\"])\nend\n",
		"Gem::Specification.new do |s|\n s.name = %q{a}\n s.version = Gem::Version.new('1')\n s.platform = Gem::Platform.new([\"x86\", nil])\n s.licenses = %w[a b]\n s.summary = \"#{x}\" + 'y'\n s.add_dependency 'b', '~> 1'\nend\n",
		"|s| s.name = %", "|s| s.name = %q<a<b>", "|s|s.add_dependency(", "# stub: a 1 ruby lib\n'")
}

func FuzzSource(f *testing.F) {
	analyzertest.Fuzz(f, rubygems.Analyzer{}, "app/own.gemspec", "Gem::Specification.new do |s|\n s.name = 'a'\n s.version = '1.0'\n s.authors = ['b']\nend\n", "|s| s.name = %q<a<b>", "|s|s.version=")
}

func TestCost(t *testing.T) {
	const head = "# stub: a 1.0 ruby lib\nGem::Specification.new do |s|\n"
	analyzertest.TestCost(t, rubygems.Analyzer{},
		analyzertest.Growth{Name: "gems", Path: "Gemfile.lock", Data: func(n int) string {
			return "GEM\n  specs:\n" + analyzertest.Lines(n/3, "    d%[1]d (1.0.%[1]d)\n      d0\n      d%[1]d\n")
		}},
		analyzertest.Growth{Name: "versions of one gem", Path: "Gemfile.lock", Data: func(n int) string {
			return "GEM\n  specs:\n" + analyzertest.Lines(n, "    d (1.0.%d)\n")
		}},
		analyzertest.Growth{Name: "platforms of one gem", Path: "Gemfile.lock", Data: func(n int) string {
			return "GEM\n  specs:\n" + analyzertest.Lines(n, "    d (1.0-p%d)\n")
		}},
		analyzertest.Growth{Name: "servers", Path: "Gemfile.lock", Data: func(n int) string {
			return "GEM\n" + analyzertest.Lines(n, "  remote: https://s%d.example/\n") + "  specs:\n" + analyzertest.Lines(n, "    d (1.0.%d)\n")
		}},
		analyzertest.Growth{Name: "digests", Path: "Gemfile.lock", Data: func(n int) string {
			return "CHECKSUMS\n" + analyzertest.Lines(n, "  d%[1]d (1.0) sha256=%[1]x\n")
		}},
		analyzertest.Growth{Name: "sections", Path: "Gemfile.lock", Data: func(n int) string { return analyzertest.Lines(n, "GIT\n  remote: %d\n") }},
		analyzertest.Growth{Name: "dependencies", Path: spec, Data: func(n int) string {
			return head + analyzertest.Lines(n, "  s.add_runtime_dependency(%%q<d%d>.freeze, [\">= 1\".freeze])\n")
		}},
		analyzertest.Growth{Name: "files", Path: spec, Data: func(n int) string {
			return head + "  s.files = [" + analyzertest.Lines(n, "\"f%d\".freeze, ") + "]\n"
		}},
		analyzertest.Growth{Name: "escapes", Path: spec, Data: func(n int) string {
			return head + "  s.summary = \"" + analyzertest.Lines(n, "\\u00e9\\x41%d") + "\"\n"
		}},
		analyzertest.Growth{Name: "signs of quotes", Path: spec, Data: func(n int) string { return head + analyzertest.Lines(n, " %% %%q %% '%d' | ") }},
		analyzertest.Growth{Name: "comments", Path: spec, Data: func(n int) string { return analyzertest.Lines(n, "# stub: a %d\n") + head }},
	)
}

func TestHostile(t *testing.T) {
	same := analyzertest.Lines(2100, "    a (%d)\n")
	analyzertest.TestHostile(t, rubygems.Analyzer{},
		analyzertest.Hostile{Name: "one name many times", Path: "Gemfile.lock", Want: fault.Limit,
			Data: "GEM\n  specs:\n" + same + "    b (1)\n" + strings.Repeat("      a\n", 1000)},
		analyzertest.Hostile{Name: "servers without end", Path: "Gemfile.lock", Want: fault.Limit,
			Data: "GEM\n" + analyzertest.Lines(17, "  remote: %d\n") + "  specs:\n    a (1)\n"},
		analyzertest.Hostile{Name: "address without end", Path: "Gemfile.lock", Want: fault.Limit,
			Data: "GIT\n  remote: https://" + strings.Repeat("é", 10_000) + "\n  specs:\n    a (1)\n"},
		analyzertest.Hostile{Name: "not a lockfile", Path: "Gemfile.lock", Data: "source 'https://rubygems.org'\n", Want: fault.Unsupported},
		analyzertest.Hostile{Name: "no name", Path: "Gemfile.lock", Data: "GEM\n  specs:\n     (1.0)\n", Want: fault.Invalid},
		analyzertest.Hostile{Name: "nested brackets", Path: spec, Data: "|s| s.authors = " + strings.Repeat("[", 1_000_000)},
		analyzertest.Hostile{Name: "nested quotes", Path: spec, Data: "|s| s.name = %q" + strings.Repeat("<", 1_000_000), Want: fault.Invalid},
		analyzertest.Hostile{Name: "nested calls", Path: spec, Data: "|s| s.version = " + strings.Repeat("Gem.a(", 200_000)},
		analyzertest.Hostile{Name: "text without end", Path: spec, Data: "# stub: a 1 ruby lib\n'", Want: fault.Invalid},
		analyzertest.Hostile{Name: "no name in code", Path: "specifications/x.gemspec", Data: "# nothing", Want: fault.Invalid},
		analyzertest.Hostile{Name: "empty", Path: "Gemfile.lock"},
	)
}

// TestLimits: what fits is there, and the error says what does not.
func TestLimits(t *testing.T) {
	for want, data := range map[string]string{
		"read Gemfile.lock: line 100003: packages of a lockfile: 100001 is over the limit of 100000": "GEM\n  specs:\n" + analyzertest.Lines(100_001, "    a (%d)\n"),
		"read Gemfile.lock: line 40003: sections of a lockfile: 10001 is over the limit of 10000":    analyzertest.Lines(10_001, "GIT\n  remote: https://x.example/%d\n  specs:\n    a (1)\n"),
	} {
		facts, err := rubygems.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("Gemfile.lock", []byte(data)))
		if err == nil || err.Error() != want || len(facts) != 100_000 && len(facts) != 10_000 {
			t.Errorf("%d gems, %v, want %s", len(facts), err, want)
		}
	}
}

func TestPaths(t *testing.T) {
	set := analyzer.NewSet(rubygems.Analyzer{})
	for path, want := range map[string]bool{
		"app/Gemfile.lock": true, "gems.locked": true, "app/gemfiles/rails_7.gemfile.lock": true, "app/x.lock": false, "app/Gemfile": false,
		"app/gems/own/Gemfile.lock":                                    true,  // of a repository with many gems
		"usr/local/bundle/gems/rack-3.0.8/Gemfile.lock":                false, // of an installed gem
		"vendor/bundle/ruby/3.3.0/gems/a-1.0-java/b/Gemfile.lock":      false,
		"usr/local/bundle/bundler/gems/rails-0a1b2c3d4e5f/gems.locked": false,
		"usr/lib/ruby/gems/3.3.0/specifications/a-1.0.gemspec":         true,
		"usr/lib/ruby/gems/3.3.0/specifications/default/a-1.0.gemspec": true,
		"specifications/a-1.0.gemspec":                                 true,
		"usr/lib/ruby/gems/3.3.0/specifications/x/a-1.0.gemspec":       false,
		"usr/lib/ruby/gems/3.3.0/gems/a-1.0/a.gemspec":                 false,
		"src/a.gemspec": true, "bundler/gems/a-0a1b2c3d4e5f/a.gemspec": true, "bundler/gems/a-0a1b2c3d4e5f/b/c/a.gemspec": true,
		"bundler/gems/a-0a1b2c3d4e5f/b/c/d/a.gemspec": false,
	} {
		if got := len(set.ByPath(nil, path)) == 1; got != want {
			t.Errorf("%s: wanted = %v, want %v", path, got, want)
		}
	}
}

// TestJoinWork: many versions of one gem, of which none is allowed, end in a gap.
func TestJoinWork(t *testing.T) {
	in := &analyzer.Squashed{}
	for i := range 3000 {
		path := fmt.Sprintf("h%d/specifications/a-%d.0.gemspec", i, i)
		data := fmt.Sprintf("# stub: a %d.0 ruby lib\n|s| s.add_dependency('a', '< 0') s.add_dependency('a', '< 0.0')", i)
		facts, err := rubygems.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(path, []byte(data)))
		if err != nil {
			t.Fatal(err)
		}
		in.Facts = append(in.Facts, analyzer.Located{Fact: facts[0], Path: path})
	}
	out, gaps := rubygems.Analyzer{}.Join(in)
	if len(out) != 3000 || len(gaps) != 1 {
		t.Errorf("%d packages, gaps %v", len(out), gaps)
	}
}

func Example() {
	facts, err := rubygems.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app/Gemfile.lock", []byte(`GEM
  remote: https://rubygems.org/
  specs:
    rack (3.0.8)
    sorbet-static (0.5.11164-x86_64-linux)
`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL, f.Package.State)
	}
	// Output:
	// pkg:gem/rack@3.0.8 declared
	// pkg:gem/sorbet-static@0.5.11164?platform=x86_64-linux declared
}
