// Package filecache keeps a scan.Cache in a folder of the local file system.
package filecache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/s2"

	"github.com/stella-ops/stella/internal/fault"
)

// maxEntry bounds what one entry may decompress to, in bytes.
const maxEntry = 1 << 30

// magic starts every entry and names its format: a line, the SHA-256 of the
// value, the value compressed with S2.
const magic = "stella cache 1\n"

// Cache is a folder of entries. It is safe for concurrent use by any number of
// processes: entries are written under another name and renamed. Entries are
// checked when they are read; a damaged one counts as absent.
type Cache struct {
	root *os.Root
}

// Open returns the cache in dir, which is made if it is absent, readable by its
// owner alone. Existing folders that others may write to are refused: what is
// read from there becomes part of results.
func Open(dir string) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("open cache: %s can be written by others (mode %v): %w", dir, info.Mode().Perm(), fault.Forbidden)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	return &Cache{root: root}, nil
}

// Close frees the folder.
func (c *Cache) Close() error { return c.root.Close() }

// Get returns the value of key.
func (c *Cache) Get(_ context.Context, key string) ([]byte, error) {
	name, err := fileName(key)
	if err != nil {
		return nil, err
	}
	b, err := c.root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cache entry %s: %w", key, fault.NotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read cache entry %s: %w", key, err)
	}
	body, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok || len(body) < sha256.Size {
		return nil, fmt.Errorf("cache entry %s: damaged: %w", key, fault.NotFound)
	}
	if n, err := s2.DecodedLen(body[sha256.Size:]); err != nil || n > maxEntry {
		return nil, fmt.Errorf("cache entry %s: damaged: %w", key, fault.NotFound)
	}
	value, err := s2.Decode(nil, body[sha256.Size:])
	if err != nil || sha256.Sum256(value) != [sha256.Size]byte(body[:sha256.Size]) {
		return nil, fmt.Errorf("cache entry %s: damaged: %w", key, fault.NotFound)
	}
	return value, nil
}

// Put keeps value under key.
func (c *Cache) Put(_ context.Context, key string, value []byte) error {
	name, err := fileName(key)
	if err != nil {
		return err
	}
	if len(value) > maxEntry {
		return &fault.LimitError{What: "bytes of a cache entry", Where: key, Max: maxEntry, Seen: int64(len(value))}
	}
	if err := c.root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("write cache entry %s: %w", key, err)
	}
	sum := sha256.Sum256(value)
	entry := append([]byte(magic), sum[:]...)
	entry = append(entry, s2.Encode(nil, value)...)
	// The name of the unfinished file tells processes apart; two that write one
	// key write the same bytes.
	unfinished := fmt.Sprintf("%s.%d.part", name, os.Getpid())
	if err := c.root.WriteFile(unfinished, entry, 0o600); err != nil {
		return fmt.Errorf("write cache entry %s: %w", key, errors.Join(err, c.root.Remove(unfinished)))
	}
	if err := c.root.Rename(unfinished, name); err != nil {
		return fmt.Errorf("write cache entry %s: %w", key, err)
	}
	return nil
}

// fileName maps a key to a path below the folder.
func fileName(key string) (string, error) {
	name := filepath.FromSlash(key)
	if key == "" || !filepath.IsLocal(name) || strings.ContainsAny(key, "\x00:\\") {
		return "", fmt.Errorf("cache key %q: %w", key, fault.Invalid)
	}
	return name, nil
}
