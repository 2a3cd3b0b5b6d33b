package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"sync/atomic"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// OpenDir opens a folder: a root filesystem, "/" for this machine's, or a
// project. Nothing outside it can be reached, whatever links are inside: no link
// is followed, and only regular files are opened. Mounted pseudo filesystems
// below it (proc, sys, dev, run and the like) are listed in Tree.Skip. A nil opt
// means the defaults.
func OpenDir(ctx context.Context, dir string, opt *Options) (*scan.Image, error) {
	return openDir(ctx, dir, dir, opt)
}

func openDir(ctx context.Context, wrote, dir string, opt *Options) (*scan.Image, error) {
	set, err := opt.settings()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, openError(dir, err)
	}
	skip, err := pseudoMounts(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", dir, err), root.Close())
	}
	return &scan.Image{
		Subject: sbom.Subject{Kind: sbom.SubjectDirectory, Name: dir},
		Source:  &sbom.Source{Reference: wrote},
		Tree:    &layer.Tree{FS: &tree{root: root, most: set.limits.DirEntries}, Skip: skip},
		Release: root.Close,
	}, nil
}

// tree is a folder as a file system that follows no links at all. It implements
// fs.ReadLinkFS, fs.ReadDirFS and fs.StatFS, is safe for concurrent use, and its
// regular files are io.ReaderAt and io.Seeker.
type tree struct {
	root   *os.Root
	most   int                    // entries of one folder
	parent atomic.Pointer[string] // the folder last found to be reached without links
}

// errLink is why a path is not opened.
var errLink = errors.New("leads through a symbolic link, which is not followed")

// Open opens a regular file or a folder. A link is an error of kind "invalid
// input", and so are other special files, which are never opened: that could
// block, or do something.
func (t *tree) Open(name string) (fs.File, error) {
	if err := t.check("open", name); err != nil {
		return nil, err
	}
	f, info, err := openNoFollow(t.root, name)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	if info.IsDir() {
		return &folder{File: f, most: t.most, name: name}, nil
	}
	return f, nil
}

// openNoFollow opens a regular file or a folder, not through a link in the last
// part of its name. A file that is exchanged meanwhile is noticed.
func openNoFollow(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	before, err := root.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	if err := openable(before.Mode()); err != nil {
		return nil, nil, err
	}
	f, err := root.OpenFile(name, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = openable(info.Mode())
	}
	if err == nil && !os.SameFile(before, info) {
		err = fmt.Errorf("it was exchanged while it was opened: %w", fault.Invalid)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

func openable(m fs.FileMode) error {
	switch {
	case m&fs.ModeSymlink != 0:
		return fmt.Errorf("%w: %w", errLink, fault.Invalid)
	case !m.IsRegular() && !m.IsDir():
		return fmt.Errorf("it is a special file (%s): %w", m.Type(), fault.Invalid)
	}
	return nil
}

// check refuses names that are not those of the folder's own tree: os.Root would
// follow a link in the middle of a name as long as it stays inside.
func (t *tree) check(op, name string) error {
	if !fs.ValidPath(name) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	dir := path.Dir(name)
	if known := t.parent.Load(); dir == "." || known != nil && *known == dir {
		return nil
	}
	for i := 0; i <= len(dir); i++ {
		if i < len(dir) && dir[i] != '/' {
			continue
		}
		info, err := t.root.Lstat(dir[:i])
		if err != nil {
			return pathError(op, name, err)
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return pathError(op, name, fmt.Errorf("%w: %w", errLink, fault.Invalid))
		}
	}
	t.parent.Store(&dir)
	return nil
}

// ReadLink returns where a link points, as it is written.
func (t *tree) ReadLink(name string) (string, error) {
	if err := t.check("readlink", name); err != nil {
		return "", err
	}
	s, err := t.root.Readlink(name)
	return s, pathError("readlink", name, err)
}

// Lstat describes a file without opening it.
func (t *tree) Lstat(name string) (fs.FileInfo, error) {
	if err := t.check("lstat", name); err != nil {
		return nil, err
	}
	info, err := t.root.Lstat(name)
	return info, pathError("lstat", name, err)
}

// Stat is Lstat: nothing is followed.
func (t *tree) Stat(name string) (fs.FileInfo, error) { return t.Lstat(name) }

// ReadDir lists a folder in the order of names.
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	f, err := t.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, ok := f.(*folder)
	if !ok {
		return nil, pathError("readdir", name, errors.New("it is not a folder"))
	}
	list, err := d.ReadDir(-1)
	slices.SortFunc(list, func(a, b fs.DirEntry) int {
		switch {
		case a.Name() < b.Name():
			return -1
		case a.Name() > b.Name():
			return 1
		}
		return 0
	})
	return list, err
}

// folder is an open folder whose listing is bounded.
type folder struct {
	*os.File
	most int
	name string
}

// ReadDir lists like os.File does, up to the limit.
func (d *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 {
		return d.File.ReadDir(n)
	}
	const step = 1024
	var all []fs.DirEntry
	for {
		part, err := d.File.ReadDir(step)
		all = append(all, part...)
		switch {
		case err == io.EOF:
			return all, nil
		case err != nil:
			return all, pathError("readdir", d.name, err)
		case len(all) > d.most:
			return all[:d.most], pathError("readdir", d.name, &fault.LimitError{What: "entries", Where: d.name, Max: int64(d.most)})
		}
	}
}

// pathError names the file in the tree, not where the tree lies.
func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: reason(err)}
}
