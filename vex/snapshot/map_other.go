//go:build !unix

package snapshot

import "os"

// mapping is a file in memory.
type mapping struct{ data []byte }

// mapFile reads the file at path.
func mapFile(path string) (mapping, error) {
	data, err := os.ReadFile(path)
	return mapping{data}, err
}

func (m mapping) close() error { return nil }
