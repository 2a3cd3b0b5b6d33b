package folder

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/notify/timeline"
)

// lastLine returns where the last whole line ends, and the line without its line feed;
// nil without any. It reads from the end.
func lastLine(f *os.File) (end int64, line []byte, err error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, nil, err
	}
	const most = 2 * (timeline.MaxCheckpoint + 1) // a whole line, and half of another
	for window := int64(64 << 10); ; window *= 4 {
		from := max(size-min(window, most), 0)
		b := make([]byte, size-from)
		if _, err := f.ReadAt(b, from); err != nil && err != io.EOF {
			return 0, nil, err
		}
		stop := bytes.LastIndexByte(b, '\n')
		if start := bytes.LastIndexByte(b[:max(stop, 0)], '\n'); stop >= 0 && (start >= 0 || from == 0) {
			return from + int64(stop) + 1, b[start+1 : stop], nil
		}
		if from == 0 {
			return 0, nil, nil
		}
		if window >= most {
			return 0, nil, &fault.LimitError{What: "bytes of a checkpoint", Where: f.Name(), Max: timeline.MaxCheckpoint}
		}
	}
}

// lines reads lines that are whole.
type lines struct{ in *bufio.Reader }

func newLines(r io.Reader) *lines {
	return &lines{bufio.NewReaderSize(r, timeline.MaxCheckpoint+1)}
}

func (l *lines) next() ([]byte, error) {
	line, err := l.in.ReadSlice('\n')
	if err != nil {
		return nil, fmt.Errorf("read a line: %w", err)
	}
	return line[:len(line)-1], nil
}
