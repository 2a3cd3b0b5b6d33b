package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stella-ops/stella/scan/image"
)

// references are names that must be refused before anything is connected to.
func (l *lab) references(each func(class, name string, run func(t *testing.T))) {
	for name, ref := range badReferences() {
		each("reference", name, func(t *testing.T) {
			l.runs++
			l.scan(t, &hostile{want: failed(image.ErrInvalid, "reference")}, ref)
		})
	}
	for name, ref := range map[string]string{"of http": "http://localhost/app", "of a file": "file:///etc/passwd", "of another tool": "podman:app"} {
		each("reference", "scheme "+name, func(t *testing.T) {
			l.runs++
			l.scan(t, &hostile{want: failed(image.ErrUnsupported, "scheme")}, ref)
		})
	}
}

// folders are root filesystems that lead out of themselves.
func (l *lab) folders(each func(class, name string, run func(t *testing.T))) {
	database := func(root, text string) error { return put(root, status, text) }
	for _, c := range []struct {
		name string
		make func(root string) error
		want want
	}{
		{"link to a file outside", func(root string) error {
			check(os.MkdirAll(filepath.Join(root, "node_modules/outside"), 0o755))
			return os.Symlink(filepath.Join(l.canary, "node_modules/outside/package.json"), filepath.Join(root, "node_modules/outside/package.json"))
		}, shown()},
		{"link to a folder outside", func(root string) error {
			return os.Symlink(filepath.Join(l.canary, "node_modules"), filepath.Join(root, "node_modules"))
		}, shown()},
		{"link to the root of the machine", func(root string) error { return os.Symlink("/", filepath.Join(root, "all")) }, shown()},
		{"link to itself", func(root string) error { return os.Symlink("loop", filepath.Join(root, "loop")) }, shown()},
		{"link to the folder above", func(root string) error { return os.Symlink("..", filepath.Join(root, "up")) }, shown()},
		{"database is a link outside", func(root string) error {
			check(os.Remove(filepath.Join(root, status)))
			return os.Symlink(filepath.Join(l.canary, "file"), filepath.Join(root, status))
		}, noted("!uncaptured " + status).unseen()},
		{"database is a pipe that nobody writes to", func(root string) error {
			check(os.Remove(filepath.Join(root, status)))
			return syscall.Mkfifo(filepath.Join(root, status), 0o600)
		}, shown().unseen()},
		{"database is a folder", func(root string) error {
			check(os.Remove(filepath.Join(root, status)))
			return os.Mkdir(filepath.Join(root, status), 0o700)
		}, shown().unseen()},
		{"lockfile is a pipe that nobody writes to", func(root string) error { return syscall.Mkfifo(filepath.Join(root, "package-lock.json"), 0o600) }, shown()},
		{"name that is not UTF-8", func(root string) error { return put(root, npmPath("\xff", "seen"), npmText("seen")) }, noted("oddity %FF", "unreadable %FF")},
		{"name with a line break", func(root string) error { return put(root, npmPath("a\nb", "seen"), npmText("seen")) }, shown("seen")},
		{"200 folders deep", func(root string) error {
			return put(root, npmPath(strings.TrimSuffix(strings.Repeat("dir/", 200), "/"), "seen"), npmText("seen"))
		}, shown("seen")},
		{"a sparse file of a terabyte", func(root string) error {
			check(put(root, "disk.json", ""))
			check(put(root, "package-lock.json", ""))
			check(os.Truncate(filepath.Join(root, "disk.json"), 1<<40))
			return os.Truncate(filepath.Join(root, "package-lock.json"), 1<<40)
		}, noted("!limit package-lock.json")},
		{"a database of noise", func(root string) error { return database(root, incompressible(4096)) }, noted("!unreadable " + status).unseen()},
	} {
		each("folder", c.name, func(t *testing.T) {
			root := filepath.Join(l.root, fmt.Sprint("folder", l.runs))
			l.runs++
			defer os.RemoveAll(root)
			check(put(root, "etc/os-release", "ID=debian\nVERSION_ID=12\n"))
			check(put(root, status, "Package: witness\nStatus: install ok installed\nVersion: 1.0\nArchitecture: amd64\n\n"))
			check(c.make(root))
			l.scan(t, &hostile{want: c.want}, "dir:"+root)
		})
	}
}

func put(root, name, text string) error {
	p := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		return err
	}
	return os.WriteFile(p, []byte(text), 0o644)
}
