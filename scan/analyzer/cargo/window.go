package cargo

import (
	"errors"
	"fmt"
	"io"

	"github.com/stella-ops/stella/scan/analyzer"
)

// What is kept of an executable that streams by: its headers are there, in ELF at the end.
const (
	keptHead = 64 << 10
	keptTail = 256 << 10
)

// look reads f forwards and returns ErrAgain if it has the section, or may have: what the
// section holds is gone by then.
func look(f *analyzer.File) error {
	w, err := newWindow(f, f.Size)
	if err != nil {
		return err
	}
	section, err := findSection(w, f.Size)
	if section != nil || errors.Is(err, errPassed) {
		return analyzer.ErrAgain
	}
	return err
}

// errPassed means that a part of the file was not kept.
var errPassed = errors.New("that part of the file has passed by")

// window holds the start and the end of a file.
type window struct {
	head, tail []byte
	at         int64 // of tail
}

func newWindow(r io.Reader, size int64) (*window, error) {
	w := &window{head: make([]byte, min(keptHead, size))}
	if _, err := io.ReadFull(r, w.head); err != nil {
		return nil, fmt.Errorf("read its start: %w", err)
	}
	w.at = max(int64(len(w.head)), size-keptTail)
	if _, err := io.CopyN(io.Discard, r, w.at-int64(len(w.head))); err != nil {
		return nil, fmt.Errorf("read on: %w", err)
	}
	w.tail = make([]byte, size-w.at)
	if _, err := io.ReadFull(r, w.tail); err != nil {
		return nil, fmt.Errorf("read its end: %w", err)
	}
	return w, nil
}

// ReadAt reads what was kept; anything else is errPassed.
func (w *window) ReadAt(p []byte, off int64) (int, error) {
	from, base := w.head, int64(0)
	if off >= w.at {
		from, base = w.tail, w.at
	}
	if off < base || off-base > int64(len(from)) || int64(len(p)) > int64(len(from))-(off-base) {
		return 0, errPassed
	}
	return copy(p, from[off-base:]), nil
}
