package scalibr_test

import (
	"context"
	"fmt"

	"github.com/google/osv-scalibr/extractor/filesystem/language/nim/nimble"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/scalibr"
)

// Nimble, the package manager of Nim, is read by osv-scalibr alone.
func ExampleNew() {
	nim, err := nimble.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	list, err := scalibr.New(nim) // scan.Scanner{Analyzers: analyzer.NewSet(append(all.List(), list...)...)}
	if err != nil {
		fmt.Println(err)
		return
	}
	file := analyzer.NewMemoryFile("root/.nimble/pkgs2/httpauth-0.4.1-2b26a9e0fc79638dbb9272fb4ab5a1d79264f938/httpauth.nimble", []byte("version = \"0.4.1\"\n"))
	facts, err := list[0].Extract(context.Background(), file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(list[0].Info().Name, facts[0].Package.PURL)
	// Output: scalibr/nim/nimble pkg:nim/httpauth@0.4.1
}
