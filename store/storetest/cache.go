package storetest

import (
	"testing"

	"github.com/stella-ops/stella/store"
)

func testCache(t *testing.T, open func(testing.TB) *store.Root) {
	t.Skip("TODO")
}
