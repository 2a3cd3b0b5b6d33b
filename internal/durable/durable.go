// Package durable writes files so that a crash leaves the old one or the new
// one, and never a part.
package durable

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Temporary writes a new file in dir by write, makes it durable, and returns its
// path. After an error there is no file.
func Temporary(dir string, write func(io.Writer) error) (path string, err error) {
	f, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err = write(f); err == nil {
		err = f.Sync()
	}
	return f.Name(), errors.Join(err, f.Close())
}

// Replace puts what write writes in place of the file at path.
func Replace(path string, write func(io.Writer) error) error {
	temporary, err := Temporary(filepath.Dir(path), write)
	if err != nil {
		return err
	}
	return Rename(temporary, path)
}

// Rename renames a file and makes that durable. Where it fails, the file under
// the old name is removed.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		os.Remove(from)
		return err
	}
	return SyncFolder(filepath.Dir(to))
}

// SyncFolder makes renamings in dir durable where the system can.
func SyncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// Bytes is a write of a text.
func Bytes(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}
