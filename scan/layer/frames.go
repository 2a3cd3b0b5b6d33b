package layer

import (
	"encoding/binary"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
)

// maxSkipped bounds the bytes that are kept of frames which decompressors skip.
const maxSkipped = 64 << 20

// frames walks the frames of a zstd stream (RFC 8878) as its stored bytes pass,
// and keeps what is in those that decompressors skip. Damage is not its
// business: it then stops looking.
type frames struct {
	pos     uint64 // bytes taken
	head    []byte // of the part that is being read
	need    int    // bytes of head
	skip    uint64 // content that follows
	then    step
	sum     bool // the frame ends with a checksum
	keep    bool // the content is of a skipped frame
	held    int
	skipped []skipped
}

// skipped is a frame that decompressors skip.
type skipped struct {
	off  uint64 // of its content
	data []byte // nil when too much was kept already
	over bool
}

// step is what head is.
type step byte

const (
	atMagic  step = iota
	atSize        // of a skipped frame
	atFlags       // the first byte of a frame header
	atHeader      // the rest of it
	atBlock
	lost
)

func newFrames() *frames { return &frames{need: 4} }

// Write takes the next stored bytes. It never fails.
func (f *frames) Write(p []byte) (int, error) {
	all := len(p)
	for len(p) > 0 && f.then != lost {
		if f.skip > 0 {
			n := int(min(f.skip, uint64(len(p))))
			if f.keep {
				f.hold(p[:n])
			}
			f.skip -= uint64(n)
			f.pos += uint64(n)
			p = p[n:]
			continue
		}
		n := min(f.need-len(f.head), len(p))
		f.head = append(f.head, p[:n]...)
		f.pos += uint64(n)
		p = p[n:]
		if len(f.head) == f.need {
			f.next()
			f.head = f.head[:0]
		}
	}
	return all, nil
}

func (f *frames) hold(p []byte) {
	s := &f.skipped[len(f.skipped)-1]
	if f.held += len(p); f.held > maxSkipped {
		s.data, s.over = nil, true
		return
	}
	s.data = append(s.data, p...)
}

// next acts on a head that is complete.
func (f *frames) next() {
	to := func(s step, need int, skip uint64) { f.then, f.need, f.skip = s, need, skip }
	f.keep = false
	switch f.then {
	case atMagic:
		switch magic := binary.LittleEndian.Uint32(f.head); {
		case magic == 0xfd2fb528:
			to(atFlags, 1, 0)
		case magic&^15 == 0x184d2a50:
			to(atSize, 4, 0)
		default:
			to(lost, 0, 0)
		}
	case atSize:
		f.keep = true
		f.skipped = append(f.skipped, skipped{off: f.pos})
		if len(f.skipped) > 64 { // the last ones count
			f.held -= len(f.skipped[0].data)
			f.skipped = f.skipped[1:]
		}
		to(atMagic, 4, uint64(binary.LittleEndian.Uint32(f.head)))
	case atFlags:
		flags := f.head[0]
		f.sum = flags&4 != 0
		rest := []int{0, 1, 2, 4}[flags&3]
		switch size := flags >> 6; {
		case size > 0:
			rest += 1 << size
		case flags&0x20 != 0:
			rest++
		}
		if flags&0x20 == 0 {
			rest++ // the window
		}
		to(atHeader, rest, 0)
	case atHeader:
		to(atBlock, 3, 0)
	case atBlock:
		f.block(uint32(f.head[0]) | uint32(f.head[1])<<8 | uint32(f.head[2])<<16)
	}
}

// block acts on the header of a block: last, type, size.
func (f *frames) block(h uint32) {
	size := uint64(h >> 3)
	switch h >> 1 & 3 {
	case 1:
		size = 1 // one byte, repeated
	case 3:
		f.then = lost
		return
	}
	f.then, f.need, f.skip = atBlock, 3, size
	if h&1 != 0 {
		f.then, f.need = atMagic, 4
		if f.sum {
			f.skip += 4
		}
	}
}

// content returns the content of the skipped frame at a place.
func (f *frames) content(at span) ([]byte, error) {
	for _, s := range f.skipped {
		switch {
		case s.off != at.off:
		case s.over:
			return nil, &fault.LimitError{What: "bytes of frames that decompressors skip", Where: "layer", Max: maxSkipped, Seen: int64(f.held)}
		case uint64(len(s.data)) == at.size:
			return s.data, nil
		}
	}
	return nil, fmt.Errorf("bytes %d to %d are not a frame that decompressors skip: %w", at.off, at.off+at.size, fault.Mismatch)
}
