package analyzer_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"testing"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
)

// TestFileSHA256: content that knows no digest of its own is hashed as it is read.
func TestFileSHA256(t *testing.T) {
	data := bytes.Repeat([]byte("content "), 20_000)
	digest := sha256.Sum256(data)
	want := hex.EncodeToString(digest[:])
	for name, f := range map[string]*analyzer.File{
		"in memory":  analyzer.NewMemoryFile("a", data),
		"streams by": analyzertest.Streamed("a", 0o644, data),
	} {
		sum := f.SHA256()
		if err := f.Discard(3); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b := make([]byte, 4)
		if _, err := io.ReadFull(f, b); err != nil || string(b) != "tent" {
			t.Errorf("%s: %q, %v behind what was passed over", name, b, err)
		}
		if got, err := sum(); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, want)
		}
		if err := f.Discard(1); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v passing over what is not there", name, err)
		}
	}
}
