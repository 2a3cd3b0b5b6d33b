package layer

import (
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/stella-ops/stella/internal/fault"
)

const (
	chunkSize = 256 << 10 // bytes handed from the producer to the walker at a time
	headroom  = 4 << 10   // room in front of a chunk for what was left of the one before
	chunks    = 4         // in flight: one filled, one walked, two on the way
)

// chunk is a buffer with data at [headroom:headroom+n], or an end.
type chunk struct {
	buf []byte
	n   int
	err error
}

// stream reads ahead on its own goroutine, so that decompression overlaps
// hashing and walking, and hands whole buffers over without copying them.
type stream struct {
	hash   hash.Hash // of everything taken, or nil
	filled chan chunk
	free   chan []byte
	stop   chan struct{}
	cur    []byte // the chunk being walked
	pos    int    // next byte of cur
	end    int
	taken  int64 // bytes before cur[end]
	err    error // sticky, after cur is used up
}

// newStream starts reading r. Every byte goes through h, when it is not nil.
func newStream(r io.Reader, h hash.Hash) *stream {
	s := &stream{hash: h, filled: make(chan chunk, chunks), free: make(chan []byte, chunks), stop: make(chan struct{})}
	go s.produce(r)
	return s
}

func (s *stream) produce(r io.Reader) {
	defer close(s.filled)
	for made := 0; ; {
		buf := s.buffer(&made)
		if buf == nil {
			return
		}
		n, err := readFull(r, buf[headroom:headroom+chunkSize])
		select {
		case s.filled <- chunk{buf, n, err}:
		case <-s.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// buffer gives a buffer that is free, or a new one while there are not enough:
// small layers need only one. It returns nil when the stream is stopped.
func (s *stream) buffer(made *int) []byte {
	select {
	case buf := <-s.free:
		return buf
	default:
	}
	if *made < chunks {
		*made++
		return make([]byte, headroom+chunkSize)
	}
	select {
	case buf := <-s.free:
		return buf
	case <-s.stop:
		return nil
	}
}

// readFull fills p as far as r goes. Unlike io.ReadFull it keeps the reader's
// own error, and stops a reader that makes no progress. A decompressor that
// panics fails alone: nobody else could recover it on this goroutine.
func readFull(r io.Reader, p []byte) (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			n, err = 0, fmt.Errorf("decompressor panicked: %v: %w", v, fault.Invalid)
		}
	}()
	idle := 0
	for n < len(p) {
		m, err := r.Read(p[n:])
		n += m
		if err != nil {
			return n, err
		}
		if m > 0 {
			idle = 0
		} else if idle++; idle == 100 {
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}

// close stops the producer. The reader it reads from must be closed after the
// producer is done, so close waits for it.
func (s *stream) close() {
	close(s.stop)
	for range s.filled { // until the producer closes it
	}
}

// offset is the position of the next byte in the stream.
func (s *stream) offset() int64 { return s.taken - int64(s.end-s.pos) }

// fill makes at least one more byte available, keeping what is left in front.
func (s *stream) fill() error {
	if s.err != nil {
		return s.err
	}
	left := s.end - s.pos
	c, ok := <-s.filled
	if !ok {
		s.err = errors.New("layer stream was stopped")
		return s.err
	}
	if s.hash != nil {
		s.hash.Write(c.buf[headroom : headroom+c.n])
	}
	s.taken += int64(c.n)
	copy(c.buf[headroom-left:headroom], s.cur[s.pos:s.end])
	if s.cur != nil {
		s.free <- s.cur
	}
	s.cur, s.pos, s.end, s.err = c.buf, headroom-left, headroom+c.n, c.err
	if c.n == 0 {
		return s.err
	}
	return nil
}

// peek returns the next n bytes, at most headroom, without taking them; fewer
// with the reason when the stream ends before.
func (s *stream) peek(n int) ([]byte, error) {
	for s.end-s.pos < n {
		if err := s.fill(); err != nil {
			return s.cur[s.pos:s.end], err
		}
	}
	return s.cur[s.pos : s.pos+n], nil
}

// skip takes n bytes.
func (s *stream) skip(n int64) error {
	for {
		if have := int64(s.end - s.pos); have >= n {
			s.pos += int(n)
			return nil
		} else {
			s.pos, n = s.end, n-have
		}
		if err := s.fill(); err != nil {
			return unexpected(err)
		}
	}
}

// Read takes bytes that are at hand.
func (s *stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if s.pos == s.end {
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.cur[s.pos:s.end])
	s.pos += n
	return n, nil
}

// drain takes all that is left and reports whether any of it is not zero.
func (s *stream) drain() (nonzero bool, err error) {
	for {
		for _, b := range s.cur[s.pos:s.end] {
			if b != 0 {
				nonzero = true
				break
			}
		}
		s.pos = s.end
		if err := s.fill(); err == io.EOF {
			return nonzero, nil
		} else if err != nil {
			return nonzero, err
		}
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
