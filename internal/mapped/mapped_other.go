//go:build !unix

package mapped

import (
	"io"
	"os"
)

func open(f *os.File, size int) (File, error) {
	data := make([]byte, size)
	_, err := io.ReadFull(f, data)
	return File{Data: data}, err
}

// Close frees the memory. It must be called once at most.
func (f File) Close() error { return nil }
