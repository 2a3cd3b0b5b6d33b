package crashtest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stella-ops/stella/store/crashpoint"
	"github.com/stella-ops/stella/store/crashpoint/crashtest"
)

// A package that has crash points has these two tests: the process that dies, and what
// kills it and looks at what it left.
func Example() {
	_ = func(t *testing.T) { // func TestCrashChild(t *testing.T)
		crashtest.Child(t, func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "state"), []byte("done"), 0o600)
		})
	}
	_ = func(t *testing.T) { // func TestCrashes(t *testing.T)
		for _, p := range crashpoint.All() {
			dir := t.TempDir()
			for nth := 1; crashtest.Run(t, dir, p, nth); nth++ {
				// Start again in dir, and want the state of a process that never died.
			}
		}
	}
	// Output:
}
