package locked

import (
	"fmt"

	"github.com/stella-ops/stella/scan/analyzer"
)

// Read gives the content of a file, of at most limit bytes, to a reader. An error of either
// names the file; facts beside it are kept. The reader must not keep the bytes.
func Read(f *analyzer.File, limit int64, read func(data []byte) ([]analyzer.Fact, error)) ([]analyzer.Fact, error) {
	data, err := f.Bytes(limit)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	facts, err := read(data)
	if err != nil {
		return facts, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return facts, nil
}

// ReadAt is Read for readers that go by the file's path as well.
func ReadAt(f *analyzer.File, limit int64, read func(path string, data []byte) ([]analyzer.Fact, error)) ([]analyzer.Fact, error) {
	return Read(f, limit, func(data []byte) ([]analyzer.Fact, error) { return read(f.Path, data) })
}

// Providers returns the keys of packages by the names that they have, and by those that they
// provide beside them: the first package counts, and one of that name before others.
func Providers(packages []analyzer.Located) map[string]string {
	out := make(map[string]string, len(packages))
	put := func(name, key string) {
		if out[name] == "" {
			out[name] = key
		}
	}
	for _, f := range packages {
		put(f.Package.Name, f.Key)
	}
	for _, f := range packages {
		for _, name := range f.Provides {
			put(name, f.Key)
		}
	}
	return out
}
