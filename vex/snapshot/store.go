package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/stella-ops/stella/internal/durable"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/held"
	"github.com/stella-ops/stella/store/blob"
	"github.com/stella-ops/stella/vex"
)

// Refs keeps which object of a bucket a set is. A store.VEX does.
type Refs interface {
	// KeepSnapshot notes it; the first one that was noted stays.
	KeepSnapshot(ctx context.Context, digest string, object blob.Ref) error
	// SnapshotRef returns it. An error wraps ErrNotFound.
	SnapshotRef(ctx context.Context, digest string) (blob.Ref, error)
}

// Store keeps snapshots as objects of a bucket, and opens them by the digests of
// their sets from files in a folder of its own, which one process has. It is safe
// for concurrent use, and must not be copied after its first.
type Store struct {
	// Dir is the folder; it is made where it is absent, for the user alone.
	Dir string
	// Bucket and Refs are where snapshots are kept. Without a bucket there are none
	// but those in the folder. The bucket should be one of its own, such as a Sub:
	// what is in it is never collected.
	Bucket *blob.Bucket
	Refs   Refs
	// Rebuild yields the statements of a set, sorted by ID, where its object is not
	// there. Nil: an object that is lost is an error.
	Rebuild func(ctx context.Context, digest string) iter.Seq2[*vex.Statement, error]
	// Keep is how many snapshots stay when nobody uses them. Zero means 3.
	Keep int

	held held.Set[*Snapshot]
}

func (s *Store) how() held.How[*Snapshot] {
	return held.How[*Snapshot]{Open: s.open, Keep: s.Keep, Drop: func(digest string, snap *Snapshot) {
		snap.Close()
		os.Remove(s.path(digest)) // what cannot be removed costs room only
	}}
}

// Put keeps a set of statements, which are sorted by ID, as an object, unless it is
// there. An error wraps ErrMismatch where they are not the set of the digest.
func (s *Store) Put(ctx context.Context, digest string, statements iter.Seq2[*vex.Statement, error]) error {
	if s.Bucket == nil {
		return nil // it is rebuilt when somebody asks for it
	}
	if ref, err := s.Refs.SnapshotRef(ctx, digest); err == nil {
		if _, err := s.Bucket.Stat(ctx, ref); err == nil {
			return nil
		}
	}
	path, err := s.build(ctx, digest, statements)
	if err != nil {
		return err
	}
	defer os.Remove(path)
	return s.upload(ctx, digest, path)
}

// build writes the statements of a set to a temporary file.
func (s *Store) build(ctx context.Context, digest string, statements iter.Seq2[*vex.Statement, error]) (string, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return "", fmt.Errorf("keep a snapshot of VEX: %w", err)
	}
	var info *Info
	path, err := durable.Temporary(s.Dir, func(w io.Writer) (err error) {
		info, err = Build(ctx, w, statements)
		return err
	})
	if err != nil {
		return "", err
	}
	if info.Digest != digest {
		os.Remove(path)
		return "", fmt.Errorf("keep a snapshot of VEX: %w", &fault.MismatchError{What: "digest of the set", Want: digest, Got: info.Digest})
	}
	return path, nil
}

func (s *Store) upload(ctx context.Context, digest, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("keep a snapshot of VEX: %w", err)
	}
	defer f.Close()
	ref, err := s.Bucket.Put(ctx, f)
	if err != nil {
		return fmt.Errorf("keep a snapshot of VEX: %w", err)
	}
	return s.Refs.KeepSnapshot(ctx, digest, ref)
}

// View returns the snapshot of a set, which stays open until done is called. An
// error wraps ErrNotFound where nobody has it.
func (s *Store) View(ctx context.Context, digest string) (snap *Snapshot, done func(), err error) {
	if _, err := sumOf(digest); err != nil {
		return nil, nil, fmt.Errorf("open snapshot of VEX: %w", err)
	}
	return s.held.Use(ctx, digest, s.how())
}

// Views is View for those who want no more than a [vex.View].
func (s *Store) Views(ctx context.Context, digest string) (v vex.View, done func(), err error) {
	snap, done, err := s.View(ctx, digest)
	if err != nil {
		return nil, nil, err
	}
	return snap, done, nil
}

func (s *Store) path(digest string) string {
	return filepath.Join(s.Dir, digest[len("sha256:"):]+".vex")
}

// open opens a file of the folder, which is made where it is not there or damaged.
func (s *Store) open(ctx context.Context, digest string) (*Snapshot, error) {
	snap, err := Open(s.path(digest))
	if err == nil && snap.Digest() == digest {
		return snap, nil
	}
	if err == nil {
		snap.Close()
	}
	path, err := s.download(ctx, digest)
	if errors.Is(err, fault.NotFound) && s.Rebuild != nil {
		path, err = s.build(ctx, digest, s.Rebuild(ctx, digest))
		if err == nil && s.Bucket != nil {
			err = s.upload(ctx, digest, path)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := durable.Rename(path, s.path(digest)); err != nil {
		os.Remove(path)
		return nil, fmt.Errorf("open snapshot of VEX: %w", err)
	}
	return Open(s.path(digest))
}

// download brings an object into the folder.
func (s *Store) download(ctx context.Context, digest string) (path string, err error) {
	if s.Bucket == nil {
		return "", fmt.Errorf("snapshot of VEX %s: %w", digest, fault.NotFound)
	}
	ref, err := s.Refs.SnapshotRef(ctx, digest)
	if err != nil {
		return "", err
	}
	r, err := s.Bucket.Open(ctx, ref)
	if err != nil {
		return "", fmt.Errorf("snapshot of VEX %s: %w", digest, err)
	}
	defer r.Close()
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return "", err
	}
	return durable.Temporary(s.Dir, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}

// File opens the file of a set, for who passes it on.
func (s *Store) File(ctx context.Context, digest string) (io.ReadCloser, int64, error) {
	_, done, err := s.View(ctx, digest)
	if err != nil {
		return nil, 0, err
	}
	defer done()
	f, err := os.Open(s.path(digest))
	if err != nil {
		return nil, 0, fmt.Errorf("snapshot of VEX %s: %w", digest, missing(err))
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// Close closes what is open. Files stay.
func (s *Store) Close() error {
	var out error
	for _, snap := range s.held.Clear() {
		out = errors.Join(out, snap.Close())
	}
	return out
}
