package npm_test

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/npm"
)

// An analyzer says facts about one file at a time; Join makes packages of them.
func Example() {
	in := &analyzer.Squashed{Resolve: func(path string) string { return path }}
	for _, file := range []struct{ path, body string }{
		{"app/node_modules/left/package.json", `{"name": "left", "version": "2.1.0", "license": "MIT"}`},
		{"app/package.json", `{"name": "shop", "version": "1.0.0", "dependencies": {"left": "^2.0.0"}}`},
	} {
		facts, err := npm.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(file.path, []byte(file.body)))
		if err != nil {
			fmt.Println(err)
		}
		for _, f := range facts {
			in.Facts = append(in.Facts, analyzer.Located{Fact: f, Path: file.path})
		}
	}
	packages, gaps := npm.Analyzer{}.Join(in)
	for _, p := range packages {
		fmt.Println(p.Package.PURL, "needs", p.DependsOn)
	}
	fmt.Println(len(gaps), "gaps")
	// Output:
	// pkg:npm/left@2.1.0 needs []
	// pkg:npm/shop@1.0.0 needs [app/node_modules/left]
	// 0 gaps
}
