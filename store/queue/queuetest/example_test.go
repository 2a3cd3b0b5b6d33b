package queuetest_test

import (
	"fmt"
	"testing"

	"github.com/stella-ops/stella/store/queue"
	"github.com/stella-ops/stella/store/queue/queuetest"
)

// A driver's test hands the suite a way to open it.
func ExampleTestDriver() {
	openEmpty := func(t *testing.T) queue.Driver {
		t.Skip("STELLA_TEST_MINE is not set")
		return nil
	}
	test := func(t *testing.T) {
		queuetest.TestDriver(t, queuetest.Config{Open: openEmpty})
	}
	fmt.Printf("%T\n", test)
	// Output: func(*testing.T)
}
