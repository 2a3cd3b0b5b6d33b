package image

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/inflate"
)

// maxWindow bounds the memory that a zstd archive may ask for.
const maxWindow = 32 << 20

// openArchive opens an archive so that any place in it can be read. What is
// compressed or is no regular file (a pipe) is put in a temporary file first,
// which has no name any more when the first byte is written to it.
func openArchive(ctx context.Context, name string, lim *Limits) (*tarFiles, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, openError(name, err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("it is a folder, not an archive: %w", fault.Invalid)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", name, err), f.Close())
	}
	if info.Mode().IsRegular() {
		head := make([]byte, 4)
		n, _ := f.ReadAt(head, 0)
		if n == 0 {
			return nil, errors.Join(fmt.Errorf("open %s: the file is empty: %w", name, fault.Invalid), f.Close())
		}
		if compression(head[:n]) == "" {
			return indexTar(ctx, f, info.Size(), name, lim)
		}
	}
	defer f.Close()
	return spoolArchive(ctx, f, name, lim)
}

// spoolArchive reads an archive from a stream.
func spoolArchive(ctx context.Context, r io.Reader, name string, lim *Limits) (*tarFiles, error) {
	f, err := os.CreateTemp("", "stella-*")
	if err != nil {
		return nil, fmt.Errorf("temporary file for %s: %w", name, reason(err))
	}
	var size int64
	err = os.Remove(f.Name())
	if err == nil {
		size, err = spool(ctx, f, r, name, lim.Spool)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return indexTar(ctx, f, size, name, lim)
}

// spool copies the decompressed stream and returns its length.
func spool(ctx context.Context, w io.Writer, r io.Reader, name string, limit int64) (total int64, err error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(4)
	if err != nil && err != io.EOF {
		return 0, fmt.Errorf("read %s: %w", name, wireOrFile(err))
	}
	body, free, err := decompress(br, compression(head))
	if err != nil {
		return 0, fmt.Errorf("read %s: %w: %w", name, err, fault.Invalid)
	}
	defer free()
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return total, fmt.Errorf("read %s: %w", name, err)
		}
		n, err := body.Read(buf)
		if total += int64(n); total > limit {
			return total, &fault.LimitError{What: "bytes of the archive", Where: name, Max: limit}
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return total, fmt.Errorf("temporary file for %s: %w", name, reason(err))
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, fmt.Errorf("read %s: after %d bytes: %w", name, total, wireOrFile(err))
		}
	}
}

// compression tells how an archive is compressed by its first bytes.
func compression(head []byte) string {
	switch {
	case len(head) >= 2 && head[0] == 0x1f && head[1] == 0x8b:
		return "gzip"
	case len(head) >= 4 && string(head[:4]) == "\x28\xb5\x2f\xfd":
		return "zstd"
	}
	return ""
}

func decompress(r io.Reader, how string) (io.Reader, func(), error) {
	switch how {
	case "gzip":
		z, err := inflate.NewGzip(r)
		if err != nil {
			return nil, nil, err
		}
		return z, func() {}, nil
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return r, func() {}, nil
}

// wireOrFile gives broken input a kind and leaves errors of the context and of
// the wire as they are.
func wireOrFile(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), fault.KindOf(err) != "":
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("it ends too early")
	}
	return fmt.Errorf("%w: %w", reason(err), fault.Invalid)
}
