package durable_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stella-ops/stella/internal/durable"
)

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := durable.Replace(path, durable.Bytes([]byte("one"))); err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	err := durable.Replace(path, func(w io.Writer) error {
		_, _ = w.Write([]byte("half of it"))
		return full
	})
	if !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
	if err := durable.Replace(filepath.Join(dir, "absent", "a"), durable.Bytes(nil)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is absent: %v", err)
	}
	if err := durable.Replace(dir, durable.Bytes(nil)); err == nil {
		t.Error("a folder was replaced")
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "one" {
		t.Errorf("the file has %q, %v", text, err)
	}
	if names, _ := filepath.Glob(filepath.Join(dir, ".tmp-*")); len(names) > 0 {
		t.Errorf("left over: %q", names)
	}
}
