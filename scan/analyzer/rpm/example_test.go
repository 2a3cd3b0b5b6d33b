package rpm_test

import (
	"context"
	"fmt"
	"log"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/rpm"
	"github.com/stella-ops/stella/scan/sbom"
)

// A scan gives the analyzer each file that it asks for, keeps the facts, and
// joins those that are visible in the end.
func Example() {
	f := analyzer.NewMemoryFile("var/lib/rpmmanifest/container-manifest-2", []byte(
		"openssl-libs\t1.1.1k-29.cm2\t1712182042\t1712155355\tMicrosoft Corporation\t(none)\t4368816\tx86_64\t0\topenssl-1.1.1k-29.cm2.src.rpm\n"+
			"prebuilt-ca-certificates\t2.0.0-16.cm2\t1712182042\t1712161918\tMicrosoft Corporation\t(none)\t2385086\tnoarch\t1\tprebuilt-ca-certificates-2.0.0-16.cm2.src.rpm\n"))
	facts, err := rpm.Analyzer{}.Extract(context.Background(), f)
	if err != nil {
		log.Fatal(err)
	}
	in := &analyzer.Squashed{OS: &sbom.OS{ID: "mariner", VersionID: "2.0"}}
	for _, fact := range facts {
		in.Facts = append(in.Facts, analyzer.Located{Fact: fact, Path: f.Path})
	}
	packages, gaps := rpm.Analyzer{}.Join(in)
	for _, p := range packages {
		fmt.Println(p.Package.Name, p.Package.Version)
		fmt.Println(p.Package.PURL)
	}
	fmt.Println(len(gaps), "gaps")
	// Output:
	// openssl-libs 1.1.1k-29.cm2
	// pkg:rpm/mariner/openssl-libs@1.1.1k-29.cm2?arch=x86_64&distro=mariner-2.0&upstream=openssl-1.1.1k-29.cm2.src.rpm
	// prebuilt-ca-certificates 1:2.0.0-16.cm2
	// pkg:rpm/mariner/prebuilt-ca-certificates@2.0.0-16.cm2?arch=noarch&distro=mariner-2.0&epoch=1&upstream=prebuilt-ca-certificates-2.0.0-16.cm2.src.rpm
	// 0 gaps
}
