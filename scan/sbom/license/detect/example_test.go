package detect_test

import (
	"fmt"

	"github.com/stella-ops/stella/scan/sbom/license/detect"
)

func ExampleFind() {
	text := `// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The parser is licensed under the BSD 3-Clause License.
`
	matches, err := detect.Find([]byte(text))
	if err != nil {
		fmt.Println(err)
	}
	for _, m := range matches {
		fmt.Println(m.Kind, m.Expression, m.Score, m.Start, m.End)
	}
	fmt.Println(detect.Expressions(matches))
	// Output:
	// tag MIT OR Apache-2.0 1000 3 45
	// name BSD-3-Clause 1000 85 105
	// [MIT OR Apache-2.0]
}
