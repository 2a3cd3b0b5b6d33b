package cachetest_test

import (
	"testing"

	"github.com/stella-ops/stella/store/cache"
	"github.com/stella-ops/stella/store/cache/cachetest"
)

// A driver's test calls Test with a function that returns an empty one.
func ExampleTest() {
	_ = func(t *testing.T) { // func TestMyDriver(t *testing.T)
		cachetest.Test(t, func(*testing.T) cache.Driver { return cache.NewMem(cache.MemLimits{}) }, nil)
	}
	// Output:
}
