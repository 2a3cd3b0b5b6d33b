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
	got := seen("app/shard.lock", "app/Gemfile.lock",
		"var/db/xbps/pkgdb-0.38.plist", "home/pkgdb-0.38.plist", "var/log/packages/zlib-1.3-x86_64-1", "etc/passwd")
	want := []string{
		"true var/db/xbps/pkgdb-0.38.plist: xbps packages are not read by this version (1 files)",
		"true var/log/packages/zlib-1.3-x86_64-1: Slackware packages are not read by this version (1 files)",
		"false app/shard.lock: Crystal shards are not read by this version (1 files)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func ExampleAnalyzer() {
	fmt.Println(seen("app/nimble.lock")[0])
	// Output: false app/nimble.lock: Nim packages are not read by this version (1 files)
}
