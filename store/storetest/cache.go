package storetest

import (
	"testing"

	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/cache"
	"github.com/stella-ops/stella/store/cache/cachetest"
)

func testCache(t *testing.T, open func(testing.TB) *store.Root) {
	cachetest.Test(t, func(t *testing.T) cache.Driver { return open(t).CacheDriver() }, nil)
}
