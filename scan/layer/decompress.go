package layer

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/inflate"
)

// maxWindow bounds the memory that a zstd frame may ask for. Writers of image
// layers use at most 8 MiB.
const maxWindow = 32 << 20

// compression is how a layer is stored, told by its first bytes: labels lie.
type compression string

const (
	plain compression = "none"
	gz    compression = "gzip"
	zst   compression = "zstd"
)

func sniff(head []byte) (compression, error) {
	has := func(magic string) bool { return strings.HasPrefix(string(head), magic) }
	switch {
	case has("\x1f\x8b"):
		return gz, nil
	case has("\x28\xb5\x2f\xfd"), len(head) >= 4 && head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18":
		return zst, nil // a frame, or a skippable frame before one
	case has("\xfd7zXZ\x00"):
		return "", fmt.Errorf("layer is compressed with xz: %w", fault.Unsupported)
	case has("BZh"):
		return "", fmt.Errorf("layer is compressed with bzip2: %w", fault.Unsupported)
	}
	return plain, nil
}

// opened is a layer while it is read: stored bytes are counted and hashed on
// their way to the decompressor.
type opened struct {
	blob     io.ReadCloser
	stored   *storedReader
	raw      *bufio.Reader
	body     io.Reader
	encoding compression
	free     func()
}

func openBlob(ctx context.Context, b Blob, opt *Options) (*opened, error) {
	rc, err := b.Open(ctx)
	if err != nil {
		return nil, err
	}
	o := &opened{blob: rc, free: func() {}}
	o.stored = &storedReader{ctx: ctx, r: rc, progress: opt.Progress}
	if b.Descriptor.Digest != "" {
		if o.stored.hash, err = newHash(b.Descriptor.Digest); err != nil {
			return nil, errors.Join(err, rc.Close())
		}
	}
	o.stored.frames = newFrames() // loses its way at once where it is not zstd
	o.raw = bufio.NewReaderSize(o.stored, chunkSize)
	head, err := o.raw.Peek(8)
	if err != nil && err != io.EOF {
		return nil, errors.Join(err, rc.Close())
	}
	if o.encoding, err = sniff(head); err == nil {
		err = o.decompress(opt)
	}
	if err != nil {
		return nil, errors.Join(err, rc.Close())
	}
	return o, nil
}

func (o *opened) decompress(opt *Options) error {
	limits := opt.Budget.Limits
	switch o.encoding {
	case plain:
		o.body = &limitedReader{r: o.raw, stored: o.stored, max: limits.LayerBytes}
		return nil
	case gz:
		zr, err := inflate.NewGzip(o.raw)
		if err != nil {
			return o.stored.damaged(fmt.Errorf("gzip: %w", err))
		}
		o.body = &limitedReader{r: zr, stored: o.stored, max: limits.LayerBytes, ratio: limits.Ratio}
	case zst:
		zr, err := zstd.NewReader(o.raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return fmt.Errorf("zstd: %v: %w", err, fault.Invalid)
		}
		o.free = zr.Close
		o.body = &limitedReader{r: zr, stored: o.stored, max: limits.LayerBytes, ratio: limits.Ratio}
	}
	return nil
}

// finish reads stored bytes that the decompressor left, so that the digest
// covers the whole blob, and returns how many there were.
func (o *opened) finish() (trailing int64, err error) {
	return io.Copy(io.Discard, o.raw)
}

// explain gives the error that ended the walk a kind.
func (o *opened) explain(err error, b Blob) error {
	if short := o.checkSize(b); short != nil && o.stored.ended && fault.KindOf(err) == "" {
		return fmt.Errorf("%w: %w", short, err)
	}
	return o.stored.damaged(err)
}

// verify compares what was read with its names. diff is nil where the digest
// of the stored bytes is that of the tar.
func (o *opened) verify(b Blob, diff hash.Hash) error {
	if err := o.checkSize(b); err != nil {
		return err
	}
	if o.stored.hash != nil {
		if err := checkDigest("layer digest", b.Descriptor.Digest, o.stored.hash); err != nil {
			return err
		}
	}
	if diff == nil {
		return nil
	}
	return checkDigest("diffID", b.DiffID, diff)
}

func (o *opened) checkSize(b Blob) error {
	if d := b.Descriptor; d.Size >= 0 && d.Digest != "" && o.stored.n != d.Size {
		return &fault.MismatchError{What: "layer size of " + d.Digest, Want: fmt.Sprint(d.Size), Got: fmt.Sprint(o.stored.n)}
	}
	return nil
}

func (o *opened) close() error {
	o.free()
	return o.blob.Close()
}

// tailSize is enough for the footers of layers.
const tailSize = 64

// storedReader counts, hashes and reports stored bytes, and stops with ctx.
type storedReader struct {
	ctx      context.Context
	r        io.Reader
	hash     hash.Hash // nil: the source does not name the stored bytes
	n        int64
	progress func(int64)
	frames   *frames // of zstd
	tail     []byte  // the last bytes
	failed   bool    // the source itself gave an error
	ended    bool    // the source gave all it has
}

func (s *storedReader) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		s.failed = true
		return 0, err
	}
	n, err := s.r.Read(p)
	s.ended = err == io.EOF
	s.failed = err != nil && !s.ended
	if n > 0 {
		if s.hash != nil {
			s.hash.Write(p[:n])
		}
		if s.frames != nil {
			_, _ = s.frames.Write(p[:n])
		}
		s.keepTail(p[:n])
		s.n += int64(n)
		if s.progress != nil {
			s.progress(int64(n))
		}
	}
	return n, err
}

func (s *storedReader) keepTail(p []byte) {
	p = p[max(0, len(p)-tailSize):]
	old := s.tail[max(0, len(s.tail)+len(p)-tailSize):]
	s.tail = append(append(make([]byte, 0, tailSize), old...), p...)
}

// damaged gives the error of a decompressor or of the tar a kind. Errors of the
// source keep theirs: bytes that did not arrive say nothing about the layer.
func (s *storedReader) damaged(err error) error {
	if s.failed || fault.KindOf(err) != "" || s.ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, fault.Invalid)
}

// limitedReader bounds what comes out of a decompressor, in bytes and in
// relation to what went in.
type limitedReader struct {
	r      io.Reader
	stored *storedReader
	n      int64
	max    int64
	ratio  int64 // 0: none
}

const ratioFree = 64 << 20 // bytes before the ratio is looked at

func (l *limitedReader) Read(p []byte) (int, error) {
	// Much can come out of stored bytes that were read long ago.
	if err := l.stored.ctx.Err(); err != nil {
		l.stored.failed = true
		return 0, err
	}
	n, err := l.r.Read(p)
	l.n += int64(n)
	if l.n > l.max {
		return n, &fault.LimitError{What: "uncompressed bytes", Where: "layer", Max: l.max, Seen: l.n}
	}
	if l.ratio > 0 && l.n > ratioFree && l.n/l.ratio > l.stored.n {
		return n, &fault.LimitError{What: "compression ratio", Where: "layer", Max: l.ratio, Seen: l.n / max(l.stored.n, 1)}
	}
	if err != nil && err != io.EOF {
		err = l.stored.damaged(decompressError(err))
	}
	return n, err
}

// decompressError gives the errors of zstd that are not damage their kind.
func decompressError(err error) error {
	switch {
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fmt.Errorf("zstd window: %w: %w", fault.Invalid, &fault.LimitError{What: "bytes of a zstd window", Where: "layer", Max: maxWindow})
	case errors.Is(err, zstd.ErrUnknownDictionary):
		return fmt.Errorf("zstd: %w: %w", err, fault.Unsupported)
	}
	return fmt.Errorf("decompress: %w", err)
}

// newHash returns the hash function of a digest's algorithm.
func newHash(digest string) (hash.Hash, error) {
	algorithm, _, _ := strings.Cut(digest, ":")
	switch algorithm {
	case "sha256":
		return sha256.New(), nil
	case "sha512":
		return sha512.New(), nil
	}
	return nil, fmt.Errorf("digest %q: algorithm: %w", digest, fault.Unsupported)
}

// checkDigest compares a named digest with what was hashed.
func checkDigest(what, want string, h hash.Hash) error {
	algorithm, _, _ := strings.Cut(want, ":")
	if got := algorithm + ":" + hex.EncodeToString(h.Sum(nil)); got != want {
		return &fault.MismatchError{What: what, Want: want, Got: got}
	}
	return nil
}
