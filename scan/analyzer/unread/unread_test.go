package unread_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/unread"
)

func seen(paths ...string) (out []string) {
	set := analyzer.NewSet(unread.Analyzer{})
	in := &analyzer.Squashed{}
	for _, p := range paths {
		if len(set.ByPath(nil, p)) == 0 {
			continue
		}
		facts, err := unread.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(p, nil))
		if err != nil {
			panic(err)
		}
		for _, f := range facts {
			in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: p})
		}
	}
	_, gaps := unread.Analyzer{}.Join(in)
	for _, g := range gaps {
		out = append(out, fmt.Sprintf("%v %s: %s", g.Blocking, g.Where, g.What))
	}
	return out
}

func TestWhatIsNoticed(t *testing.T) {
	got := seen("usr/lib/ruby/specifications/a.gemspec", "usr/lib/ruby/specifications/b.gemspec", "src/a.gemspec", "app/Cargo.lock",
		"var/lib/pacman/local/zlib-1/desc", "home/desc", "etc/passwd")
	want := []string{
		"true var/lib/pacman/local/zlib-1/desc: pacman packages are not read by this version (1 files)",
		"false usr/lib/ruby/specifications/a.gemspec: Ruby gems are not read by this version (2 files)",
		"false app/Cargo.lock: Rust crates are not read by this version (1 files)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func ExampleAnalyzer() {
	fmt.Println(seen("app/composer.lock")[0])
	// Output: false app/composer.lock: PHP packages are not read by this version (1 files)
}
