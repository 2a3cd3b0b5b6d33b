//go:build unix

package mapped

import (
	"os"
	"syscall"
)

func open(f *os.File, size int) (File, error) {
	data, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
	return File{data, err == nil}, err
}

// Close frees the memory. It must be called once at most.
func (f File) Close() error {
	if !f.mapped {
		return nil
	}
	return syscall.Munmap(f.Data)
}
