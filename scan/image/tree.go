package image

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/stella-ops/stella/internal/fault"
)

// tree is a folder as a file system that follows no links at all. It implements
// fs.ReadLinkFS, fs.ReadDirFS and fs.StatFS, is safe for concurrent use, and its
// regular files are io.ReaderAt and io.Seeker.
//
// It rests on os.Root, which never leaves the folder, and goes further: os.Root
// follows links that stay inside. The folders on the way to the one used last are
// kept open, so that a walk opens each folder once.
type tree struct {
	root *os.Root
	most int // entries of one folder

	mu   sync.Mutex
	open []step // from the top down, each inside the one before
}

// step is an open folder.
type step struct {
	name string // from the root of the tree
	at   *os.Root
}

// maxOpen bounds the folders that are kept open. Of a deeper path the last one
// is, and not all of those above it.
const maxOpen = 64

func openTree(name string, most int) (*tree, error) {
	info, err := os.Stat(name) // a pipe would keep OpenRoot waiting
	if err == nil && !info.IsDir() {
		return nil, fmt.Errorf("open %s: it is not a folder: %w", name, fault.Invalid)
	}
	var root *os.Root
	if err == nil {
		root, err = os.OpenRoot(name)
	}
	if err != nil {
		return nil, openError(name, err)
	}
	return &tree{root: root, most: most}, nil
}

func (t *tree) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.open) > 0 {
		t.leave()
	}
	return t.root.Close()
}

// leave closes the folder used last.
func (t *tree) leave() {
	last := len(t.open) - 1
	t.open[last].at.Close() // nothing was written
	t.open = t.open[:last]
}

// errLink is why a path is not opened.
var errLink = fmt.Errorf("leads through a symbolic link, which is not followed: %w", fault.Invalid)

// within calls f with the open folder that name lies in, and the rest of name.
func (t *tree) within(op, name string, f func(parent *os.Root, base string) error) error {
	if !fs.ValidPath(name) {
		return &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	parent, err := t.enter(path.Dir(name))
	if err == nil {
		err = f(parent, path.Base(name))
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: name, Err: reason(err)}
	}
	return nil
}

// enter opens a folder, one step at a time from the nearest one that is open.
func (t *tree) enter(dir string) (*os.Root, error) {
	if dir == "." {
		return t.root, nil
	}
	at, rest := step{at: t.root}, dir
	for len(t.open) > 0 {
		last := t.open[len(t.open)-1]
		if dir == last.name {
			return last.at, nil
		}
		if below, ok := strings.CutPrefix(dir, last.name+"/"); ok {
			at, rest = last, below
			break
		}
		t.leave()
	}
	for name := range strings.SplitSeq(rest, "/") {
		info, err := at.at.Lstat(name)
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			err = errLink
		}
		var next *os.Root
		if err == nil {
			next, err = at.at.OpenRoot(name)
		}
		if err != nil {
			return nil, err
		}
		at = step{path.Join(at.name, name), next}
		if len(t.open) == maxOpen {
			t.leave()
		}
		t.open = append(t.open, at)
	}
	return at.at, nil
}

// Open opens a regular file or a folder. A link is an error of kind "invalid
// input", and so are special files, which are never opened: that could block, or
// do something.
func (t *tree) Open(name string) (fs.File, error) {
	var out fs.File
	err := t.within("open", name, func(parent *os.Root, base string) error {
		f, info, err := openNoFollow(parent, base)
		if err != nil {
			return err
		}
		if out = f; info.IsDir() {
			out = &folder{File: f, most: t.most, name: name}
		}
		return nil
	})
	return out, err
}

var errExchanged = fmt.Errorf("it was exchanged while it was opened: %w", fault.Invalid)

// exchanges is how often a file may be exchanged while it is opened. Whoever writes an
// index replaces it whole, and several may at once.
const exchanges = 16

// openNoFollow opens a regular file or a folder, by a name of one part.
func openNoFollow(parent *os.Root, base string) (f *os.File, info fs.FileInfo, err error) {
	for range exchanges {
		if f, info, err = openSame(parent, base); !errors.Is(err, errExchanged) {
			break
		}
	}
	return f, info, err
}

// openSame opens what was looked at. A file that is exchanged meanwhile is noticed.
func openSame(parent *os.Root, base string) (*os.File, fs.FileInfo, error) {
	before, err := parent.Lstat(base)
	if err != nil {
		return nil, nil, err
	}
	if err := openable(before.Mode()); err != nil {
		return nil, nil, err
	}
	f, err := parent.OpenFile(base, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(before, info) {
		err = errExchanged
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

func openable(m fs.FileMode) error {
	switch {
	case m&fs.ModeSymlink != 0:
		return errLink
	case !m.IsRegular() && !m.IsDir():
		return fmt.Errorf("it is a special file (%s): %w", m.Type(), fault.Invalid)
	}
	return nil
}

// ReadLink returns where a link points, as it is written.
func (t *tree) ReadLink(name string) (target string, err error) {
	err = t.within("readlink", name, func(parent *os.Root, base string) error {
		target, err = parent.Readlink(base)
		return err
	})
	return target, err
}

// Lstat describes a file without opening it.
func (t *tree) Lstat(name string) (info fs.FileInfo, err error) {
	err = t.within("lstat", name, func(parent *os.Root, base string) error {
		info, err = parent.Lstat(base)
		return err
	})
	return info, err
}

// Stat is Lstat: nothing is followed.
func (t *tree) Stat(name string) (fs.FileInfo, error) { return t.Lstat(name) }

// ReadDir lists a folder in the order of names. With an error the list has what
// could be read.
func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	f, err := t.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, ok := f.(*folder)
	if !ok {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("it is not a folder")}
	}
	list, err := d.ReadDir(-1)
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
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
		if err == nil && len(all) > d.most {
			all, err = all[:d.most], &fault.LimitError{What: "entries", Where: d.name, Max: int64(d.most)}
		}
		if err == io.EOF || err == nil && len(part) < step { // os.File reads on until there are enough
			return all, nil
		}
		if err != nil {
			return all, &fs.PathError{Op: "readdir", Path: d.name, Err: reason(err)}
		}
	}
}
