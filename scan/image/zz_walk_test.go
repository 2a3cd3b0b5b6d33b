//go:build unix

package image

import (
	"io/fs"
	"os"
	"testing"
	"time"
)

func TestZZWalk(t *testing.T) {
	root := "/usr"
	for _, which := range []string{"warm", "tree", "dirfs", "osroot"} {
		var fsys fs.FS
		switch which {
		case "tree":
			_, fsys = openTestDir(t, root)
		case "osroot":
			r, _ := os.OpenRoot(root)
			fsys = r.FS()
		default:
			fsys = os.DirFS(root)
		}
		start := time.Now()
		n := 0
		fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				if which == "tree" {
					fs.Lstat(fsys, p)
				}
				f, err := fsys.Open(p)
				if err == nil {
					f.Close()
					n++
				}
			}
			return nil
		})
		t.Log(which, n, time.Since(start))
	}
}
