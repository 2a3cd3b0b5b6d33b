package feedtext

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
)

// maxWindow bounds the memory of one zstd stream.
const maxWindow = 128 << 20

// Unpack returns a reader of a document's content, decompressed if it begins
// like gzip, bzip2 or zstd. Reading more than most bytes ends with an error
// that wraps fault.Limit; damaged data ends with one that wraps fault.Invalid.
// The reader must be closed.
func Unpack(name string, content []byte, most int64) (io.ReadCloser, error) {
	r := &unpacked{name: name, most: most}
	switch {
	case bytes.HasPrefix(content, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(bytes.NewReader(content))
		if err != nil {
			return nil, fmt.Errorf("unpack %s: %v: %w", name, err, fault.Invalid)
		}
		r.in = z
	case bytes.HasPrefix(content, []byte("BZh")):
		r.in = bzip2.NewReader(bytes.NewReader(content))
	case bytes.HasPrefix(content, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(bytes.NewReader(content), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("unpack %s: %v: %w", name, err, fault.Invalid)
		}
		r.in, r.close = z, z.Close
	case bytes.HasPrefix(content, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		return nil, fmt.Errorf("unpack %s: it is compressed with xz: %w", name, fault.Unsupported)
	default:
		r.in = bytes.NewReader(content)
	}
	return r, nil
}

// unpacked bounds what a document unpacks to, and gives errors a kind.
type unpacked struct {
	in    io.Reader
	name  string
	most  int64
	n     int64
	close func()
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.in.Read(p)
	if u.n += int64(n); u.n > u.most {
		return 0, &fault.LimitError{What: "bytes of a document, unpacked", Where: u.name, Max: u.most}
	}
	if err != nil && err != io.EOF {
		err = fmt.Errorf("unpack %s: %v: %w", u.name, err, fault.Invalid)
	}
	return n, err
}

func (u *unpacked) Close() error {
	if u.close != nil {
		u.close()
	}
	return nil
}
