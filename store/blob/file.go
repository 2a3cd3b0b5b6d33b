package blob

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/store/crashpoint"
)

// temporary is the folder of objects that are being written. Its name is no
// valid element of a key.
const temporary = "~tmp"

// stale is how old what a dead writer left is before opening a folder removes it.
const stale = 24 * time.Hour

// folder keeps objects as files. It never follows a symbolic link: os.Root keeps
// it inside, and links inside are refused.
type folder struct {
	dir  string
	root *os.Root

	mu    sync.Mutex
	known map[string]bool // folders whose own entry is durable
}

// NewFile returns the driver that keeps objects as files in a folder, which is
// made where it does not exist. It may be shared by processes. It never follows
// symbolic links, neither out of the folder nor inside.
func NewFile(dir string) (Driver, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", dir, err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, native(err)
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, native(err)
	}
	f := &folder{dir: abs, root: root, known: map[string]bool{".": true}}
	err = f.ensure(temporary)
	if err == nil {
		err = f.Sweep(context.Background(), time.Now().Add(-stale))
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return f, nil
}

// native gives an error of the file system its kind.
func native(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", err, fault.NotFound)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: free some space and try again: %w", err, fault.Unavailable)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", err, fault.Forbidden)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTEMPTY), errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: one key would be the folder of another: %w", err, fault.Conflict)
	default:
		return fmt.Errorf("%w: %w", err, fault.Unavailable)
	}
}

// plain refuses a name that leads through, or to, anything but folders and a
// regular file.
func (f *folder) plain(name string) error {
	for i := 0; i <= len(name); i++ {
		last := i == len(name)
		if !last && name[i] != '/' {
			continue
		}
		info, err := f.root.Lstat(name[:i])
		if err != nil {
			return native(err)
		}
		switch mode := info.Mode(); {
		case last && mode.IsRegular(), !last && mode.IsDir():
		case mode.IsRegular():
			return fmt.Errorf("%s is no folder: %w", name[:i], fault.NotFound)
		case mode.IsDir():
			return fmt.Errorf("%s is a folder: %w", name, fault.NotFound)
		default:
			return fmt.Errorf("%s is neither a file nor a folder but %v: links are never followed; remove it: %w", filepath.Join(f.dir, name[:i]), mode.Type(), fault.Mismatch)
		}
	}
	return nil
}

// ensure makes a folder and its parents durable.
func (f *folder) ensure(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ensureLocked(dir)
}

func (f *folder) ensureLocked(dir string) error {
	if f.known[dir] {
		return nil
	}
	parent := path.Dir(dir)
	if err := f.ensureLocked(parent); err != nil {
		return err
	}
	if err := f.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return native(err)
	}
	info, err := f.root.Lstat(dir)
	if err != nil {
		return native(err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no folder but %v: one key would be the folder of another, or somebody made a link: %w", filepath.Join(f.dir, dir), info.Mode().Type(), fault.Conflict)
	}
	if err := f.syncDir(parent); err != nil { // also where another process made it
		return err
	}
	f.known[dir] = true
	return nil
}

func (f *folder) syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // it has no such call
	}
	d, err := f.root.Open(dir)
	if err != nil {
		return native(err)
	}
	defer d.Close()
	return native(d.Sync())
}

func (f *folder) Create(ctx context.Context, key string, r io.Reader, size int64) (err error) {
	word := make([]byte, 16)
	rand.Read(word)
	temp := temporary + "/" + hex.EncodeToString(word)
	w, err := f.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return native(err)
	}
	defer func() {
		w.Close()
		if err != nil {
			f.root.Remove(temp) // Sweep does it where this fails
		}
	}()
	if err := fill(ctx, w, r, size); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.BlobWritten)
	if err := w.Sync(); err != nil {
		return native(err)
	}
	if err := w.Close(); err != nil {
		return native(err)
	}
	crashpoint.Hit(crashpoint.BlobSynced)
	if err := f.rename(temp, key); err != nil {
		return err
	}
	crashpoint.Hit(crashpoint.BlobNamed)
	return nil
}

// fill copies r to w and checks the size.
func fill(ctx context.Context, w *os.File, r io.Reader, size int64) error {
	in := &contextReader{ctx, r}
	buf := make([]byte, 64<<10)
	var n int64
	for {
		got, err := in.Read(buf)
		if got > 0 {
			if _, err := w.Write(buf[:got]); err != nil {
				return native(err)
			}
			n += int64(got)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if size >= 0 && n != size {
		return &fault.MismatchError{What: "size of an object", Want: fmt.Sprint(size), Got: fmt.Sprint(n)}
	}
	return nil
}

// rename gives a written file its name, durably.
func (f *folder) rename(temp, key string) error {
	dir := path.Dir(key)
	for attempt := 0; ; attempt++ {
		if err := f.ensure(dir); err != nil {
			return err
		}
		err := f.root.Rename(temp, key)
		if errors.Is(err, fs.ErrNotExist) && attempt == 0 {
			f.mu.Lock() // somebody removed folders
			f.known = map[string]bool{".": true}
			f.mu.Unlock()
			continue
		}
		if err != nil {
			return native(err)
		}
		return f.syncDir(dir)
	}
}

func (f *folder) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := f.plain(key); err != nil {
		return nil, err
	}
	in, err := f.root.Open(key)
	if err != nil {
		return nil, native(err)
	}
	if length < 0 {
		length = 1<<63 - 1 - offset
	}
	return &section{contextReader{ctx, io.NewSectionReader(in, offset, length)}, in}, nil
}

type section struct {
	contextReader
	file *os.File
}

func (s *section) Close() error { return s.file.Close() }

func (f *folder) Stat(ctx context.Context, key string) (Info, error) {
	if err := ctx.Err(); err != nil {
		return Info{}, err
	}
	if err := f.plain(key); err != nil {
		return Info{}, err
	}
	info, err := f.root.Lstat(key)
	if err != nil {
		return Info{}, native(err)
	}
	return Info{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil
}

func (f *folder) Copy(ctx context.Context, from, to string) error {
	in, err := f.Open(ctx, from, 0, -1)
	if err != nil {
		return err
	}
	defer in.Close()
	return f.Create(ctx, to, in, -1)
}

func (f *folder) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		dir := "."
		if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
			dir = prefix[:i]
			if !fs.ValidPath(dir) {
				return // no key is like that
			}
		}
		f.walk(ctx, dir, prefix, yield)
	}
}

// walk yields the files below dir in the order of their keys. It reports whether
// to go on.
func (f *folder) walk(ctx context.Context, dir, prefix string, yield func(Info, error) bool) bool {
	d, err := f.root.Open(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return true
		}
		yield(Info{}, native(err))
		return false
	}
	entries, err := d.ReadDir(-1)
	d.Close()
	if errors.Is(err, syscall.ENOTDIR) {
		return true // the prefix ends in an object's key
	}
	if err != nil {
		yield(Info{}, native(err))
		return false
	}
	order := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/" // as it stands in a key
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(order(a), order(b)) })
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			yield(Info{}, err)
			return false
		}
		key := path.Join(dir, e.Name())
		switch {
		case e.IsDir() && key != temporary && (strings.HasPrefix(key+"/", prefix) || strings.HasPrefix(prefix, key+"/")):
			if !f.walk(ctx, key, prefix, yield) {
				return false
			}
		case e.Type().IsRegular() && strings.HasPrefix(key, prefix):
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // deleted meanwhile
			}
			if err != nil {
				yield(Info{}, native(err))
				return false
			}
			if !yield(Info{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil) {
				return false
			}
		}
	}
	return true
}

func (f *folder) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.plain(key); err != nil {
		if errors.Is(err, fault.NotFound) {
			return nil
		}
		return err
	}
	if err := f.root.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return native(err)
	}
	return nil
}

// Sweep removes files of writers that died.
func (f *folder) Sweep(ctx context.Context, before time.Time) error {
	d, err := f.root.Open(temporary)
	if err != nil {
		return native(err)
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	if err != nil {
		return native(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.ModTime().Before(before) {
			continue
		}
		if err := f.root.Remove(temporary + "/" + e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return native(err)
		}
	}
	return ctx.Err()
}

func (f *folder) Close() error { return f.root.Close() }
