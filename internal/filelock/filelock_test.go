package filelock_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stella-ops/stella/internal/filelock"
)

func TestLock(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	first, second := open(), open()
	if err := filelock.Try(first); errors.Is(err, filelock.ErrUnsupported) {
		t.Skip("no locks here")
	} else if err != nil {
		t.Fatal(err)
	}
	if err := filelock.Try(second); !errors.Is(err, filelock.ErrHeld) {
		t.Errorf("while another has it: %v", err)
	}
	taken := make(chan error)
	go func() { taken <- filelock.Wait(second) }()
	first.Close()
	if err := <-taken; err != nil {
		t.Error(err)
	}
	if err := filelock.Try(open()); !errors.Is(err, filelock.ErrHeld) {
		t.Errorf("after waiting: %v", err)
	}
}
