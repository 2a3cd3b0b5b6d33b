package license_test

import (
	"fmt"

	"github.com/stella-ops/stella/scan/sbom/license"
)

func ExampleParse() {
	fmt.Println(license.Parse("MIT OR (GPL-2.0-only WITH Classpath-exception-2.0)"))
	fmt.Println(license.Parse("MIT or GPLv2"))
	// Output:
	// <nil>
	// parse licence expression "MIT or GPLv2": an operator is missing before "or" at byte 4: invalid input
}

func ExampleNormalize() {
	for _, s := range []string{"GPL-2+ and Expat", "The Apache Software License, Version 2.0", "BSD"} {
		expr, ok := license.Normalize(s)
		fmt.Printf("%q %v\n", expr, ok)
	}
	// Output:
	// "GPL-2.0-or-later AND MIT" true
	// "Apache-2.0" true
	// "" false
}
