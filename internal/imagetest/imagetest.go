// Package imagetest builds layers and images in memory, for tests, examples
// and the demo.
package imagetest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// File is one tar entry. Name ending in '/' is a folder; Link makes a symbolic
// link, HardLink a hard link; anything else is a regular file.
type File struct {
	Name     string
	Data     string
	Link     string
	HardLink string
	Mode     int64 // default 0644, folders 0755
}

// Tar writes files in their order. It panics on names that tar cannot hold:
// its input is the test itself.
func Tar(files ...File) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.Name, Mode: f.Mode, Size: int64(len(f.Data)), Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		switch {
		case f.Link != "":
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, f.Link, 0
		case f.HardLink != "":
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, f.HardLink, 0
		case f.Name[len(f.Name)-1] == '/':
			h.Typeflag, h.Size = tar.TypeDir, 0
		}
		if h.Mode == 0 {
			h.Mode = 0o644
			if h.Typeflag == tar.TypeDir {
				h.Mode = 0o755
			}
		}
		must(w.WriteHeader(h))
		if h.Size > 0 {
			_, err := io.WriteString(w, f.Data)
			must(err)
		}
	}
	must(w.Close())
	return b.Bytes()
}

// Compression names how a layer is stored.
type Compression string

// The compressions of layers.
const (
	Plain Compression = "none"
	Gzip  Compression = "gzip"
	Zstd  Compression = "zstd"
)

// Compress stores a tar.
func Compress(data []byte, c Compression) []byte {
	var b bytes.Buffer
	switch c {
	case Gzip:
		w := gzip.NewWriter(&b)
		_, err := w.Write(data)
		must(err)
		must(w.Close())
	case Zstd:
		w, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
		must(err)
		_, err = w.Write(data)
		must(err)
		must(w.Close())
	default:
		return data
	}
	return b.Bytes()
}

// Digest returns the "sha256:…" digest of data.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Blob makes a layer of a tar. The stored bytes are named by their digest.
func Blob(data []byte, c Compression) layer.Blob {
	stored := Compress(data, c)
	media := "application/vnd.oci.image.layer.v1.tar"
	if c != Plain {
		media += "+" + string(c)
	}
	return layer.Blob{
		DiffID:     Digest(data),
		Descriptor: sbom.Descriptor{MediaType: media, Digest: Digest(stored), Size: int64(len(stored))},
		Open:       Opener(stored),
	}
}

// Opener gives the same bytes each time.
func Opener(stored []byte) func(context.Context) (io.ReadCloser, error) {
	return func(context.Context) (io.ReadCloser, error) { return closer{bytes.NewReader(stored)}, nil }
}

// closer is a local blob: it can be read in place.
type closer struct{ *bytes.Reader }

func (closer) Close() error { return nil }

func must(err error) {
	if err != nil {
		panic(err)
	}
}
