package cargo

import (
	"errors"
	"fmt"
	"io"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/elffile"
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
	if section != nil || errors.Is(err, elffile.ErrPassed) {
		return analyzer.ErrAgain
	}
	return err
}

// newWindow reads r to its end and keeps its start and its end, and what lies between of the
// names of its sections, where the start says where that is.
func newWindow(r io.Reader, size int64) (elffile.Parts, error) {
	w := elffile.Parts{{Data: make([]byte, min(keptHead, size))}}
	if _, err := io.ReadFull(r, w[0].Data); err != nil {
		return nil, fmt.Errorf("read its start: %w", err)
	}
	done, tail := int64(len(w[0].Data)), max(int64(len(w[0].Data)), size-keptTail)
	if off, n := namesOf(w, size); n > 0 && off >= done && off+n <= tail {
		w = append(w, elffile.Part{Off: off, Data: make([]byte, n)})
	}
	w = append(w, elffile.Part{Off: tail, Data: make([]byte, size-tail)})
	for _, p := range w[1:] {
		if _, err := io.CopyN(io.Discard, r, p.Off-done); err != nil {
			return nil, fmt.Errorf("read on: %w", err)
		}
		if _, err := io.ReadFull(r, p.Data); err != nil {
			return nil, fmt.Errorf("read its end: %w", err)
		}
		done = p.Off + int64(len(p.Data))
	}
	return w, nil
}

// namesOf returns the place of the names of an ELF file's sections, as far as the start of
// the file tells: linkers differ in where they put them.
func namesOf(start elffile.Parts, size int64) (off, n int64) {
	b := &binaryFile{at: start, size: size}
	head := b.bytes(0, 64)
	h, ok := elfSections(head)
	if !ok {
		return 0, 0
	}
	entry := b.bytes(h.Sections.Off+h.Names*h.Sections.Entry, h.Sections.Entry)
	if entry == nil {
		return 0, 0
	}
	names := h.Section(entry)
	if names.Off > uint64(size) || names.Size > maxNames || names.Size > uint64(size)-names.Off {
		return 0, 0
	}
	return int64(names.Off), int64(names.Size)
}
