package programs

import (
	"errors"
	"io"
	"io/fs"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/elffile"
)

const (
	setuid = fs.ModeSetuid
	setgid = fs.ModeSetgid

	copyBytes  = 32 << 10
	headBytes  = 4 << 10  // holds the headers of every format, but for long tables
	firstBytes = 64 << 10 // of a file that streams by, of any format
	keptBytes  = 4 << 20  // of one that loads others
	maxTable   = 1 << 20  // bytes of any table of headers
)

// source gives parts of a file.
type source struct {
	at     io.ReaderAt
	size   int64
	err    error  // of reading, other than that a part has passed by
	passed bool   // a part was asked for that had passed by
	head   []byte // room for the first bytes, or nil
}

// first returns the first bytes, at most headBytes.
func (s *source) first() []byte {
	if s.head == nil {
		s.head = make([]byte, headBytes)
	}
	return s.read(s.head[:min(headBytes, s.size)], 0)
}

// part returns n bytes at off, or nil where the file does not have them or they have
// passed by.
func (s *source) part(off, n uint64) []byte {
	if s.err != nil || n == 0 || n > maxTable || off > uint64(s.size) || n > uint64(s.size)-off {
		return nil
	}
	return s.read(make([]byte, n), off)
}

// read fills p with the bytes at off, and returns it, or nil.
func (s *source) read(p []byte, off uint64) []byte {
	switch _, err := s.at.ReadAt(p, int64(off)); {
	case errors.Is(err, elffile.ErrPassed):
		s.passed = true
		return nil
	case err != nil && err != io.EOF:
		s.err = err
		return nil
	}
	return p
}

// upTo returns at most n bytes at off, fewer at the end of the file.
func (s *source) upTo(off uint64, n int64) []byte {
	if off >= uint64(s.size) {
		return nil
	}
	return s.part(off, uint64(min(n, s.size-int64(off))))
}

// readForward reads a large file from its start: it keeps what the headers and the tables
// near them say, and the dynamic section, which comes late.
func readForward(f *analyzer.File) (*analyzer.Program, error) {
	var sum func() (string, error)
	if !system(f.Path) {
		sum = f.SHA256()
	}
	k := elffile.Parts{{Data: make([]byte, min(f.Size, firstBytes))}}
	if _, err := io.ReadFull(f, k[0].Data); err != nil {
		return nil, err
	}
	src := &source{at: k, size: f.Size}
	p := parse(src, f)
	if p == nil {
		return nil, src.err
	}
	if off, n := lateTable(src); n > 0 {
		k, err := keep(k, f, off, n)
		if err != nil {
			return nil, err
		}
		src.at, src.passed = k, false
		p = parse(src, f)
	}
	if sum == nil {
		return p, nil
	}
	var err error
	if p.SHA256, err = sum(); err != nil {
		return nil, err
	}
	return p, nil
}

// keep reads on until the n bytes at off are held, and holds more of the start: the names
// that the dynamic section refers to lie near it.
func keep(k elffile.Parts, f *analyzer.File, off, n int64) (elffile.Parts, error) {
	have := int64(len(k[0].Data))
	if off+n > have {
		head := f.Scratch(int(min(f.Size, keptBytes, max(off, have))))
		copy(head, k[0].Data)
		if _, err := io.ReadFull(f, head[have:]); err != nil {
			return nil, err
		}
		k[0].Data, have = head, int64(len(head))
	}
	if off+n <= have {
		return k, nil
	}
	later := elffile.Part{Off: off, Data: make([]byte, n)}
	from := 0 // of it, what is held
	if off < have {
		from = copy(later.Data, k[0].Data[off:])
	} else if err := f.Discard(off - have); err != nil {
		return nil, err
	}
	_, err := io.ReadFull(f, later.Data[from:])
	return append(k, later), err
}
