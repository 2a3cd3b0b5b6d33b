package tlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/stella-ops/stella/internal/durable"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/filelock"
	"github.com/stella-ops/stella/store/blob"
)

// NewDir returns a storage in a folder, which is made where it does not exist. Files
// lie there by their paths, so a web server can show them; the head is the file
// "head". Several processes may share it on one machine. Close the returned closer
// when the storage is no longer used.
func NewDir(dir string) (Storage, io.Closer, error) {
	d, err := blob.NewFile(dir)
	if err != nil {
		return Storage{}, nil, fmt.Errorf("storage of a log: %w", err)
	}
	h, err := NewDirHead(dir, "head")
	if err != nil {
		d.Close()
		return Storage{}, nil, err
	}
	return Storage{Files: NewFiles(d, ""), Head: h}, d, nil
}

// NewDirHead returns a head in a file of a folder, which must exist. The name has no
// slashes. Beside it lies a file with ".lock" added, which processes lock.
func NewDirHead(dir, name string) (Head, error) {
	if !fs.ValidPath(name) || name == "." || filepath.Base(name) != name {
		return nil, fmt.Errorf("head %q: want the name of a file: %w", name, fault.Invalid)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("head in %s: %v: %w", dir, err, fault.Invalid)
	}
	return &dirHead{dir: abs, name: name}, nil
}

type dirHead struct{ dir, name string }

func (h *dirHead) Load(ctx context.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return nil, h.wrap(err)
	}
	defer root.Close()
	return h.load(root)
}

// load reads the record, and follows no link.
func (h *dirHead) load(root *os.Root) ([]byte, error) {
	info, err := root.Lstat(h.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, h.wrap(err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file but %v: links are never followed: %w", filepath.Join(h.dir, h.name), info.Mode().Type(), fault.Mismatch)
	}
	f, err := root.Open(h.name)
	if err != nil {
		return nil, h.wrap(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxHead+1))
	if err != nil {
		return nil, h.wrap(err)
	}
	if len(b) > MaxHead {
		return nil, tooLarge(h.name, MaxHead, len(b))
	}
	return b, nil
}

func (h *dirHead) Swap(ctx context.Context, old, new []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	root, err := os.OpenRoot(h.dir)
	if err != nil {
		return h.wrap(err)
	}
	defer root.Close()
	lock, err := root.OpenFile(h.name+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return h.wrap(err)
	}
	defer lock.Close() // and with it the lock
	if err := filelock.Wait(lock); err != nil {
		return h.wrap(err)
	}
	have, err := h.load(root)
	if err != nil {
		return err
	}
	if !sameHead(have, old) {
		return otherHead()
	}
	if err := durable.Replace(filepath.Join(h.dir, h.name), durable.Bytes(new)); err != nil {
		return h.wrap(err)
	}
	return nil
}

// wrap gives an error of the file system its kind.
func (h *dirHead) wrap(err error) error {
	kind := fault.Unavailable
	switch {
	case errors.Is(err, fs.ErrNotExist):
		kind = fault.NotFound
	case errors.Is(err, fs.ErrPermission):
		kind = fault.Forbidden
	case errors.Is(err, errors.ErrUnsupported):
		kind = fault.Unsupported
	}
	return fmt.Errorf("head in %s: %w: %w", h.dir, err, kind)
}
