package image

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// files is a folder or an archive with the files of images in it.
type files interface {
	// open returns the bytes of a regular file. The kind of a missing one is
	// NotFound.
	open(name string) (*section, error)
	// what names the folder or archive in errors.
	what() string
	close() error
}

// section is an open file, or a part of one that stays open: a stream that can
// also be read at any place.
type section struct {
	*io.SectionReader
	free func() error
}

// Close releases the file, when it is not shared.
func (s *section) Close() error {
	if s.free == nil {
		return nil
	}
	return s.free()
}

// readFile returns the whole of a small file.
func readFile(f files, name string, limit int64) ([]byte, error) {
	s, err := f.open(name)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	what := name + " in " + f.what()
	if s.Size() > limit {
		return nil, &fault.LimitError{What: "bytes", Where: what, Max: limit, Seen: s.Size()}
	}
	b := make([]byte, s.Size())
	if _, err := io.ReadFull(s, b); err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	return b, nil
}

func missing(f files, name string) error {
	return fmt.Errorf("%s has no file %q: %w", f.what(), clip(name), fault.NotFound)
}

// cleanName is a name inside an archive or a folder, "" for one that leads out
// of it.
func cleanName(name string) string {
	name = path.Clean(strings.TrimLeft(name, "/"))
	if !fs.ValidPath(name) || name == "." {
		return ""
	}
	return name
}

// dirFiles is a folder. Links in it are not followed.
type dirFiles struct {
	tree *tree
	name string
}

func openDirFiles(name string) (*dirFiles, error) {
	t, err := openTree(name, 0)
	if err != nil {
		return nil, err
	}
	return &dirFiles{t, name}, nil
}

func (d *dirFiles) what() string { return d.name }
func (d *dirFiles) close() error { return d.tree.close() }

func (d *dirFiles) open(name string) (*section, error) {
	f, err := d.tree.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(d, name)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s in %s: %w: %w", name, d.name, reason(err), fault.Invalid)
	}
	info, err := f.Stat()
	if file, ok := f.(*os.File); ok && err == nil {
		return &section{io.NewSectionReader(file, 0, info.Size()), f.Close}, nil
	}
	f.Close()
	return nil, fmt.Errorf("read %s in %s: it is not a regular file: %w", name, d.name, fault.Invalid)
}

// openError gives an error of the file system a kind.
func openError(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("open %s: there is no such file or folder: %w", name, fault.NotFound)
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("open %s: permission denied: %w", name, fault.Forbidden)
	}
	return fmt.Errorf("open %s: %w", name, reason(err))
}

// reason is an error of the file system without operation and path.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
