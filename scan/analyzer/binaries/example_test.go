package binaries_test

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/binaries"
)

// A JDK that was unpacked into an image says what it is.
func Example() {
	f := analyzer.NewMemoryFile("opt/java/openjdk/release", []byte("JAVA_VERSION=\"17.0.9\"\nOS_ARCH=\"x86_64\"\n"))
	facts, err := binaries.Analyzer{}.Extract(context.Background(), f)
	if err != nil {
		fmt.Println(err)
		return
	}
	p := facts[0].Package
	fmt.Println(p.PURL, p.CPEs)
	// Output: pkg:generic/openjdk@17.0.9 [cpe:2.3:a:oracle:openjdk:17.0.9:*:*:*:*:*:*:*]
}
