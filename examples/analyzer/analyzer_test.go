package analyzer_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/examples/analyzer"
	"github.com/stella-ops/stella/scan"
	scananalyzer "github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/image"
)

// The analyzer beside all others, in a scan of a folder.
func Example() {
	dir, err := os.MkdirTemp("", "wall")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	lock := "brick-lock 1\nbrick wall 2.1.0\n  needs mortar\nbrick mortar 1.0.3\nbrick dust\n"
	if err := os.WriteFile(filepath.Join(dir, "brick.lock"), []byte(lock), 0o644); err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	img, err := image.OpenDir(ctx, dir, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer img.Close()
	set := scananalyzer.NewSet(append(all.Default(), analyzer.Bricks{})...)
	result, err := (&scan.Scanner{Analyzers: set}).Scan(ctx, img)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range result.Document.Packages {
		fmt.Println(p.PURL, "by", p.FoundBy, "in", p.Locations[0].Path)
	}
	for _, r := range result.Document.Relationships {
		if from := result.Document.PackageByID(r.From); from != nil {
			fmt.Println(from.Name, r.Kind, result.Document.PackageByID(r.To).Name)
		}
	}
	for _, g := range result.Document.Gaps {
		fmt.Println("not read:", g.What)
	}
	// Output:
	// pkg:generic/mortar@1.0.3 by bricks in brick.lock
	// pkg:generic/wall@2.1.0 by bricks in brick.lock
	// wall depends-on mortar
	// not read: bricks: read brick.lock: line 5: it is no brick, no scaffold, and nothing that one needs: invalid input
}

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, analyzer.Bricks{}) }

func FuzzLock(f *testing.F) { analyzertest.Fuzz(f, analyzer.Bricks{}, "srv/wall/brick.lock") }

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, analyzer.Bricks{},
		analyzertest.Growth{Name: "bricks", Path: "brick.lock", Data: func(n int) string { return "brick-lock 1\n" + analyzertest.Lines(n, "brick b%d 1.0\n") }},
		analyzertest.Growth{Name: "needs", Path: "brick.lock", Data: func(n int) string {
			return "brick-lock 1\nbrick wall 1\n" + analyzertest.Lines(n, "needs b%d\n")
		}},
	)
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, analyzer.Bricks{},
		analyzertest.Hostile{Name: "empty", Path: "brick.lock", Want: scananalyzer.ErrInvalid},
		analyzertest.Hostile{Name: "another version", Path: "brick.lock", Data: "brick-lock 2\n", Want: scananalyzer.ErrInvalid},
		analyzertest.Hostile{Name: "too large", Path: "brick.lock", Data: "brick-lock 1\n" + strings.Repeat("#", 5<<20), Want: scananalyzer.ErrLimit},
		analyzertest.Hostile{Name: "a need of nobody", Path: "brick.lock", Data: "brick-lock 1\nneeds mortar\n", Want: scananalyzer.ErrInvalid},
		analyzertest.Hostile{Name: "a path for a name", Path: "brick.lock", Data: "brick-lock 1\nbrick ../../etc/passwd 1\n", Want: scananalyzer.ErrInvalid},
		analyzertest.Hostile{Name: "a digest that is none", Path: "brick.lock", Data: "brick-lock 1\nbrick wall 1 sha256:00\n", Want: scananalyzer.ErrInvalid},
		analyzertest.Hostile{Name: "bytes that are no text", Path: "brick.lock", Data: "brick-lock 1\nbrick \xff\xfe 1\n", Want: scananalyzer.ErrInvalid},
	)
}
