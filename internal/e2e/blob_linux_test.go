package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/store/blob"
)

// TestFileBlobDiskFull: every put that does not fit is an error that may pass,
// and leaves nothing; what fits afterwards is kept.
func TestFileBlobDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	b, err := blob.Open(t.Context(), "file:"+dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	kept, full := 0, 0
	for i := range 60 {
		p := bytes.Repeat(fmt.Appendf(nil, "%08d", i), (i%7+1)*12000)
		ref, err := b.Put(t.Context(), bytes.NewReader(p))
		if err == nil {
			kept++
			err = b.Check(t.Context(), ref)
		} else if errors.Is(err, blob.ErrUnavailable) && errors.Is(err, syscall.ENOSPC) {
			full++
			err = nil
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for info, err := range b.Verify(t.Context()) {
		if err != nil {
			t.Errorf("%s: %v", info.Key, err)
		}
		kept--
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "~tmp", "*")); len(left) > 0 {
		t.Errorf("temporary files were left: %v", left)
	}
	if kept != 0 || full == 0 {
		t.Errorf("%d objects more were acknowledged than are there; %d puts met a full disk", kept, full)
	}
	big, err := filepath.Glob(filepath.Join(dir, "sha256", "*", "*"))
	if err != nil || len(big) == 0 {
		t.Fatal(big, err)
	}
	for _, f := range big { // somebody makes room
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Put(t.Context(), bytes.NewReader(make([]byte, 1<<20))); err != nil {
		t.Errorf("after there is room again: %v", err)
	}
}

const tracedVariable = "STELLA_E2E_TRACED"

// TestFileBlobTraced is what TestFileBlobSyncs traces.
func TestFileBlobTraced(t *testing.T) {
	dir := os.Getenv(tracedVariable)
	if dir == "" {
		t.Skip("it is run by TestFileBlobSyncs")
	}
	b, err := blob.Open(t.Context(), "file:"+dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), strings.NewReader("traced")); err != nil {
		t.Fatal(err)
	}
	fmt.Println("acknowledged")
}

// TestFileBlobSyncs: an object is on disk, with all folders that lead to it, before
// it is acknowledged: the kernel is asked in the right order.
func TestFileBlobSyncs(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not on PATH")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	log := filepath.Join(t.TempDir(), "log")
	cmd := exec.Command(strace, "-f", "-y", "-o", log, "-e", "trace=write,fsync,renameat,renameat2,mkdirat,mkdir", self, "-test.run=^TestFileBlobTraced$")
	cmd.Env = append(os.Environ(), tracedVariable+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("strace does not work here: %v: %s", err, out)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`^\d+ +(\w+)\((.*)$`)
	hex := regexp.MustCompile(`[0-9a-f]{32,}`)
	var got []string
	for line := range strings.Lines(string(text)) {
		m := call.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil || strings.Contains(m[2], "EEXIST") {
			continue
		}
		path := ""
		if i := strings.Index(m[2], "<"+dir); i >= 0 {
			path, _, _ = strings.Cut(m[2][i+1+len(dir):], ">")
		}
		switch {
		case strings.Contains(m[2], `"acknowledged`):
			got = append(got, "acknowledged")
		case !strings.Contains(m[2], dir):
		case m[1] == "mkdirat" || m[1] == "mkdir":
			name := strings.Split(m[2], `"`)
			got = append(got, "mkdir "+path+"/"+name[1])
		case m[1] == "fsync" || m[1] == "write":
			got = append(got, m[1]+" "+hex.ReplaceAllString(path, "#")+"/")
		default:
			got = append(got, "rename")
		}
	}
	const sum = "d8"
	want := []string{
		"mkdir /~tmp", "fsync /",
		"write /~tmp/#/", "fsync /~tmp/#/",
		"mkdir /sha256", "fsync /", "mkdir /sha256/" + sum, "fsync /sha256/",
		"rename", "fsync /sha256/" + sum + "/",
		"acknowledged",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls of the kernel: %s", diff)
	}
}
