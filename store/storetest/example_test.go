package storetest_test

import (
	"path/filepath"
	"testing"

	"github.com/stella-ops/stella/store"
	"github.com/stella-ops/stella/store/sqlite"
	"github.com/stella-ops/stella/store/storetest"
)

// What a driver's own test looks like.
func ExampleTestRoot() {
	_ = func(t *testing.T) {
		storetest.TestRoot(t, storetest.Config{Open: func(t testing.TB) *store.Root {
			root, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "stella.db"))
			if err != nil {
				t.Fatal(err)
			}
			return root
		}})
	}
	// Output:
}
