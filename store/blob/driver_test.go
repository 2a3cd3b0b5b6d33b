package blob_test

import (
	"os"
	"testing"

	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/store/blob/blobtest"
)

func TestMem(t *testing.T) {
	blobtest.Test(t, func(t *testing.T) blob.Driver { return blob.NewMem(0) }, nil)
}

func TestFile(t *testing.T) {
	blobtest.Test(t, func(t *testing.T) blob.Driver {
		d, err := blob.NewFile(quickDir(t))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		return d
	}, nil)
}

// quickDir is a folder in memory where there is one: the suite syncs thousands of
// files.
func quickDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "stella-blob-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
