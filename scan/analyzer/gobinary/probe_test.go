package gobinary

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stella-ops/stella/scan/analyzer"
)

type fileContent struct{ io.Reader }

func (fileContent) ReaderAt() (io.ReaderAt, error) { return nil, errors.New("x") }

func TestProbe(t *testing.T) {
	var paths []string
	for _, root := range filepath.SplitList(os.Getenv("PROBE")) {
		filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				paths = append(paths, p)
			}
			return nil
		})
	}
	set := analyzer.NewSet(Analyzer{})
	var mine, oracle time.Duration
	n, gos := 0, 0
	var bytesRead int64
	for _, p := range paths {
		fh, err := os.Open(p)
		if err != nil {
			continue
		}
		head := make([]byte, 8)
		io.ReadFull(fh, head)
		fh.Seek(0, 0)
		st, _ := fh.Stat()
		if len(set.ByMagic(nil, p, head)) == 0 {
			fh.Close()
			continue
		}
		n++
		t0 := time.Now()
		cr := &counter{r: fh}
		facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewFile(p, st.Size(), 0o755, fileContent{cr}, nil, nil))
		mine += time.Since(t0)
		bytesRead += cr.n
		t0 = time.Now()
		bi, oerr := buildinfo.Read(fh)
		oracle += time.Since(t0)
		fh.Close()
		if oerr == nil {
			gos++
		}
		if err != nil {
			fmt.Println("ERR", p, err, oerr)
		} else if (oerr == nil) != (len(facts) > 0) {
			fmt.Println("DIFF", p, len(facts), oerr)
		} else if oerr == nil && len(facts) != len(bi.Deps)+2 {
			fmt.Println("COUNT", p, len(facts), len(bi.Deps))
		}
	}
	fmt.Println(n, gos, mine, oracle, bytesRead>>20, "MiB")
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
