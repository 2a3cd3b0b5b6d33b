package gobinary

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
)

// headBytes is how much of an executable is looked at for its headers, and the
// size of the only buffer.
const headBytes = 64 << 10

var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, headBytes) }}

// stream reads a file forwards and knows where it is.
type stream struct {
	b   *bufio.Reader
	off uint64 // of the next byte, from the start of the file
	err error  // why the content could not be read, if so; its end is no reason
}

func newStream(r io.Reader) *stream {
	b := buffers.Get().(*bufio.Reader)
	b.Reset(r)
	return &stream{b: b}
}

// release gives the buffer back; s must not be used afterwards.
func (s *stream) release() {
	s.b.Reset(nil)
	buffers.Put(s.b)
	s.b = nil
}

// peek returns the next n bytes, or fewer at the end of the file, without
// moving. They are valid until the next call.
func (s *stream) peek(n uint64) []byte {
	p, err := s.b.Peek(int(min(n, headBytes)))
	if err != nil && err != io.EOF {
		s.err = err
	}
	return p
}

// window returns at least one and at most n bytes, without moving, reading no
// more than the buffer takes at once. It fails at the end of the file.
func (s *stream) window(n uint64) ([]byte, error) {
	p := s.peek(n)
	if len(p) == 0 {
		return nil, errShort
	}
	return p, nil
}

// advance moves over bytes that were peeked at.
func (s *stream) advance(n int) {
	_, _ = s.b.Discard(n)
	s.off += uint64(n)
}

// skipTo moves forwards to an offset of the file.
func (s *stream) skipTo(off uint64) error {
	if off < s.off {
		return errPassed
	}
	for s.off < off {
		n, err := s.b.Discard(int(min(off-s.off, 1<<30)))
		s.off += uint64(n)
		if err != nil {
			return s.short(err)
		}
	}
	return nil
}

// read returns the next n bytes in memory of their own.
func (s *stream) read(n uint64) ([]byte, error) {
	p := make([]byte, n)
	m, err := io.ReadFull(s.b, p)
	s.off += uint64(m)
	if err != nil {
		return nil, s.short(err)
	}
	return p, nil
}

// errPassed means that bytes are asked for that have streamed by.
var errPassed = fmt.Errorf("refers to bytes that come earlier in the file: %w", fault.Unsupported)

// errShort means that the file ends before its headers say so.
var errShort = truncated{}

type truncated struct{}

func (truncated) Error() string        { return "the file is cut off" }
func (truncated) Is(target error) bool { return target == fault.Invalid }

// short remembers an error that is not the end of the file.
func (s *stream) short(err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		s.err = err
	}
	return errShort
}
