//go:build unix

package snapshot

import (
	"fmt"
	"os"
	"syscall"

	"github.com/stella-ops/stella/internal/fault"
)

// mapping is a file in memory.
type mapping struct {
	data   []byte
	mapped bool
}

// mapFile maps the file at path, read only.
func mapFile(path string) (mapping, error) {
	f, err := os.Open(path)
	if err != nil {
		return mapping{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return mapping{}, err
	}
	size := info.Size()
	if !info.Mode().IsRegular() || size == 0 || int64(int(size)) != size {
		return mapping{}, fmt.Errorf("%s: not a file with content: %w", path, fault.Invalid)
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return mapping{}, fmt.Errorf("map %s: %w", path, err)
	}
	return mapping{data, true}, nil
}

func (m mapping) close() error {
	if !m.mapped {
		return nil
	}
	return syscall.Munmap(m.data)
}
