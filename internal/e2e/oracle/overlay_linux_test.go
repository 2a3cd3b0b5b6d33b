package oracle

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

var errNotDir error = syscall.ENOTDIR

// mountable reports whether this process may mount an overlay here.
func mountable(t *testing.T, base string) bool {
	t.Helper()
	dir := filepath.Join(base, "probe")
	for _, d := range []string{"a", "b"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	u := []unpacked{{dir: filepath.Join(dir, "a"), whiteouts: []string{"x"}, opaque: []string{"y"}}, {dir: filepath.Join(dir, "b")}}
	if _, err := overlaid(dir, u); err != nil {
		t.Logf("overlayfs is left out, it cannot be mounted here: %v", err)
		return false
	}
	return true
}

// overlaid mounts the layers and lists what counts.
func overlaid(dir string, layers []unpacked) (out []string, err error) {
	var lower []string
	for _, l := range layers {
		if err := mark(l); err != nil {
			return nil, err
		}
		lower = append([]string{l.dir}, lower...) // the topmost comes first
	}
	empty, at := filepath.Join(dir, "empty"), filepath.Join(dir, "merged")
	for _, d := range []string{empty, at} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	lower = append(lower, empty) // a mount without an upper folder needs two
	if err := syscall.Mount("overlay", at, "overlay", syscall.MS_RDONLY, "lowerdir="+strings.Join(lower, ":")); err != nil {
		return nil, fmt.Errorf("mount: %w", err)
	}
	defer func() {
		if e := syscall.Unmount(at, 0); err == nil {
			err = e
		}
	}()
	return counting(at)
}

// mark writes a layer's removals as overlayfs has them: devices and attributes.
func mark(l unpacked) error {
	for _, w := range l.whiteouts {
		if err := syscall.Mknod(filepath.Join(l.dir, w), syscall.S_IFCHR, 0); err != nil {
			return fmt.Errorf("whiteout %s: %w", w, err)
		}
	}
	for _, o := range l.opaque {
		if o == "." {
			continue // overlayfs has no opaque root; see TestLayersAgainstUnpacking
		}
		at := filepath.Join(l.dir, o)
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		if err := syscall.Setxattr(at, "trusted.overlay.opaque", []byte("y"), 0); err != nil {
			return fmt.Errorf("opaque %s: %w", o, err)
		}
	}
	return nil
}
