// Package inflate decompresses DEFLATE (RFC 1951) and gzip (RFC 1952). It accepts what
// compress/flate and compress/gzip accept and gives the same bytes, faster: it keeps 64 bits
// of input at hand, looks up two literals at a time, and writes straight into its window.
package inflate

import (
	"fmt"
	"io"

	"github.com/stella-ops/stella/internal/fault"
)

const (
	inSize   = 128 << 10 // of the input buffer
	history  = 32 << 10  // how far back a match may lead
	outSize  = history + 256<<10
	slack    = 320 // bytes that one step of the fast loop may write: three pairs, a match, and a word more
	outLimit = outSize - slack
)

// corrupt is the error of input that is not DEFLATE.
func (r *Reader) corrupt(what string) error {
	return fmt.Errorf("deflate stream before byte %d: %s: %w", r.taken+int64(r.ip), what, fault.Invalid)
}

// stage is what comes next in the stream.
type stage uint8

const (
	header stage = iota // of a block
	stored              // the rest of a stored block
	coded               // symbols of a coded block
	ended               // nothing
)

// Reader decompresses one DEFLATE stream. It reads ahead: what follows the stream is taken
// from the source too. It is not safe for concurrent use.
type Reader struct {
	src   io.Reader
	in    []byte // input; in[ip:n] has not been taken
	ip, n int
	taken int64 // bytes before in[0]
	eof   error // of the source; nil while there may be more

	bits  uint64 // the next nbits of the stream; above them more of in[ip:], or nothing
	nbits uint

	out    []byte
	base   int // where the stream begins in out, at least as far as matches lead
	op, rp int // out[rp:op] has not been read

	at    stage
	last  bool // the block is the last one
	left  int  // of a stored block
	err   error
	codes codes
}

// NewReader returns a reader of the stream that src begins with.
func NewReader(src io.Reader) *Reader {
	return &Reader{src: src, in: make([]byte, inSize), out: make([]byte, outSize)}
}

// Reset begins anew with the stream that src begins with, and keeps the buffers.
func (r *Reader) Reset(src io.Reader) {
	r.src, r.ip, r.n, r.taken, r.eof = src, 0, 0, 0, nil
	r.bits, r.nbits, r.base, r.op, r.rp = 0, 0, 0, 0, 0
	r.at, r.last, r.left, r.err = header, false, 0, nil
}

// Read implements io.Reader. Errors of the source are passed on; a stream that ends early is
// io.ErrUnexpectedEOF, and anything that is not DEFLATE wraps fault.Invalid.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for r.rp == r.op {
		if r.err != nil {
			return 0, r.err
		}
		r.err = r.step()
	}
	n := copy(p, r.out[r.rp:r.op])
	r.rp += n
	return n, nil
}

// step decodes more: at least a byte, unless it returns an error.
func (r *Reader) step() error {
	if r.op >= outLimit {
		r.slide()
	}
	for r.rp == r.op {
		var err error
		switch r.at {
		case header:
			err = r.block()
		case stored:
			err = r.copyStored()
		case coded:
			err = r.symbols()
		case ended:
			return io.EOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// slide moves the history to the front of the window. All of it has been read.
func (r *Reader) slide() {
	from := max(r.op-history, r.base)
	n := copy(r.out, r.out[from:r.op])
	r.op, r.rp, r.base = n, n, 0
}

// fill reads more input: at least a byte, unless it returns the source's error.
func (r *Reader) fill() error {
	r.giveBack()
	r.taken += int64(r.ip)
	r.n = copy(r.in, r.in[r.ip:r.n])
	r.ip = 0
	for tries := 0; r.eof == nil; tries++ {
		n, err := r.src.Read(r.in[r.n:])
		r.n += n
		if r.eof = err; n > 0 {
			return nil
		}
		if tries == 100 && err == nil {
			r.eof = io.ErrNoProgress
		}
	}
	if r.eof == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return r.eof
}

// giveBack returns whole bytes of bits to the input.
func (r *Reader) giveBack() {
	r.ip -= int(r.nbits >> 3)
	r.nbits &= 7
	r.bits &= 1<<r.nbits - 1
}

// need has at least k bits at hand, k being at most 56.
func (r *Reader) need(k uint) error {
	for r.nbits < k {
		if r.ip == r.n {
			if err := r.fill(); err != nil {
				return err
			}
			continue
		}
		r.bits |= uint64(r.in[r.ip]) << r.nbits
		r.ip++
		r.nbits += 8
	}
	return nil
}

// take takes k bits, which are at hand.
func (r *Reader) take(k uint) uint32 {
	v := uint32(r.bits & (1<<k - 1))
	r.bits >>= k
	r.nbits -= k
	return v
}

// block reads the header of a block (RFC 1951, 3.2.3).
func (r *Reader) block() error {
	if r.last {
		r.bits >>= r.nbits & 7
		r.nbits -= r.nbits & 7
		r.giveBack()
		r.at = ended
		return io.EOF
	}
	if err := r.need(3); err != nil {
		return err
	}
	r.last = r.take(1) == 1
	switch r.take(2) {
	case 0:
		return r.storedHeader()
	case 1:
		r.codes.fixed()
		r.at = coded
		return nil
	case 2:
		r.at = coded
		return r.dynamic()
	}
	return r.corrupt("a block of no type")
}

func (r *Reader) storedHeader() error {
	r.bits >>= r.nbits & 7
	r.nbits -= r.nbits & 7
	if err := r.need(32); err != nil {
		return err
	}
	n, check := r.take(16), r.take(16)
	if n != ^check&0xffff {
		return r.corrupt("a stored block whose length and its complement differ")
	}
	r.giveBack()
	r.left, r.at = int(n), stored
	if n == 0 {
		r.at = header
	}
	return nil
}

// copyStored passes on as much of a stored block as there is.
func (r *Reader) copyStored() error {
	if r.ip == r.n {
		if err := r.fill(); err != nil {
			return err
		}
	}
	n := copy(r.out[r.op:outLimit], r.in[r.ip:min(r.n, r.ip+r.left)])
	r.op += n
	r.ip += n
	if r.left -= n; r.left == 0 {
		r.at = header
	}
	return nil
}

// symbols decodes a coded block until its end, a full window, or the end of the input that
// is at hand.
func (r *Reader) symbols() error {
	for r.op < outLimit {
		if r.n-r.ip < margin {
			if r.op > r.rp {
				return nil // what there is first: the source may take its time
			}
			if r.eof == nil {
				if err := r.fill(); err != nil && err != io.ErrUnexpectedEOF {
					return err
				}
				continue
			}
		}
		if err := r.fast(); err != nil || r.at != coded {
			return err
		}
		if r.op >= outLimit || r.n-r.ip >= margin {
			continue
		}
		if err := r.slow(); err != nil || r.at != coded {
			return err
		}
	}
	return nil
}

// slow decodes one symbol, near the end of the input.
func (r *Reader) slow() error {
	e, err := r.lookup(r.codes.lit[:], litBits, true)
	switch {
	case err != nil:
		return err
	case e&isSpecial != 0:
		if e&isNone != 0 {
			return r.corrupt("a code of no symbol")
		}
		r.take(uint(e & bitsMask))
		r.at = header
		return nil
	case e&isLiteral != 0:
		r.take(uint(e >> firstShift & 0xf))
		r.out[r.op] = byte(e >> 8)
		r.op++
		return nil
	}
	length, err := r.value(e)
	if err != nil {
		return err
	}
	if e, err = r.lookup(r.codes.dist[:], distBits, false); err != nil {
		return err
	}
	if e&isSpecial != 0 {
		return r.corrupt("a code of no distance")
	}
	distance, err := r.value(e)
	if err != nil {
		return err
	}
	if distance > r.op-r.base {
		return r.corrupt("a match before the beginning")
	}
	for range length {
		r.out[r.op] = r.out[r.op-distance]
		r.op++
	}
	return nil
}

// lookup finds the entry of the next code, whose bits are at hand then.
func (r *Reader) lookup(table []uint32, width uint, literals bool) (uint32, error) {
	start := uint32(0)
	for {
		e := table[start+uint32(r.bits&(1<<width-1))]
		used := uint(e >> 8 & 0xf)
		switch {
		case e&isSpecial != 0:
			used = uint(e & bitsMask)
		case literals && e&isLiteral != 0:
			used = uint(e >> firstShift & 0xf)
		}
		if used > r.nbits {
			if err := r.need(r.nbits + 1); err != nil {
				return 0, err
			}
			continue
		}
		if e&(isSpecial|isBelow) != isSpecial|isBelow {
			return e, nil
		}
		r.take(used)
		start, width = e>>16&0xfff, uint(e>>8&0xf)
	}
}

// value takes a code and its extra bits, and returns what they say.
func (r *Reader) value(e uint32) (int, error) {
	if err := r.need(uint(e & bitsMask)); err != nil {
		return 0, err
	}
	extra := r.take(uint(e&bitsMask)) >> (e >> 8 & 0xf)
	return int(e>>16&0x7fff) + int(extra), nil
}
