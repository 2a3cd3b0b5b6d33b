package mapped_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/mapped"
)

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	want := bytes.Repeat([]byte("content "), 10_000) // more than a page, and not a number of pages
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := mapped.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(f.Data, want) {
		t.Errorf("%d bytes, want the %d of the file", len(f.Data), len(want))
	}
	if err := f.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		path string
		want error
	}{
		"empty":       {empty, fault.Invalid},
		"a directory": {dir, fault.Invalid},
		"not there":   {filepath.Join(dir, "none"), fs.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := mapped.Open(test.path)
			if !errors.Is(err, test.want) || f.Data != nil {
				t.Errorf("%d bytes, %v; want none, and %v", len(f.Data), err, test.want)
			}
		})
	}
}

// What is in memory already is a File, and Close leaves it alone.
func TestBytes(t *testing.T) {
	f := mapped.File{Data: []byte("content")}
	if err := f.Close(); err != nil || string(f.Data) != "content" {
		t.Errorf("%q, %v", f.Data, err)
	}
	if err := (mapped.File{}).Close(); err != nil {
		t.Error(err)
	}
}
