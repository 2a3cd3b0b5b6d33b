package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// The bounds of keys, in bytes.
const (
	MaxKey     = 1024 // a whole key, with the prefix of Sub
	MaxElement = 255  // what stands between two slashes
)

// content is the first element of the keys of objects that are kept by their
// digest. No other key begins with it.
const content = "sha256"

// spoolMemory is how much of an object of unknown digest Put holds in memory, in
// bytes; the rest goes to a temporary file that has no name.
const spoolMemory = 4 << 20

// Bucket keeps objects by their content on one driver. Make it with Open or New.
// It is safe for concurrent use.
type Bucket struct {
	driver Driver
	prefix string // "" or ends with a slash
}

// New returns a bucket on d.
func New(d Driver) *Bucket { return &Bucket{driver: d} }

// Sub returns the bucket of what lies under name, such as one tenant's. It shares
// the driver: close only one of both.
func (b *Bucket) Sub(name string) (*Bucket, error) {
	key, err := b.human(name)
	if err != nil {
		return nil, fmt.Errorf("open bucket under %q: %w", name, err)
	}
	return &Bucket{driver: b.driver, prefix: key + "/"}, nil
}

// Close frees what the backend holds.
func (b *Bucket) Close() error { return b.driver.Close() }

// Key returns where the object of a digest lies, below the bucket's prefix.
func (b *Bucket) key(digest string) (string, error) {
	sum, ok := strings.CutPrefix(digest, "sha256:")
	if raw, err := hex.DecodeString(sum); !ok || err != nil || len(raw) != sha256.Size || strings.ToLower(sum) != sum {
		return "", fmt.Errorf("digest %q: want sha256: and 64 lower-case hexadecimal digits: %w", digest, fault.Invalid)
	}
	return b.prefix + content + "/" + sum[:2] + "/" + sum, nil
}

// human checks a key that a caller chose and returns where it lies.
func (b *Bucket) human(name string) (string, error) {
	key := b.prefix + name
	if err := checkKey(key); err != nil {
		return "", err
	}
	if name == content || strings.HasPrefix(name, content+"/") {
		return "", fmt.Errorf("%s/ belongs to what is kept by digest: choose another name: %w", content, fault.Invalid)
	}
	return key, nil
}

// checkKey accepts what every backend can keep.
func checkKey(key string) error {
	if len(key) > MaxKey {
		return &fault.LimitError{What: "bytes of a key", Where: key[:40] + "…", Max: MaxKey, Seen: int64(len(key))}
	}
	if !fs.ValidPath(key) || key == "." {
		return fmt.Errorf("key %q: want elements joined by single slashes, none of them '.' or '..': %w", key, fault.Invalid)
	}
	for element := range strings.SplitSeq(key, "/") {
		if len(element) > MaxElement {
			return &fault.LimitError{What: "bytes of a key's element", Where: element[:40] + "…", Max: MaxElement, Seen: int64(len(element))}
		}
		for _, c := range []byte(element) {
			if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.+", c) >= 0) {
				return fmt.Errorf("key %q: want letters, digits and '-', '_', '.', '+' in each element: %w", key, fault.Invalid)
			}
		}
	}
	return nil
}

// Put keeps what r holds and returns its Ref. The object is durable when Put
// returns, and not there at all when it fails. Putting the same bytes again
// writes them again: that heals an object that was damaged.
//
// Put reads r twice, so to say: what is larger than 4 MiB goes through a
// temporary file. PutRef needs none.
func (b *Bucket) Put(ctx context.Context, r io.Reader) (Ref, error) {
	s := newSummer(&contextReader{ctx, r})
	head, err := io.ReadAll(io.LimitReader(s, spoolMemory))
	if err != nil {
		return Ref{}, fmt.Errorf("put an object: read its bytes: %w", err)
	}
	body := io.Reader(bytes.NewReader(head))
	if len(head) == spoolMemory {
		f, err := unnamedFile()
		if err != nil {
			return Ref{}, fmt.Errorf("put an object: make a temporary file: %w: %w", err, fault.Unavailable)
		}
		defer f.Close()
		if _, err := io.Copy(f, s); err != nil {
			return Ref{}, fmt.Errorf("put an object: copy it to a temporary file: %w", err)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return Ref{}, fmt.Errorf("put an object: read a temporary file: %w", err)
		}
		body = io.MultiReader(body, f)
	}
	// The temporary file is not trusted either.
	return b.PutRef(ctx, s.ref(), body)
}

// unnamedFile returns a temporary file that vanishes with the process.
func unnamedFile() (*os.File, error) {
	f, err := os.CreateTemp("", "stella-blob-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil && os.PathSeparator == '/' {
		f.Close()
		return nil, err
	}
	return f, nil
}

// PutRef keeps what r holds if it is what want names, and returns the whole Ref:
// want may lack Chunks. Otherwise nothing is kept and the error wraps
// ErrMismatch. r is read once and not held.
func (b *Bucket) PutRef(ctx context.Context, want Ref, r io.Reader) (Ref, error) {
	key, err := b.key(want.Digest)
	if err == nil && want.Size < 0 {
		err = fmt.Errorf("size %d: %w", want.Size, fault.Invalid)
	}
	if err != nil {
		return Ref{}, fmt.Errorf("put an object: %w", err)
	}
	checked := &checkedInput{summer: newSummer(io.LimitReader(r, want.Size+1)), want: want}
	if err := b.driver.Create(ctx, key, checked, want.Size); err != nil {
		if checked.err != nil { // drivers may hide it behind an error of their own
			err = checked.err
		}
		return Ref{}, fmt.Errorf("put %s: %w", want.Digest, err)
	}
	if checked.got == nil {
		return Ref{}, fmt.Errorf("put %s: the driver did not read the object to its end: %w", want.Digest, fault.Mismatch)
	}
	if _, err := b.stat(ctx, key, want); err != nil {
		return Ref{}, fmt.Errorf("put %s: look for what was written: %w", want.Digest, err)
	}
	return *checked.got, nil
}

// checkedInput gives its last bytes only when all of them are what they should
// be, so that a driver never names anything else.
type checkedInput struct {
	*summer
	want Ref
	got  *Ref // set when it is right
	err  error
}

func (c *checkedInput) Read(p []byte) (int, error) {
	n, err := c.summer.Read(p)
	switch {
	case c.size > c.want.Size:
		c.err = &fault.MismatchError{What: "size of an object", Want: fmt.Sprint(c.want.Size), Got: "more"}
		return 0, c.err
	case err != nil && err != io.EOF:
		c.err = fmt.Errorf("read its bytes: %w", err)
		return n, c.err
	case c.size == c.want.Size && c.got == nil:
		if c.err = c.check(); c.err != nil {
			return 0, c.err
		}
	case err == io.EOF && c.size < c.want.Size:
		c.err = &fault.MismatchError{What: "size of an object", Want: fmt.Sprint(c.want.Size), Got: fmt.Sprint(c.size)}
		return n, c.err
	}
	return n, err
}

func (c *checkedInput) check() error {
	got := c.ref()
	if got.Digest != c.want.Digest {
		return &fault.MismatchError{What: "digest of an object", Want: c.want.Digest, Got: got.Digest}
	}
	if len(c.want.Chunks) > 0 && !bytes.Equal(got.Chunks, c.want.Chunks) {
		return &fault.MismatchError{What: "chunks of an object", Want: hex.EncodeToString(c.want.Chunks), Got: hex.EncodeToString(got.Chunks)}
	}
	c.got = &got
	return nil
}

// Stat looks for an object without reading it. The error wraps ErrNotFound where
// it is gone and ErrMismatch where it has another size.
//
// A writer looks once more after what refers to the object was committed: a
// collection may have taken the object before. Then it puts it again.
func (b *Bucket) Stat(ctx context.Context, ref Ref) (Info, error) {
	key, err := b.key(ref.Digest)
	if err != nil {
		return Info{}, fmt.Errorf("look for an object: %w", err)
	}
	info, err := b.stat(ctx, key, ref)
	if err != nil {
		return Info{}, fmt.Errorf("look for %s: %w", ref.Digest, err)
	}
	return info, nil
}

func (b *Bucket) stat(ctx context.Context, key string, ref Ref) (Info, error) {
	info, err := b.driver.Stat(ctx, key)
	if err != nil {
		return Info{}, err
	}
	if info.Size != ref.Size {
		return Info{}, &fault.MismatchError{What: "size of " + key, Want: fmt.Sprint(ref.Size), Got: fmt.Sprint(info.Size)}
	}
	info.Key = strings.TrimPrefix(info.Key, b.prefix)
	return info, nil
}

// Name copies an object to a name that people know, such as
// "scan-1/sbom.spdx.json", inside of the backend and after all of it was checked.
// What had the name before is replaced. Names outlive collections.
func (b *Bucket) Name(ctx context.Context, ref Ref, name string) error {
	to, err := b.human(name)
	if err != nil {
		return fmt.Errorf("name an object: %w", err)
	}
	if err := b.Check(ctx, ref); err != nil {
		return fmt.Errorf("name %s: %w", name, err)
	}
	from, err := b.key(ref.Digest)
	if err != nil {
		return err
	}
	if err := b.driver.Copy(ctx, from, to); err != nil {
		return fmt.Errorf("copy %s to %s: %w", ref.Digest, name, err)
	}
	if _, err := b.stat(ctx, to, ref); err != nil {
		return fmt.Errorf("copy %s to %s: look for the copy: %w", ref.Digest, name, err)
	}
	return nil
}

// Unname removes a name. One that is not there is no error.
func (b *Bucket) Unname(ctx context.Context, name string) error {
	key, err := b.human(name)
	if err == nil {
		err = b.driver.Delete(ctx, key)
	}
	if err != nil {
		return fmt.Errorf("remove the name %s: %w", name, err)
	}
	return nil
}

// List yields what lies in the bucket under keys that begin with prefix, sorted
// by key: names as they were given, and content under "sha256/". It ends after an
// error.
func (b *Bucket) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for info, err := range b.driver.List(ctx, b.prefix+prefix) {
			if err != nil {
				yield(Info{}, fmt.Errorf("list %q: %w", prefix, err))
				return
			}
			info.Key = strings.TrimPrefix(info.Key, b.prefix)
			if !yield(info, nil) {
				return
			}
		}
	}
}

// gone says what a reader can do about an object that is not there.
func gone(err error) error {
	if errors.Is(err, fault.NotFound) {
		return fmt.Errorf("%w: it was collected or lost: make it again from its source and put it", err)
	}
	return err
}
