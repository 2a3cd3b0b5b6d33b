package layer

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"os"
	"slices"

	"github.com/stella-ops/stella/internal/fault"
)

const (
	holdMax    = 4 << 20 // bytes of a file held in memory for random access; more goes to a temporary file
	keepBuffer = 8 << 20 // buffers that grew over this are not kept for the next file
)

// body is the content of the entry that the stream stands at.
type body struct {
	p     *pass
	size  int64
	left  int64
	start int64 // offset in the uncompressed tar
	at    io.ReaderAt
	spill *os.File
}

// Read takes bytes of the entry from the stream.
func (b *body) Read(q []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.p.s.Read(q[:min(int64(len(q)), b.left)])
	b.took(n)
	return n, unexpected(err)
}

// view takes what is at hand of the entry, until the next call.
func (b *body) view() ([]byte, error) {
	if b.left == 0 {
		return nil, io.EOF
	}
	v, err := b.p.s.view(b.left)
	b.took(len(v))
	return v, unexpected(err)
}

func (b *body) took(n int) {
	b.left -= int64(n)
	b.p.tar.rest -= int64(n)
}

// ReaderAt gives the body in place, in memory or from an unlinked file. It is valid until
// the next entry is read.
func (b *body) ReaderAt() (io.ReaderAt, error) {
	if b.at != nil {
		return b.at, nil
	}
	if b.left != b.size {
		return nil, errors.New("random access was asked for after reading")
	}
	if v, ok := b.p.s.whole(b.size); ok {
		b.took(len(v))
		b.at = bytes.NewReader(v)
		return b.at, nil
	}
	var err error
	switch {
	case b.p.at != nil && (b.size > holdMax || len(b.p.by) == 1): // else several read it, and it passes by in any case
		b.at = io.NewSectionReader(b.p.at, b.start, b.size)
	case b.size <= holdMax:
		b.at, err = b.hold()
	default:
		b.at, err = b.toDisk()
	}
	return b.at, err
}

func (b *body) hold() (io.ReaderAt, error) {
	if int64(cap(b.p.held)) < b.size {
		b.p.held = make([]byte, 1<<bits.Len64(uint64(b.size-1))) // so that it seldom grows
	}
	data := b.p.held[:b.size]
	if _, err := io.ReadFull(b, data); err != nil {
		return nil, err
	}
	return bytes.NewReader(data), nil
}

func (b *body) toDisk() (io.ReaderAt, error) {
	limit := b.p.opt.Budget.Limits.SpillBytes
	if b.size > limit {
		return nil, &fault.LimitError{What: "bytes of a file that needs random access", Where: "temporary file", Max: limit, Seen: b.size}
	}
	f, err := os.CreateTemp(b.p.opt.TempDir, "stella-*")
	if err != nil {
		return nil, fmt.Errorf("keep a file for random access: %w", err)
	}
	b.spill = f
	if err := os.Remove(f.Name()); err != nil {
		return nil, fmt.Errorf("keep a file for random access: %w", err)
	}
	if _, err := io.Copy(f, onlyReader{b}); err != nil {
		return nil, fmt.Errorf("keep a file for random access: %w", err)
	}
	return f, nil
}

func (b *body) release() {
	if b.spill != nil {
		_ = b.spill.Close() // nothing was kept: the file has no name
		b.spill = nil
	}
}

// onlyReader hides everything but Read.
type onlyReader struct{ io.Reader }

// section is content that is random access by nature.
type section struct{ *io.SectionReader }

// ReaderAt returns the section itself.
func (s section) ReaderAt() (io.ReaderAt, error) { return s.SectionReader, nil }

func newBuffer() *bytes.Buffer { return new(bytes.Buffer) }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
