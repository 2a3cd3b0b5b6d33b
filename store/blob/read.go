package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// Open reads an object. Its bytes are checked in chunks of ChunkSize before they
// are given out, the last of them only after the digest of the whole. Errors wrap
// ErrNotFound where the object is gone and ErrMismatch where it is damaged; Open
// itself returns them where the object is no larger than one chunk.
func (b *Bucket) Open(ctx context.Context, ref Ref) (io.ReadCloser, error) {
	key, err := b.key(ref.Digest)
	if err != nil {
		return nil, fmt.Errorf("open an object: %w", err)
	}
	return b.open(ctx, key, ref)
}

// OpenName reads what Name put under a name, checked like Open.
func (b *Bucket) OpenName(ctx context.Context, name string, ref Ref) (io.ReadCloser, error) {
	key, err := b.human(name)
	if err != nil {
		return nil, fmt.Errorf("open a name: %w", err)
	}
	return b.open(ctx, key, ref)
}

func (b *Bucket) open(ctx context.Context, key string, ref Ref) (io.ReadCloser, error) {
	if err := checkRef(ref); err != nil {
		return nil, fmt.Errorf("open %s: %w", key, err)
	}
	in, err := b.driver.Open(ctx, key, 0, -1)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", key, gone(err))
	}
	r := &reader{in: in, key: key, ref: ref, left: ref.Size, atEnd: true, whole: sha256.New()}
	if ref.Size > ChunkSize {
		return r, nil
	}
	defer in.Close()
	if r.next(); r.err != nil && r.err != io.EOF {
		return nil, r.err
	}
	return io.NopCloser(bytes.NewReader(r.ready)), nil
}

// ReadRange reads length bytes of an object from offset on, to its end where
// length is negative or too large. Whole chunks are read and checked, so that a
// short range costs up to ChunkSize more on each side.
func (b *Bucket) ReadRange(ctx context.Context, ref Ref, offset, length int64) (io.ReadCloser, error) {
	key, err := b.key(ref.Digest)
	if err == nil {
		err = checkRef(ref)
	}
	if err == nil && (offset < 0 || offset > ref.Size) {
		err = fmt.Errorf("offset %d of %d bytes: %w", offset, ref.Size, fault.Invalid)
	}
	if err != nil {
		return nil, fmt.Errorf("read a range of an object: %w", err)
	}
	if length < 0 || length > ref.Size-offset {
		length = ref.Size - offset
	}
	first := offset / ChunkSize
	start := first * ChunkSize
	end := min((offset+length+ChunkSize-1)/ChunkSize*ChunkSize, ref.Size)
	in, err := b.driver.Open(ctx, key, start, end-start)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", key, gone(err))
	}
	r := &reader{in: in, key: key, ref: ref, chunk: int(first), left: end - start}
	if offset > start {
		if _, err := io.CopyN(io.Discard, r, offset-start); err != nil {
			in.Close()
			return nil, noEOF(err)
		}
	}
	return &limited{r, length}, nil
}

// noEOF: an end where there should be more is no end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

type limited struct {
	*reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	n, err := l.reader.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// checkRef refuses what nothing can be checked against.
func checkRef(ref Ref) error {
	want := 0
	if ref.Size > ChunkSize {
		want = int((ref.Size + ChunkSize - 1) / ChunkSize * sha256.Size)
	}
	if ref.Size < 0 || len(ref.Chunks) != want {
		return fmt.Errorf("reference to %s of %d bytes: %d bytes of chunk sums, want %d; use the one that Put returned: %w",
			ref.Digest, ref.Size, len(ref.Chunks), want, fault.Invalid)
	}
	return nil
}

// reader gives out chunks that were checked.
type reader struct {
	in    io.ReadCloser
	key   string
	ref   Ref
	chunk int       // the next one
	left  int64     // bytes that are still to be read
	atEnd bool      // left ends with the object
	whole hash.Hash // nil for a range
	buf   []byte
	ready []byte // checked, not given out
	err   error
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.ready) == 0 && r.err == nil {
		r.next()
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	if n > 0 {
		return n, nil
	}
	return 0, r.err
}

func (r *reader) Close() error { return r.in.Close() }

// next reads one chunk and makes it ready when it is right.
func (r *reader) next() {
	n := min(r.left, ChunkSize)
	if r.buf == nil {
		r.buf = make([]byte, n)
	}
	p := r.buf[:n]
	if got, err := io.ReadFull(r.in, p); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			r.err = r.damaged("size", fmt.Sprint(r.ref.Size), fmt.Sprintf("%d bytes short or more", n-int64(got)))
		} else {
			r.err = fmt.Errorf("read %s: %w", r.key, err)
		}
		return
	}
	r.left -= n
	if r.left == 0 && r.atEnd {
		var one [1]byte
		switch got, err := io.ReadFull(r.in, one[:]); {
		case got > 0:
			r.err = r.damaged("size", fmt.Sprint(r.ref.Size), "more")
			return
		case err != io.EOF:
			r.err = fmt.Errorf("read %s: %w", r.key, err)
			return
		}
	}
	if r.err = r.check(p); r.err != nil {
		return
	}
	r.ready = p
	r.chunk++
	if r.left == 0 {
		r.err = io.EOF
	}
}

func (r *reader) check(p []byte) error {
	sum := sha256.Sum256(p)
	if len(r.ref.Chunks) > 0 {
		if want := r.ref.Chunks[r.chunk*sha256.Size:][:sha256.Size]; !bytes.Equal(sum[:], want) {
			return r.damaged(fmt.Sprintf("chunk %d", r.chunk), hex.EncodeToString(want), hex.EncodeToString(sum[:]))
		}
		if r.whole == nil {
			return nil
		}
		if r.whole.Write(p); r.left > 0 {
			return nil
		}
		r.whole.Sum(sum[:0])
	}
	if got := "sha256:" + hex.EncodeToString(sum[:]); got != r.ref.Digest {
		return r.damaged("digest", r.ref.Digest, got)
	}
	return nil
}

func (r *reader) damaged(what, want, got string) error {
	return fmt.Errorf("read %s: %w: it was damaged where it is stored: put it again from its source", r.key,
		&fault.MismatchError{What: what, Want: want, Got: got})
}

// Check reads an object and reports what is wrong with it.
func (b *Bucket) Check(ctx context.Context, ref Ref) error {
	r, err := b.Open(ctx, ref)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, &contextReader{ctx, r})
	return err
}

// Verify reads all that is kept by digest and yields each object with what is
// wrong with it: nil, or an error that wraps ErrMismatch where its bytes are not
// what it is kept as, or where it has no business. It cannot know what is
// missing: whoever keeps the Refs asks Stat for each. It ends after an error of
// another kind.
func (b *Bucket) Verify(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for info, err := range b.List(ctx, content+"/") {
			if err == nil {
				err = b.verify(ctx, info)
			}
			if errors.Is(err, fault.NotFound) {
				continue // collected meanwhile
			}
			if !yield(info, err) || err != nil && !errors.Is(err, fault.Mismatch) {
				return
			}
		}
	}
}

func (b *Bucket) verify(ctx context.Context, info Info) error {
	digest := digestOf(info.Key)
	if digest == "" {
		return &fault.MismatchError{What: "key of an object", Want: content + "/" + "xx/digest", Got: info.Key}
	}
	in, err := b.driver.Open(ctx, b.prefix+info.Key, 0, -1)
	if err != nil {
		return fmt.Errorf("open %s: %w", info.Key, err)
	}
	defer in.Close()
	s := newSummer(&contextReader{ctx, in})
	if _, err := io.Copy(io.Discard, s); err != nil {
		return fmt.Errorf("read %s: %w", info.Key, err)
	}
	if got := s.ref().Digest; got != digest {
		return &fault.MismatchError{What: "digest of " + info.Key, Want: digest, Got: got}
	}
	return nil
}

// digestOf returns the digest that a key of content says, or "".
func digestOf(key string) string {
	dir, sum := path.Split(key)
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != sha256.Size || strings.ToLower(sum) != sum || dir != content+"/"+sum[:2]+"/" {
		return ""
	}
	return "sha256:" + sum
}
