package layer

import (
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/hashpair"
)

const (
	chunkSize = 256 << 10 // bytes handed from the producer to the walker at a time
	headroom  = 4 << 10   // room in front of a chunk for what was left of the one before
	chunks    = 4         // in flight: one filled, one walked, two on the way
	plainSize = 512 << 10 // a chunk of what is read in place: most files lie in one, and it fits into a cache
)

// chunk is a buffer with data at [at:at+n], or an end.
type chunk struct {
	buf   []byte
	at, n int
	err   error
}

// stream reads a layer by chunks. One that is to be decompressed is read ahead on
// a goroutine of its own, so that this overlaps hashing and walking, and whole
// buffers are handed over without copying them. Any other is read where it is
// walked, into a buffer that stays near the processor.
type stream struct {
	plain  io.Reader // what is read in place, or nil
	hash   hash.Hash // of everything before cur[hashed], or nil
	hashed int
	also   hash.Hash // of a file as well, or nil
	more   int64     // bytes of that file from cur[hashed] on
	filled chan chunk
	free   chan []byte
	stop   chan struct{}
	cur    []byte // the chunk being walked
	pos    int    // next byte of cur
	end    int
	taken  int64 // bytes before cur[end]
	err    error // sticky, after cur is used up
}

// newPlain reads r as it is asked for. Every byte goes through h, when it is not nil.
func newPlain(r io.Reader, h hash.Hash) *stream { return &stream{hash: h, plain: r} }

// newStream starts reading r ahead. Every byte goes through h, when it is not nil.
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
		case s.filled <- chunk{buf: buf, n: n, err: err}:
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
	if s.plain != nil {
		return
	}
	close(s.stop)
	for range s.filled { // until the producer closes it
	}
}

// offset is the position of the next byte in the stream.
func (s *stream) offset() int64 { return s.taken - int64(s.end-s.pos) }

// fill makes at least one more byte available, keeping what is left in front.
func (s *stream) fill() error {
	s.digest(s.end)
	if s.err != nil {
		return s.err
	}
	left := s.end - s.pos
	c, err := s.next()
	if err != nil {
		s.err = err
		return err
	}
	s.taken += int64(c.n)
	s.cur, s.pos, s.hashed, s.end, s.err = c.buf, c.at-left, c.at, c.at+c.n, c.err
	if c.n == 0 {
		return s.err
	}
	return nil
}

// next returns the next chunk, with what is left of this one in front.
func (s *stream) next() (c chunk, err error) {
	if s.plain == nil {
		var ok bool
		if c, ok = <-s.filled; !ok {
			return c, errors.New("layer stream was stopped")
		}
		c.at = headroom
		copy(c.buf[c.at-(s.end-s.pos):], s.cur[s.pos:s.end])
		if s.cur != nil {
			s.free <- s.cur
		}
		return c, nil
	}
	if c.buf = s.cur; c.buf == nil {
		c.buf = make([]byte, headroom+plainSize)
	}
	c.at = max(headroom, s.end-s.pos)
	copy(c.buf[c.at-(s.end-s.pos):], s.cur[s.pos:s.end])
	c.n, c.err = readFull(s.plain, c.buf[c.at:])
	return c, nil
}

// digest hashes what is not hashed yet of cur before end. Hashing waits as long as it can, so
// that the digest of a file can be had with that of the stream.
func (s *stream) digest(end int) {
	if s.also != nil && s.hashed < end {
		part := s.cur[s.hashed:min(end, s.hashed+int(min(s.more, plainSize)))]
		if s.hash != nil {
			hashpair.Write(s.hash, s.also, part)
		} else {
			s.also.Write(part)
		}
		s.hashed, s.more = s.hashed+len(part), s.more-int64(len(part))
		if s.more == 0 {
			s.also = nil
		}
	}
	if s.hashed < end {
		if s.hash != nil {
			s.hash.Write(s.cur[s.hashed:end])
		}
		s.hashed = end
	}
}

// follow gives the next n bytes to h too, at the latest when digest is called behind them.
func (s *stream) follow(h hash.Hash, n int64) {
	if s.pos < s.hashed { // they were looked at before
		part := s.cur[s.pos:min(s.hashed, s.pos+int(min(n, plainSize)))]
		h.Write(part)
		n -= int64(len(part))
	} else {
		s.digest(s.pos)
	}
	if n > 0 {
		s.also, s.more = h, n
	}
}

// unfollow gives nothing more to what follow was called for.
func (s *stream) unfollow() { s.also = nil }

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
	view, err := s.view(int64(len(p)))
	return copy(p, view), err
}

// view takes bytes that are at hand, one to n, without copying them: they are valid until
// more are asked for.
func (s *stream) view(n int64) ([]byte, error) {
	if s.pos == s.end {
		if err := s.fill(); err != nil {
			return nil, err
		}
	}
	v := s.cur[s.pos:s.end]
	v = v[:min(int64(len(v)), n)]
	s.pos += len(v)
	return v, nil
}

// whole takes n bytes as view does, if so many are at hand or there is room for them.
func (s *stream) whole(n int64) ([]byte, bool) {
	for s.plain != nil && n <= plainSize && int64(s.end-s.pos) < n {
		if s.fill() != nil {
			break // whoever reads on is told
		}
	}
	if int64(s.end-s.pos) < n {
		return nil, false
	}
	v := s.cur[s.pos : s.pos+int(n)]
	s.pos += int(n)
	return v, true
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
