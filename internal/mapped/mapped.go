// Package mapped has the content of files in memory without reading them first,
// where the system can do that.
package mapped

import (
	"fmt"
	"os"

	"github.com/stella-ops/stella/internal/fault"
)

// File is a file in memory. The zero value is an empty one, and Data may be set to
// bytes that are there already. It is safe for concurrent use until it is closed.
type File struct {
	// Data is the content. It must not be changed, nor read after Close.
	Data   []byte
	mapped bool
}

// Open maps the file at path, read only; the file must not change meanwhile. Where
// the system cannot, it is read. An error wraps ErrInvalid where the file is empty or
// not a regular one, and else what the system said, such as fs.ErrNotExist.
func Open(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close() // what is mapped stays
	info, err := f.Stat()
	if err != nil {
		return File{}, err
	}
	size := info.Size()
	if !info.Mode().IsRegular() || size == 0 || int64(int(size)) != size {
		return File{}, fmt.Errorf("%s: not a file with content: %w", path, fault.Invalid)
	}
	file, err := open(f, int(size))
	if err != nil {
		return File{}, fmt.Errorf("map %s: %w", path, err)
	}
	return file, nil
}
