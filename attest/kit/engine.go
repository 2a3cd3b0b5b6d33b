package kit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"github.com/stella-ops/stella/internal/fault"
)

// CheckEngine reads a file of the engine, such as the program that runs, and returns
// the entry of kind "engine" among entries that it is. An error wraps ErrMismatch
// where it is none of them, and ErrNotFound where there are none at all.
func CheckEngine(ctx context.Context, self io.Reader, entries []Entry) (Entry, error) {
	h := sha256.New()
	n, err := io.CopyBuffer(h, &patient{ctx, self}, make([]byte, bufferSize))
	if err != nil {
		return Entry{}, fmt.Errorf("check the engine: %w", err)
	}
	got, known := digestOf(h), 0
	for _, e := range entries {
		if e.Kind != KindEngine {
			continue
		}
		if known++; e.Digest == got && e.Length == n {
			return e, nil
		}
	}
	if known == 0 {
		return Entry{}, fmt.Errorf("check the engine: the kit names no files of an engine: %w", fault.NotFound)
	}
	return Entry{}, fmt.Errorf("check the engine: %w", &fault.MismatchError{What: "engine", Want: fmt.Sprintf("one of the kit's %d files", known), Got: got})
}
