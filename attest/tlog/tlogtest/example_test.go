package tlogtest_test

import (
	"testing"

	"github.com/stella-ops/stella/attest/tlog"
	"github.com/stella-ops/stella/attest/tlog/tlogtest"
)

// An own storage is proved by two calls in its tests.
func Example() {
	_ = func(t *testing.T) { // func TestStorage(t *testing.T)
		s := tlog.NewMem()
		tlogtest.Files(t, s.Files)
		tlogtest.Head(t, func() tlog.Head { return s.Head })
	}
	// Output:
}
