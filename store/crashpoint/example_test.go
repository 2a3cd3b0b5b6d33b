package crashpoint_test

import (
	"fmt"

	"github.com/stella-ops/stella/store/crashpoint"
)

// A test notes which points were passed; it may as well kill the process.
func Example() {
	before := crashpoint.Set(func(p crashpoint.Point) { fmt.Println("passed", p) })
	defer crashpoint.Set(before)

	crashpoint.Hit(crashpoint.BlobNamed) // as code does after it named an object
	// Output: passed blob.named
}
