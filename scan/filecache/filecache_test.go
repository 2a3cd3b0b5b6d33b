package filecache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/filecache"
)

var _ scan.Cache = (*filecache.Cache)(nil)

func open(t *testing.T) (*filecache.Cache, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cache")
	c, err := filecache.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, dir
}

func TestValuesComeBack(t *testing.T) {
	c, _ := open(t)
	ctx := t.Context()
	if _, err := c.Get(ctx, "fragment/a"); !errors.Is(err, scan.ErrNotFound) {
		t.Errorf("an absent entry: %v", err)
	}
	want := bytes.Repeat([]byte("value"), 1000)
	for range 2 { // writing again is fine
		if err := c.Put(ctx, "fragment/a", want); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := c.Get(ctx, "fragment/a"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

// TestDamageIsAbsence flips every byte of an entry and cuts it at every length.
func TestDamageIsAbsence(t *testing.T) {
	c, dir := open(t)
	ctx := t.Context()
	if err := c.Put(ctx, "k", []byte("some value")); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "k")
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		for _, content := range [][]byte{bad, good[:i]} {
			if err := os.WriteFile(name, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if v, err := c.Get(ctx, "k"); !errors.Is(err, scan.ErrNotFound) {
				t.Fatalf("damage at byte %d: value %q, error %v", i, v, err)
			}
		}
	}
}

func TestPermissions(t *testing.T) {
	_, dir := open(t)
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder mode %v, %v; want 0700", info.Mode(), err)
	}
	if err := os.Chmod(dir, fs.FileMode(0o777)); err != nil {
		t.Fatal(err)
	}
	if _, err := filecache.Open(dir); err == nil {
		t.Error("a folder that everybody may write to was accepted")
	}
}

func TestKeysStayInside(t *testing.T) {
	c, _ := open(t)
	for _, key := range []string{"", "../x", "/etc/passwd", "a/../../x", "a\x00b"} {
		if err := c.Put(t.Context(), key, nil); !errors.Is(err, scan.ErrInvalid) {
			t.Errorf("key %q: %v", key, err)
		}
	}
}

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "cache")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	c, err := filecache.Open(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Println(c.Put(context.Background(), "fragment/1", []byte("facts")))
	// Output: <nil>
}
