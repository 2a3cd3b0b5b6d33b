package analyzer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"

	"github.com/stella-ops/stella/internal/fault"
)

// Content is the body of a file while its layer streams by. Read gives the
// bytes in order, once.
type Content interface {
	io.Reader
	// ReaderAt gives random access to the whole body. It must be called before
	// the first Read. Analyzers whose Paths say Forward may get ErrForward, and
	// read on.
	ReaderAt() (io.ReaderAt, error)
}

// File is one file that an analyzer asked for. It is valid until Extract
// returns, and so is every slice it gave out: what is kept must be copied
// (converting to string copies).
type File struct {
	Path   string      // relative to the root, cleaned, without a leading slash
	Size   int64       // bytes
	Mode   fs.FileMode // type is always regular
	Budget *Budget     // shared by the whole scan; never nil
	// Lasting says that the file lies in a folder and can be read again at no more cost:
	// what may not be needed can wait.
	Lasting bool

	content Content
	buffer  *bytes.Buffer
}

// NewFile returns a file over c. A nil budget means one with default limits.
// buffer, when not nil, is reused by Bytes.
func NewFile(path string, size int64, mode fs.FileMode, c Content, b *Budget, buffer *bytes.Buffer) *File {
	if b == nil {
		b = NewBudget(Limits{})
	}
	if buffer == nil {
		buffer = new(bytes.Buffer)
	}
	return &File{Path: path, Size: size, Mode: mode, Budget: b, content: c, buffer: buffer}
}

// NewMemoryFile returns a file whose body is data, with default limits.
func NewMemoryFile(path string, data []byte) *File {
	return NewFile(path, int64(len(data)), 0o644, memory{bytes.NewReader(data)}, nil, nil)
}

// Read streams the body.
func (f *File) Read(p []byte) (int, error) { return f.content.Read(p) }

// Discard passes over n bytes of the body, which must have them.
func (f *File) Discard(n int64) error {
	if c, ok := f.content.(interface{ Discard(n int64) error }); ok {
		return c.Discard(n)
	}
	_, err := io.CopyN(io.Discard, f.content, n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// SHA256 says that the digest of the body is wanted, before anything of it is read. What it
// returns reads the body to its end and gives the digest in lower-case hex. Content that
// streams by is hashed together with its layer, at little cost.
func (f *File) SHA256() func() (string, error) {
	if c, ok := f.content.(interface{ SHA256() func() (string, error) }); ok {
		return c.SHA256()
	}
	h := &hashed{f.content, sha256.New()}
	f.content = h
	return func() (string, error) {
		if _, err := io.Copy(io.Discard, h); err != nil {
			return "", err
		}
		return hex.EncodeToString(h.hash.Sum(nil)), nil
	}
}

// hashed is content whose bytes are hashed as they are read.
type hashed struct {
	Content
	hash hash.Hash
}

func (h *hashed) Read(p []byte) (int, error) {
	n, err := h.Content.Read(p)
	h.hash.Write(p[:n])
	return n, err
}

// Bytes returns the whole body, which must be no larger than max and the limit
// on held files; 0 means the limit alone. The slice is reused for the next file.
func (f *File) Bytes(max int64) ([]byte, error) {
	limit := f.Budget.Limits.FileBytes
	if max > 0 && max < limit {
		limit = max
	}
	if f.Size > limit {
		return nil, &fault.LimitError{What: "bytes of a file held whole", Where: f.Path, Max: limit, Seen: f.Size}
	}
	f.buffer.Reset()
	f.buffer.Grow(int(f.Size) + bytes.MinRead)
	n, err := f.buffer.ReadFrom(io.LimitReader(f.content, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	if n != f.Size {
		return nil, fmt.Errorf("read %s: %d of %d bytes: %w", f.Path, n, f.Size, io.ErrUnexpectedEOF)
	}
	return f.buffer.Bytes(), nil
}

// Scratch returns n bytes of any content to work in. They are those that Bytes uses, and
// are reused for the next file.
func (f *File) Scratch(n int) []byte {
	f.buffer.Reset()
	f.buffer.Grow(n)
	return f.buffer.AvailableBuffer()[:n]
}

// ReaderAt gives random access to the body: in place where the source allows
// it, else from memory, else from an unlinked temporary file. It must be called
// before Read and Bytes.
func (f *File) ReaderAt() (io.ReaderAt, error) { return f.content.ReaderAt() }

type memory struct{ *bytes.Reader }

func (m memory) ReaderAt() (io.ReaderAt, error) { return m.Reader, nil }
