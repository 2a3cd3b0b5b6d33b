package feed

import (
	"bytes"
	"compress/bzip2"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// whole asks for an address and passes the body to read, once more from the
// start if it breaks where it cannot be taken up. The answer's body is closed.
func whole(ctx context.Context, door advisory.Door, r advisory.Request, read func(io.Reader) error) (*advisory.Response, error) {
	for n := 1; ; n++ {
		resp, err := door.Open(ctx, r)
		if err != nil {
			return nil, err
		}
		if resp.NotModified {
			return resp, nil
		}
		err = read(resp.Body)
		resp.Body.Close()
		if err == nil {
			return resp, nil
		}
		if n == 2 || ctx.Err() != nil || !errors.Is(err, fault.Unavailable) {
			return nil, fmt.Errorf("fetch %s: %w", shown(r.URL), err)
		}
	}
}

// Read reads an answer whole, of at most r.Max bytes, which is MaxDocument where
// it is 0. The content is nil where NotModified; the answer's body is closed.
func Read(ctx context.Context, door advisory.Door, r advisory.Request) ([]byte, *advisory.Response, error) {
	if r.Max <= 0 {
		r.Max = MaxDocument
	}
	var content []byte
	resp, err := whole(ctx, door, r, func(in io.Reader) (err error) {
		content, err = readAll(in, r.Max, "bytes of an answer", shown(r.URL))
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return content, resp, nil
}

// readAll reads at most most bytes.
func readAll(in io.Reader, most int64, what, where string) ([]byte, error) {
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(in, most+1))
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, &fault.LimitError{What: what, Where: where, Max: most}
	}
	return append([]byte{}, b.Bytes()...), nil // without spare room, as it may be kept for long
}

// Spooled is an answer in a temporary file without a name, which Close removes.
type Spooled struct {
	*os.File
	Size     int64
	Digest   string // of its content
	Response *advisory.Response
}

// Spool reads an answer into a temporary file; nil where NotModified, with the
// answer.
func Spool(ctx context.Context, door advisory.Door, r advisory.Request) (*Spooled, *advisory.Response, error) {
	f, err := os.CreateTemp("", "stella-feed-*")
	if err != nil {
		return nil, nil, fmt.Errorf("fetch %s: %w", shown(r.URL), fileError(err))
	}
	os.Remove(f.Name())
	s := &Spooled{File: f}
	resp, err := whole(ctx, door, r, func(in io.Reader) error {
		if err := errors.Join(rewind(f), f.Truncate(0)); err != nil {
			return fmt.Errorf("write a temporary file: %w", fileError(err))
		}
		h := sha256.New()
		n, err := io.Copy(io.MultiWriter(disk{f}, h), in)
		s.Size, s.Digest = n, "sha256:"+hex.EncodeToString(h.Sum(nil))
		return err
	})
	if err == nil && !resp.NotModified {
		s.Response = resp
		if err = rewind(f); err == nil {
			return s, resp, nil
		}
	}
	f.Close()
	return nil, resp, err
}

// disk writes to a file, with errors that have a kind: a full disk is none of
// the answer's.
type disk struct{ f *os.File }

// Write writes.
func (d disk) Write(p []byte) (int, error) {
	n, err := d.f.Write(p)
	if err != nil {
		err = fmt.Errorf("write a temporary file: %w", fileError(err))
	}
	return n, err
}

func rewind(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// compressed says by a name's end how content is compressed.
var compressed = []string{".gz", ".bz2", ".xz", ".zst"}

// plainName is a name without the end that says how content is compressed.
func plainName(name string) string {
	for _, end := range compressed {
		if strings.HasSuffix(name, end) {
			return strings.TrimSuffix(name, end)
		}
	}
	return name
}

// Expand decompresses content as the end of a name says: .gz and .bz2; others
// are returned as they are. An error wraps ErrInvalid, ErrLimit, or
// ErrUnsupported for .xz and .zst.
func Expand(name string, content []byte) ([]byte, error) {
	var in io.Reader
	switch path.Ext(name) {
	case ".gz":
		z, err := gzip.NewReader(bytes.NewReader(content))
		if err != nil {
			return nil, fmt.Errorf("decompress %s: %v: %w", name, err, fault.Invalid)
		}
		in = z
	case ".bz2":
		in = bzip2.NewReader(bytes.NewReader(content))
	case ".xz", ".zst":
		return nil, fmt.Errorf("decompress %s: %w", name, fault.Unsupported)
	default:
		return content, nil
	}
	most := min(MaxDocument, max(1<<20, int64(len(content))*MaxRatio))
	out, err := readAll(in, most, "bytes, decompressed", name)
	if err != nil && !errors.Is(err, fault.Limit) {
		return nil, fmt.Errorf("decompress %s: %v: %w", name, err, fault.Invalid)
	}
	return out, err
}
