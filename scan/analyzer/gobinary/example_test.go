package gobinary_test

import (
	"context"
	"fmt"
	"os"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/gobinary"
)

// What is this very program made of?
func Example() {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		panic(err)
	}
	facts, err := gobinary.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("usr/bin/program", data))
	if err != nil {
		panic(err)
	}
	for _, f := range facts[:2] {
		fmt.Println(f.Package.PURL.Name, f.Package.Type, f.Package.Version != "")
	}
	// Output:
	// stella application false
	// stdlib  true
}
