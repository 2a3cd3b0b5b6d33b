package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/durable"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/held"
)

// Cache opens snapshots by their digests and keeps the files of those that were
// used last, in a folder of its own: for services that match with several. It is
// safe for concurrent use, and must not be copied after its first. One process
// has the folder.
type Cache struct {
	// Dir is the folder. It is made where it is absent.
	Dir string
	// Manifest returns the manifest of a snapshot, and Object a segment or
	// overlay, by their digests. Both are required. What they return is checked.
	Manifest func(ctx context.Context, digest string) ([]byte, error)
	Object   func(ctx context.Context, digest string) ([]byte, error)
	// Keep is how many snapshots stay when nobody uses them. Zero means 3.
	Keep int

	held held.Set[*Snapshot]
}

func (c *Cache) how() held.How[*Snapshot] {
	return held.How[*Snapshot]{Open: c.open, Keep: c.Keep, Drop: func(digest string, s *Snapshot) {
		s.Close()
		os.Remove(c.path(digest)) // what cannot be removed costs room only
	}}
}

// View returns the snapshot that has a digest, which stays open until done is
// called. It is assembled where the folder does not have it; objects are taken
// from the snapshots that are there where they have them.
func (c *Cache) View(ctx context.Context, digest string) (s *Snapshot, done func(), err error) {
	if text, ok := strings.CutPrefix(digest, "sha256:"); !ok || !isHex(text) {
		return nil, nil, fmt.Errorf("open snapshot %.80q: it is not a digest: %w", digest, fault.Invalid)
	}
	s, done, err = c.held.Use(ctx, digest, c.how())
	if err != nil {
		return nil, nil, fmt.Errorf("open snapshot %s: %w", digest, err)
	}
	return s, done, nil
}

// Views is View for those who want no more than an [advisory.View].
func (c *Cache) Views(ctx context.Context, digest string) (v advisory.View, done func(), err error) {
	s, done, err := c.View(ctx, digest)
	if err != nil {
		return nil, nil, err
	}
	return s, done, nil
}

func (c *Cache) path(digest string) string {
	return filepath.Join(c.Dir, strings.TrimPrefix(digest, "sha256:")+suffix)
}

func (c *Cache) open(ctx context.Context, digest string) (*Snapshot, error) {
	s, err := Open(c.path(digest))
	if err == nil && s.digest == digest {
		return s, nil
	}
	if err == nil {
		s.Close()
	} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fault.Invalid) && !errors.Is(err, fault.Mismatch) && !errors.Is(err, fault.Unsupported) {
		return nil, err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	manifest, err := c.Manifest(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("its manifest: %w", err)
	}
	m, err := DecodeManifest(manifest)
	if err == nil {
		var got string
		if _, got, err = m.Encode(); err == nil && got != digest {
			err = &fault.MismatchError{What: "manifest", Want: digest, Got: got}
		}
	}
	if err != nil {
		return nil, err
	}
	err = durable.Replace(c.path(digest), func(w io.Writer) error {
		return Assemble(w, manifest, func(object string) ([]byte, error) { return c.object(ctx, object) })
	})
	if err != nil {
		return nil, err
	}
	return Open(c.path(digest))
}

// object returns an object of a snapshot that is open, or fetches it.
func (c *Cache) object(ctx context.Context, digest string) ([]byte, error) {
	list, done := c.held.Open(c.how())
	defer done()
	for _, s := range list {
		if object, err := s.Object(digest); err == nil {
			return slices.Clone(object), nil // the snapshot may be closed before it is written
		}
	}
	return c.Object(ctx, digest)
}

// Close closes all snapshots; the files stay. It must not be called while one is
// in use.
func (c *Cache) Close() error {
	var all []error
	for _, s := range c.held.Clear() {
		all = append(all, s.Close())
	}
	return errors.Join(all...)
}
