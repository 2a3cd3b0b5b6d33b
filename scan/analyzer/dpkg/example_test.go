package dpkg_test

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/dpkg"
)

func ExampleAnalyzer() {
	f := analyzer.NewMemoryFile("var/lib/dpkg/status", []byte("Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.2.13.dfsg-1\nArchitecture: amd64\nSource: zlib\n"))
	facts, err := dpkg.Analyzer{}.Extract(context.Background(), f)
	fmt.Println(facts[0].Package.Name, facts[0].Package.Version, "from", facts[0].Package.Upstream.Name, err)
	// Output: zlib1g 1:1.2.13.dfsg-1 from zlib <nil>
}
