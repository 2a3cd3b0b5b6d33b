package analyzertest

import (
	"bytes"
	"io"
	"io/fs"

	"github.com/stella-ops/stella/scan/analyzer"
)

// Streamed returns a file as analyzers whose Paths say Forward may see it: its bytes pass by
// once, and asking for random access gives analyzer.ErrForward.
func Streamed(path string, mode fs.FileMode, data []byte) *analyzer.File {
	return analyzer.NewFile(path, int64(len(data)), mode, streamed{bytes.NewReader(data)}, nil, nil)
}

type streamed struct{ r io.Reader }

func (s streamed) Read(p []byte) (int, error) { return s.r.Read(p) }

func (streamed) ReaderAt() (io.ReaderAt, error) { return nil, analyzer.ErrForward }
