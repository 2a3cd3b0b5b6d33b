package blobtest_test

import (
	"testing"

	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/blob/blobtest"
)

// A driver's test calls Test with a function that returns an empty one.
func ExampleTest() {
	_ = func(t *testing.T) { // func TestMyDriver(t *testing.T)
		blobtest.Test(t, func(*testing.T) blob.Driver { return blob.NewMem(0) }, nil)
	}
	// Output:
}
