package secrets_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/secrets"
)

// TestMachine searches the folders that STELLA_SECRET_TREES names, separated as a PATH is,
// and logs what every rule finds there, for people to judge. It fails where a
// file cannot be searched that can be read.
func TestMachine(t *testing.T) {
	trees := os.Getenv("STELLA_SECRET_TREES")
	if trees == "" {
		t.Skip("STELLA_SECRET_TREES names no folders of this machine")
	}
	a := secrets.Analyzer{}
	set := analyzer.NewSet(a)
	var files, bytes int64
	counts := map[string]int{}
	for _, tree := range filepath.SplitList(trees) {
		err := filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
			name := strings.TrimPrefix(path, "/")
			if err != nil || !d.Type().IsRegular() || len(set.ByPath(nil, name)) == 0 {
				return nil
			}
			f, err := os.Open(path)
			if err != nil {
				return nil
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				return nil
			}
			c := &counted{f: f}
			facts, err := a.Extract(context.Background(), analyzer.NewFile(name, info.Size(), 0, c, nil, nil))
			if err != nil && !errors.Is(err, secrets.ErrLimit) {
				t.Error(err)
			} else if err != nil {
				t.Log(err)
			}
			files, bytes = files+1, bytes+c.n
			for _, f := range facts {
				counts[f.Secret.Rule]++
				t.Logf("%s:%d: %s: %s", name, f.Secret.Line, f.Secret.Rule, f.Secret.Masked)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d files, %d MB of them were read", files, bytes>>20)
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%6d %s", counts[id], id)
	}
}

// counted is content that streams by.
type counted struct {
	f *os.File
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.f.Read(p)
	c.n += int64(n)
	return n, err
}

func (*counted) ReaderAt() (io.ReaderAt, error) { return nil, analyzer.ErrForward }
