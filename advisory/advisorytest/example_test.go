package advisorytest_test

import (
	"fmt"
	"testing"

	"github.com/stella-ops/stella/advisory/advisorytest"
)

// A source's test hands the suite the source and a fixture.
func ExampleTestSource() {
	test := func(t *testing.T) {
		advisorytest.TestSource(t, archive(""), "testdata/archive.txtar")
	}
	fmt.Printf("%T\n", test)
	// Output: func(*testing.T)
}
