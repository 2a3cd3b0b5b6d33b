package cargo

import (
	"bytes"
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

// window holds parts of a file.
type window []part

// part is what lies at a place of a file.
type part struct {
	at   int64
	data []byte
}

// newWindow reads r to its end and keeps its start and its end, and what lies between of the
// names of its sections, where the start says where that is.
func newWindow(r io.Reader, size int64) (window, error) {
	w := window{{0, make([]byte, min(keptHead, size))}}
	if _, err := io.ReadFull(r, w[0].data); err != nil {
		return nil, fmt.Errorf("read its start: %w", err)
	}
	done, tail := int64(len(w[0].data)), max(int64(len(w[0].data)), size-keptTail)
	if off, n := namesOf(w, size); n > 0 && off >= done && off+n <= tail {
		w = append(w, part{off, make([]byte, n)})
	}
	w = append(w, part{tail, make([]byte, size-tail)})
	for _, p := range w[1:] {
		if _, err := io.CopyN(io.Discard, r, p.at-done); err != nil {
			return nil, fmt.Errorf("read on: %w", err)
		}
		if _, err := io.ReadFull(r, p.data); err != nil {
			return nil, fmt.Errorf("read its end: %w", err)
		}
		done = p.at + int64(len(p.data))
	}
	return w, nil
}

// namesOf returns the place of the names of an ELF file's sections, as far as the start of
// the file tells: linkers differ in where they put them.
func namesOf(start window, size int64) (off, n int64) {
	b := &binaryFile{at: start, size: size}
	head := b.bytes(0, 64)
	if !bytes.HasPrefix(head, []byte("\x7fELF")) {
		return 0, 0
	}
	t, ok := elfSections(head)
	if !ok {
		return 0, 0
	}
	entry := b.bytes(t.table+t.names*t.entry, t.entry)
	if entry == nil {
		return 0, 0
	}
	_, at, length := t.place(entry)
	if at > uint64(size) || length > maxNames || length > uint64(size)-at {
		return 0, 0
	}
	return int64(at), int64(length)
}

// ReadAt reads what was kept; anything else is errPassed.
func (w window) ReadAt(p []byte, off int64) (int, error) {
	for _, x := range w {
		if from := off - x.at; from >= 0 && from <= int64(len(x.data)) && int64(len(p)) <= int64(len(x.data))-from {
			return copy(p, x.data[from:]), nil
		}
	}
	return 0, errPassed
}
