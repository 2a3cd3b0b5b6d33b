package inflate

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/stella-ops/stella/internal/fault"
)

// maxName bounds the name and the comment of a gzip member, as compress/gzip does.
const maxName = 512

// Gzip decompresses gzip members, one after the other, until the end of its source. It is
// not safe for concurrent use.
type Gzip struct {
	r    Reader
	sum  uint32
	size uint32
	err  error
}

// NewGzip reads the header of the first member. The error of an empty source is io.EOF.
func NewGzip(src io.Reader) (*Gzip, error) {
	z := &Gzip{r: Reader{src: src, in: make([]byte, inSize), out: make([]byte, outSize)}}
	if err := z.member(); err != nil {
		return nil, err
	}
	return z, nil
}

// Read implements io.Reader. Errors are those of [Reader.Read]; a member whose checksum or
// length differs, and what follows a member without being one, wrap fault.Invalid.
func (z *Gzip) Read(p []byte) (int, error) {
	for z.err == nil {
		n, err := z.r.Read(p)
		z.sum = crc32.Update(z.sum, crc32.IEEETable, p[:n])
		z.size += uint32(n)
		if err == io.EOF {
			if err = z.trailer(); err == nil {
				err = z.member()
			}
		}
		if z.err = err; n > 0 || len(p) == 0 {
			return n, nil
		}
	}
	return 0, z.err
}

// bytes are read one at a time around members: there are few.
func (z *Gzip) byte() (byte, error) {
	if err := z.r.need(8); err != nil {
		return 0, err
	}
	return byte(z.r.take(8)), nil
}

// trailer compares what was read with the checksum and the length of a member.
func (z *Gzip) trailer() error {
	var got [8]byte
	for i := range got {
		var err error
		if got[i], err = z.byte(); err != nil {
			return err
		}
	}
	for i := range 4 {
		if got[i] != byte(z.sum>>(8*i)) || got[4+i] != byte(z.size>>(8*i)) {
			return fmt.Errorf("gzip member: its checksum or length is not that of its content: %w", fault.Invalid)
		}
	}
	return nil
}

var errHeader = fmt.Errorf("gzip header: what is there is none: %w", fault.Invalid)

// member reads the header of the next member (RFC 1952, 2.3). Its error is io.EOF where there
// is none.
func (z *Gzip) member() error {
	h := heading{z: z}
	id := h.next()
	if errors.Is(h.err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	if second, method := h.next(), h.next(); h.err == nil && (id != 0x1f || second != 0x8b || method != 8) {
		return errHeader
	}
	flags := h.next()
	for range 6 {
		h.next()
	}
	if h.err == nil && flags&0xe0 != 0 { // RFC 1952, 2.3.1.2: what they mean is not known
		return errHeader
	}
	if flags&4 != 0 { // extra fields
		n := int(h.next())
		for range n | int(h.next())<<8 {
			h.next()
		}
	}
	for _, flag := range []byte{8, 16} { // name, comment
		if flags&flag != 0 {
			h.text()
		}
	}
	if flags&2 != 0 && h.err == nil {
		sum := h.sum
		if low, high := h.next(), h.next(); h.err == nil && uint16(sum) != uint16(low)|uint16(high)<<8 {
			return errHeader
		}
	}
	if h.err != nil {
		return h.err
	}
	z.sum, z.size = 0, 0
	z.r.at, z.r.last, z.r.err, z.r.base = header, false, nil, z.r.op
	return nil
}

// heading reads the bytes of a header. The first error sticks.
type heading struct {
	z   *Gzip
	sum uint32
	err error
}

func (h *heading) next() byte {
	if h.err != nil {
		return 0
	}
	var c byte
	if c, h.err = h.z.byte(); h.err == nil {
		h.sum = crc32.Update(h.sum, crc32.IEEETable, []byte{c})
	}
	return c
}

// text passes over a text that ends with a zero byte.
func (h *heading) text() {
	for n := 0; h.err == nil && h.next() != 0; n++ {
		if n == maxName-1 && h.err == nil {
			h.err = errHeader
		}
	}
}
