package zipstream

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
)

// Method says how a member is stored.
type Method uint16

// The methods that Open reads.
const (
	Stored   Method = 0
	Deflated Method = 8
)

// Member is one entry of the central directory.
type Member struct {
	// Name is as stored: any bytes, any length up to 64 KiB. During an iteration
	// it is valid until the next step.
	Name       []byte
	Method     Method
	Encrypted  bool
	CRC        uint32 // of the content
	Compressed int64  // bytes in the archive; negative where the directory contradicts itself
	Size       int64  // bytes of the content, as claimed
	header     int64  // offset of the local header in the file
}

// IsDir reports whether m stands for a folder.
func (m *Member) IsDir() bool { return len(m.Name) > 0 && m.Name[len(m.Name)-1] == '/' }

// Clone returns a copy of m whose name is its own.
func (m *Member) Clone() Member {
	c := *m
	c.Name = append([]byte(nil), m.Name...)
	return c
}

var windows = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 32<<10) }}

// Members streams the directory in its own order. The member is reused from
// step to step. An error ends the iteration: the directory is damaged or ends
// before the members it claims, or behind them.
func (a *Archive) Members() iter.Seq2[*Member, error] {
	return func(yield func(*Member, error) bool) {
		w := windows.Get().(*bufio.Reader)
		w.Reset(io.NewSectionReader(a.r, a.dir, a.end-a.dir))
		defer func() {
			w.Reset(nil)
			windows.Put(w)
		}()
		var m Member
		n := int64(0)
		for left := a.end - a.dir; left > 0; n++ {
			used, err := a.next(w, left, &m)
			if err != nil {
				yield(nil, fmt.Errorf("member %d of the zip directory: %w", n+1, err))
				return
			}
			left -= used
			if !yield(&m, nil) {
				return
			}
			if _, err := w.Discard(int(used)); err != nil {
				yield(nil, fmt.Errorf("zip directory: %w", err))
				return
			}
		}
		if claimed := a.count; claimed != n && (a.exact || claimed != n&0xffff) {
			yield(nil, fmt.Errorf("zip directory has %d members and claims %d: %w", n, claimed, fault.Invalid))
		}
	}
}

// next reads the header at the start of w into m and returns its length, which
// the caller discards: the name is in the buffer of w.
func (a *Archive) next(w *bufio.Reader, left int64, m *Member) (int64, error) {
	le := binary.LittleEndian
	h, err := w.Peek(directoryBytes)
	if err != nil || le.Uint32(h) != directorySignature {
		return 0, fmt.Errorf("no header there: %w", orInvalid(err))
	}
	name, extra, comment := int(le.Uint16(h[28:])), int(le.Uint16(h[30:])), int(le.Uint16(h[32:]))
	*m = Member{
		Method: Method(le.Uint16(h[10:])), Encrypted: h[8]&1 != 0, CRC: le.Uint32(h[16:]),
		Compressed: int64(le.Uint32(h[20:])), Size: int64(le.Uint32(h[24:])), header: int64(le.Uint32(h[42:])),
	}
	used := int64(directoryBytes + name + extra + comment)
	if used > left {
		return 0, fmt.Errorf("header of %d bytes, %d are left: %w", used, left, fault.Invalid)
	}
	all, err := w.Peek(directoryBytes + name + extra)
	if err == bufio.ErrBufferFull { // only to annoy: names and extra fields are short
		all = make([]byte, directoryBytes+name+extra)
		if err = readFull(a.r, all, a.end-left); err != nil {
			return 0, err
		}
	}
	if err != nil {
		return 0, orInvalid(err)
	}
	m.Name = all[directoryBytes : directoryBytes+name]
	m.wide(all[directoryBytes+name:])
	m.header += a.base
	if m.Size < 0 || m.header < 0 {
		m.Compressed = -1
	}
	return used, nil
}

// wide replaces values that do not fit in 32 bits by those of the zip64 extra
// field. Where that is missing they stand as they are, and fail when used.
func (m *Member) wide(extra []byte) {
	const full = 0xffffffff
	if m.Size != full && m.Compressed != full && m.header != full {
		return
	}
	le := binary.LittleEndian
	for len(extra) >= 4 {
		id, n := le.Uint16(extra), int(le.Uint16(extra[2:]))
		if extra = extra[4:]; n > len(extra) {
			return
		}
		if field := extra[:n]; id == 1 {
			for _, v := range []*int64{&m.Size, &m.Compressed, &m.header} {
				if *v == full && len(field) >= 8 {
					*v, field = int64(le.Uint64(field)), field[8:]
				}
			}
			return
		}
		extra = extra[n:]
	}
}

func orInvalid(err error) error {
	if err == nil || err == io.EOF {
		return fault.Invalid
	}
	return err
}
