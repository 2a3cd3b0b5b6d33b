// Package blob keeps objects by their content. What is written once under a
// digest never changes; what is read is checked before it is given out, in
// pieces, so wrong bytes are never served. Objects may also be copied to human
// names.
//
// A [Bucket] works on a [Driver]: package blob has one for a folder, s3blob one
// for S3-compatible servers. Package blobtest proves a driver.
package blob

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that this package returns, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrNotFound    error = fault.NotFound
	ErrConflict    error = fault.Conflict
	ErrMismatch    error = fault.Mismatch    // what is stored is not what was written
	ErrUnavailable error = fault.Unavailable // the backend is away; try again
	ErrLimit       error = fault.Limit
)

// ChunkSize is how many bytes are checked, and then released, at a time.
const ChunkSize = 1 << 20

// Ref names an object by its content. Whoever writes an object keeps its Ref,
// beside what refers to it and not in the bucket: it is what reading is checked
// against.
type Ref struct {
	Digest string // "sha256:" and 64 hexadecimal digits of the whole object
	Size   int64  // in bytes
	// Chunks are the raw SHA-256 sums, 32 bytes each, of every ChunkSize bytes
	// in order, the last one of what is left. It is empty for objects of at most
	// one chunk, whose digest says the same.
	Chunks []byte
}

// Info is what a backend knows about one object.
type Info struct {
	Key      string // slash-separated
	Size     int64
	Modified time.Time // when it was last written, by the backend's clock
}

// Driver is a backend that keeps objects by key. Keys are slash-separated,
// valid paths of io/fs, and of letters, digits and "-_.+" in each element. Methods are safe for
// concurrent use; errors wrap the kinds of this package.
type Driver interface {
	// Create writes an object whole: it is durable and visible under its key, or
	// it is not there. What was under the key is replaced. size is -1 where it
	// is not known; where it is known and r does not have it, nothing is written.
	Create(ctx context.Context, key string, r io.Reader, size int64) error
	// Open reads length bytes from offset on, to the end where length is
	// negative. Reading past the end gives what there is.
	Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
	// Stat returns what is known about an object, or an error wrapping
	// ErrNotFound.
	Stat(ctx context.Context, key string) (Info, error)
	// Copy copies an object inside the backend, as whole and durable as Create.
	Copy(ctx context.Context, from, to string) error
	// List yields objects whose key begins with prefix, sorted by key.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
	// Delete removes an object. One that is not there is no error.
	Delete(ctx context.Context, key string) error
	// Close frees what the driver holds.
	Close() error
}

// References is asked by [Bucket.Collect]. A relational store is one: it knows
// what refers to an object, and keeps writers from referring to one that is
// being deleted.
type References interface {
	// Condemn reports whether nothing refers to the object, and from then on
	// refuses new references to it, until Forget.
	Condemn(ctx context.Context, digest string) (bool, error)
	// Forget says that a condemned object is gone.
	Forget(ctx context.Context, digest string) error
}
