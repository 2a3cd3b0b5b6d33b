package npm

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func BenchmarkX(b *testing.B) {
	var files [][]byte
	var n int64
	filepath.WalkDir(os.Getenv("NM"), func(p string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(p, "/package.json") {
			x, _ := os.ReadFile(p)
			if x != nil {
				files = append(files, x)
				n += int64(len(x))
			}
		}
		return nil
	})
	b.SetBytes(n)
	b.ReportAllocs()
	for b.Loop() {
		for _, f := range files {
			manifestFacts("app/node_modules/x", f)
		}
	}
	b.ReportMetric(float64(len(files)), "files")
}
func BenchmarkSkip(b *testing.B) {
	var files [][]byte
	var n int64
	filepath.WalkDir(os.Getenv("NM"), func(p string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(p, "/package.json") {
			x, _ := os.ReadFile(p)
			if x != nil {
				files = append(files, x)
				n += int64(len(x))
			}
		}
		return nil
	})
	b.SetBytes(n)
	b.ReportAllocs()
	for b.Loop() {
		for _, f := range files {
			r := newReader(f)
			r.document(r.skip)
		}
	}
}
func BenchmarkLock(b *testing.B) {
	x, _ := os.ReadFile(os.Getenv("LOCK"))
	b.SetBytes(int64(len(x)))
	b.ReportAllocs()
	for b.Loop() {
		var l lockfile
		readPackageLock(&l, x)
		l.facts()
	}
}
