package scan_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// noise gives n bytes that do not compress, and always the same.
func noise(n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{1}), n)
}

// TestLargeFilesAddNoMemory scans files of three kinds (unwanted, an executable,
// an archive that needs random access) and the same ten times larger. All that is
// allocated is counted, which is more than what is held at any time.
func TestLargeFilesAddNoMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 300 MB")
	}
	const small, large = 9 << 20, 90 << 20
	jar := func(n int64) io.Reader {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.CreateHeader(&zip.FileHeader{Name: "big.bin", Method: zip.Store})
		if err == nil {
			_, err = io.Copy(w, noise(n))
		}
		if err != nil || z.Close() != nil {
			t.Fatal("zip", err)
		}
		return &b
	}
	program := func(n int64) io.Reader { return io.MultiReader(bytes.NewReader(elfOfGo), noise(n)) }
	for _, tt := range []struct {
		name    string
		c       imagetest.Compression
		content func(int64) io.Reader
	}{
		{"usr/share/noise", imagetest.Gzip, noise}, {"usr/share/noise", imagetest.Zstd, noise},
		{"usr/bin/program", imagetest.Gzip, program}, {"app/big.jar", imagetest.Gzip, jar}, {"app/big.jar", imagetest.Plain, jar},
	} {
		a, b := allocated(t, tt.c, tt.name, tt.content(small)), allocated(t, tt.c, tt.name, tt.content(large))
		t.Logf("%s, %s: %d bytes, %d for ten times as much", tt.c, tt.name, a, b)
		if b > a+4<<20 {
			t.Errorf("%s, %s: %d bytes were allocated, %d for ten times as much", tt.c, tt.name, a, b)
		}
		if a > 48<<20 {
			t.Errorf("%s, %s: %d bytes were allocated", tt.c, tt.name, a)
		}
	}
}

// elfOfGo begins an executable that is searched to its end: a Go build ID and one
// data segment that never ends.
var elfOfGo = func() []byte {
	b := make([]byte, 64+56)
	copy(b, "\x7fELF\x02\x01\x01")
	b[16], b[18], b[20] = 2, 62, 1
	b[32], b[52], b[54], b[56] = 64, 64, 56, 1
	p := b[64:]
	p[0], p[4] = 1, 6 // PT_LOAD, readable and writable
	p[36] = 0x10      // size in the file: 64 GiB
	return b
}()

// allocated scans an image of one file and returns the bytes allocated.
func allocated(t *testing.T, c imagetest.Compression, name string, content io.Reader) uint64 {
	t.Helper()
	b := onDisk(t, c, name, content)
	img := &scan.Image{Subject: sbom.Subject{Kind: sbom.SubjectImage}, Layers: []layer.Blob{b}}
	s := &scan.Scanner{Analyzers: all.Set(), TempDir: t.TempDir()}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := s.Scan(t.Context(), img)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	return after.TotalAlloc - before.TotalAlloc
}

// onDisk stores a layer of one file.
func onDisk(t *testing.T, c imagetest.Compression, name string, content io.Reader) layer.Blob {
	t.Helper()
	body, err := io.ReadAll(content)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "layer"))
	if err != nil {
		t.Fatal(err)
	}
	stored := sha256.New()
	var w io.WriteCloser = nopCloser{io.MultiWriter(file, stored)}
	switch c {
	case imagetest.Gzip:
		w, err = gzip.NewWriterLevel(w, gzip.NoCompression)
	case imagetest.Zstd:
		w, err = zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest))
	}
	if err != nil {
		t.Fatal(err)
	}
	diff := sha256.New()
	tw := tar.NewWriter(io.MultiWriter(w, diff))
	err = tw.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(body)), Typeflag: tar.TypeReg})
	if err == nil {
		_, err = tw.Write(body)
	}
	for _, close := range []func() error{tw.Close, w.Close} {
		if closeErr := close(); err == nil {
			err = closeErr
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	size, _ := file.Seek(0, io.SeekCurrent)
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return layer.Blob{
		DiffID:     "sha256:" + hex.EncodeToString(diff.Sum(nil)),
		Descriptor: sbom.Descriptor{Digest: "sha256:" + hex.EncodeToString(stored.Sum(nil)), Size: size},
		Open:       func(context.Context) (io.ReadCloser, error) { return os.Open(file.Name()) },
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
