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
	"sync"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/durable"
	"github.com/stella-ops/stella/internal/fault"
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

	mu   sync.Mutex
	held []*held // the last used one first
}

// held is a snapshot of the cache.
type held struct {
	digest string
	ready  chan struct{} // closed when it is open or failed
	snap   *Snapshot
	err    error
	users  int
}

// View returns the snapshot that has a digest, which stays open until done is
// called. It is assembled where the folder does not have it; objects are taken
// from the snapshots that are there where they have them.
func (c *Cache) View(ctx context.Context, digest string) (s *Snapshot, done func(), err error) {
	if text, ok := strings.CutPrefix(digest, "sha256:"); !ok || !isHex(text) {
		return nil, nil, fmt.Errorf("open snapshot %.80q: it is not a digest: %w", digest, fault.Invalid)
	}
	for {
		h, mine := c.hold(digest)
		if mine {
			h.snap, h.err = c.open(ctx, digest)
			close(h.ready)
		} else if err := h.wait(ctx); err != nil {
			c.release(h)
			return nil, nil, fmt.Errorf("open snapshot %s: %w", digest, err)
		}
		if h.err == nil {
			var once sync.Once
			return h.snap, func() { once.Do(func() { c.release(h) }) }, nil
		}
		c.forget(h)
		if mine || ctx.Err() != nil {
			return nil, nil, fmt.Errorf("open snapshot %s: %w", digest, h.err)
		}
		if !errors.Is(h.err, context.Canceled) && !errors.Is(h.err, context.DeadlineExceeded) {
			return nil, nil, fmt.Errorf("open snapshot %s: %w", digest, h.err)
		} // who opened it gave up, which is no reason for this caller to
	}
}

// Views is View for those who want no more than an [advisory.View].
func (c *Cache) Views(ctx context.Context, digest string) (v advisory.View, done func(), err error) {
	s, done, err := c.View(ctx, digest)
	if err != nil {
		return nil, nil, err
	}
	return s, done, nil
}

// wait waits until it is open or failed.
func (h *held) wait(ctx context.Context) error {
	select {
	case <-h.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hold finds or makes the entry of a digest and counts a user. mine reports
// whether the caller is to open it.
func (c *Cache) hold(digest string) (h *held, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.held, func(h *held) bool { return h.digest == digest })
	if i < 0 {
		h, mine = &held{digest: digest, ready: make(chan struct{})}, true
	} else {
		h = c.held[i]
		c.held = slices.Delete(c.held, i, i+1)
	}
	h.users++
	c.held = slices.Insert(c.held, 0, h)
	return h, mine
}

// release ends a use, and drops what is not kept any more.
func (c *Cache) release(h *held) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.users--
	keep := c.Keep
	if keep == 0 {
		keep = 3
	}
	for i := len(c.held) - 1; i >= keep; i-- {
		if old := c.held[i]; old.users == 0 {
			c.held = slices.Delete(c.held, i, i+1)
			if old.snap != nil {
				old.snap.Close()
				os.Remove(c.path(old.digest)) // what cannot be removed costs room only
			}
		}
	}
}

// forget drops an entry that could not be opened.
func (c *Cache) forget(h *held) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.users--
	c.held = slices.DeleteFunc(c.held, func(x *held) bool { return x == h })
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
	c.mu.Lock()
	list := slices.Clone(c.held)
	for _, h := range list {
		h.users++
	}
	c.mu.Unlock()
	defer func() {
		for _, h := range list {
			c.release(h)
		}
	}()
	for _, h := range list {
		select {
		case <-h.ready:
		default:
			continue
		}
		if h.snap == nil {
			continue
		}
		if object, err := h.snap.Object(digest); err == nil {
			return slices.Clone(object), nil // the snapshot may be closed before it is written
		}
	}
	return c.Object(ctx, digest)
}

// Close closes all snapshots; the files stay. It must not be called while one is
// in use.
func (c *Cache) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []error
	for _, h := range c.held {
		if h.snap != nil {
			all = append(all, h.snap.Close())
		}
	}
	c.held = nil
	return errors.Join(all...)
}
