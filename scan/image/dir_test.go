//go:build unix

package image

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
)

// hostileTree is a folder with everything that could lead out of it or hang.
func hostileTree(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	secret := writeTemp(t, "secret", []byte("secret"))
	writeFiles(t, dir, map[string][]byte{"etc/os-release": []byte("ID=x"), "usr/lib/a": []byte("a"), "usr/lib/sub/b": []byte("bb")})
	for name, to := range map[string]string{
		"out": secret, "up": "../../../../../../etc/passwd", "outdir": filepath.Dir(secret), "inside": "etc/os-release",
		"lib": "usr/lib", "self": "self", "a1": "a2", "a2": "a1", "usr/back": "../etc", "dangling": "nowhere",
	} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func openTestDir(t testing.TB, dir string) (*scan.Image, fs.FS) {
	t.Helper()
	m := mustOpen(t, "dir:"+dir, nil)
	return m, m.Tree.FS
}

func TestDir(t *testing.T) {
	dir := hostileTree(t)
	m, fsys := openTestDir(t, dir)
	want := sbom.Subject{Kind: sbom.SubjectDirectory, Name: dir}
	if d := cmp.Diff(want, m.Subject); d != "" || m.Created != "" || m.Layers != nil || m.Source.Reference != "dir:"+dir {
		t.Errorf("%s %+v", d, m)
	}
	var walked []string
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		walked = append(walked, p)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := []string{".", "a1", "a2", "dangling", "etc", "etc/os-release", "inside", "lib", "out", "outdir", "pipe", "self", "up", "usr", "usr/back", "usr/lib", "usr/lib/a", "usr/lib/sub", "usr/lib/sub/b"}
	if d := cmp.Diff(all, walked); d != "" {
		t.Error(d)
	}
	b, err := fs.ReadFile(fsys, "usr/lib/sub/b")
	if err != nil || string(b) != "bb" {
		t.Errorf("read %q, %v", b, err)
	}
}

func TestDirIsAFileSystem(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string][]byte{"a": []byte("x"), "b/c": []byte("y"), "b/d/e": nil})
	_, fsys := openTestDir(t, dir)
	if err := fstest.TestFS(fsys, "a", "b/c", "b/d/e"); err != nil {
		t.Error(err)
	}
}

func TestDirFollowsNothing(t *testing.T) {
	_, fsys := openTestDir(t, hostileTree(t))
	for _, name := range []string{
		"out", "up", "outdir", "inside", "lib", "self", "a1", "dangling", "usr/back", // links
		"lib/a", "outdir/secret", "usr/back/os-release", "lib/sub/b", "self/x", // through links
		"pipe",
	} {
		done := make(chan error, 1)
		go func() {
			f, err := fsys.Open(name)
			if err == nil {
				f.Close()
			}
			done <- err
		}()
		select {
		case err := <-done:
			var pe *fs.PathError
			if !errors.Is(err, ErrInvalid) || !errors.As(err, &pe) || pe.Path != name {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s: still waiting", name)
		}
		if _, err := fs.ReadDir(fsys, name); err == nil {
			t.Errorf("%s was listed", name)
		}
	}
	for _, name := range []string{"", "/etc/passwd", "../x", "usr/../etc", "./etc", "etc/", "usr//lib"} {
		if _, err := fsys.Open(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
	links := fsys.(fs.ReadLinkFS)
	if to, err := links.ReadLink("up"); err != nil || to != "../../../../../../etc/passwd" {
		t.Errorf("link %q, %v", to, err)
	}
	if info, err := links.Lstat("pipe"); err != nil || info.Mode().Type() != fs.ModeNamedPipe {
		t.Errorf("pipe %v, %v", info, err)
	}
	if info, err := fs.Stat(fsys, "inside"); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("stat follows: %v, %v", info, err)
	}
	for _, name := range []string{"nothing", "usr/nothing/x"} {
		if _, err := fsys.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDirFilesAreReadAnywhere(t *testing.T) {
	_, fsys := openTestDir(t, hostileTree(t))
	f, err := fsys.Open("etc/os-release")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	part := make([]byte, 2)
	if _, err := f.(io.ReaderAt).ReadAt(part, 1); err != nil || string(part) != "D=" {
		t.Errorf("part %q, %v", part, err)
	}
}

// Paths that change into links while they are read never lead out.
func TestDirUnderChange(t *testing.T) {
	dir := t.TempDir()
	outside := t.TempDir()
	writeFiles(t, outside, map[string][]byte{"sub/f": []byte("outside")})
	writeFiles(t, dir, map[string][]byte{"d/sub/f": []byte("inside")})
	_, fsys := openTestDir(t, dir)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			os.Rename(filepath.Join(dir, "d"), filepath.Join(dir, "e"))
			os.Symlink(outside, filepath.Join(dir, "d"))
			os.Remove(filepath.Join(dir, "d"))
			os.Rename(filepath.Join(dir, "e"), filepath.Join(dir, "d"))
		}
	})
	read := 0
	for range 4 {
		wg.Go(func() {
			for range 2000 {
				if b, err := fs.ReadFile(fsys, "d/sub/f"); err == nil && string(b) != "inside" {
					t.Errorf("read %q", b)
				}
				fs.ReadDir(fsys, "d")
			}
		})
	}
	for range 2000 {
		if _, err := fs.ReadFile(fsys, "d/sub/f"); err == nil {
			read++
		}
	}
	close(stop)
	wg.Wait()
	if read == 0 {
		t.Error("nothing was ever read")
	}
}

func TestDirErrors(t *testing.T) {
	dir := hostileTree(t)
	for _, tc := range []struct {
		path string
		kind error
	}{
		{filepath.Join(dir, "nothing"), ErrNotFound},
		{filepath.Join(dir, "etc/os-release"), ErrInvalid},
		{filepath.Join(dir, "pipe"), ErrInvalid},
		{filepath.Join(dir, "self"), nil},
	} {
		m, err := OpenDir(context.Background(), tc.path, nil)
		if err == nil {
			m.Close()
			t.Fatalf("%s was opened", tc.path)
		}
		if tc.kind != nil && !errors.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.path) {
			t.Errorf("%s: %v", tc.path, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := OpenDir(ctx, dir, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestDirListingIsBounded(t *testing.T) {
	dir := t.TempDir()
	files := map[string][]byte{}
	for i := range 50 {
		files[string(rune('A'+i))] = nil
	}
	writeFiles(t, dir, files)
	m := mustOpen(t, "dir:"+dir, &Options{Limits: &Limits{DirEntries: 10}})
	list, err := fs.ReadDir(m.Tree.FS, ".")
	if !errors.Is(err, ErrLimit) || len(list) != 10 || !slices.IsSortedFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) }) {
		t.Errorf("%d entries, %v", len(list), err)
	}
}

// The root of this machine is opened without its pseudo file systems.
func TestDirRootOfThisMachine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("mounts are only known on linux")
	}
	m, fsys := openTestDir(t, "/")
	var own, proc syscall.Stat_t
	if syscall.Stat("/", &own) != nil || syscall.Stat("/proc", &proc) != nil || own.Dev == proc.Dev {
		t.Skip("/proc is not mounted here")
	}
	if !slices.Contains(m.Tree.Skip, "proc") || !slices.IsSorted(m.Tree.Skip) {
		t.Errorf("skip %q", m.Tree.Skip)
	}
	for _, s := range m.Tree.Skip {
		if _, err := fs.Stat(fsys, s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
		if strings.HasPrefix(s, "proc/") || strings.HasPrefix(s, "sys/") {
			t.Errorf("%s is inside another", s)
		}
	}
	if m, _ := openTestDir(t, "/proc/self"); len(m.Tree.Skip) != 0 {
		t.Errorf("a pseudo file system that was asked for: skip %q", m.Tree.Skip)
	}
}

func BenchmarkDirOpen(b *testing.B) {
	dir := b.TempDir()
	deep := "usr/share/doc/package/examples/more"
	files := map[string][]byte{}
	for i := range 100 {
		files[deep+"/"+string(rune('A'+i))] = []byte("content")
	}
	writeFiles(b, dir, files)
	_, fsys := openTestDir(b, dir)
	list, err := fs.ReadDir(fsys, deep)
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		f, err := fsys.Open(deep + "/" + list[i%len(list)].Name())
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}
