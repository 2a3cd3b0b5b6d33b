package layer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// fuzzLimits are small enough to be reached.
var fuzzLimits = analyzer.Limits{
	LayerBytes: 1 << 20, Entries: 64, PathBytes: 300, FileBytes: 64 << 10, SpillBytes: 64 << 10,
	ArchiveDepth: 3, ArchiveEntries: 200, ArchiveBytes: 1 << 20, Facts: 50,
}

const fuzzMemory = 256 << 10

// FuzzScan reads whole layers with every analyzer. The bytes are taken as they
// are stored, and as a tar whose header checksums are put right, in each
// compression. Nothing panics, limits hold, errors have kinds, and the same
// content gives the same fragment however it is stored and however often it is
// read.
func FuzzScan(f *testing.F) {
	sample := imagetest.Tar(
		imagetest.File{Name: "etc/os-release", Data: "ID=debian\n"}, imagetest.File{Name: "var/lib/dpkg/status", Data: "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n"},
		imagetest.File{Name: "app/node_modules/x/package.json", Data: `{"name":"x","version":"1.0.0","license":"MIT"}`},
		imagetest.File{Name: "l", HardLink: "etc/os-release"}, imagetest.File{Name: "usr/lib/os-release", Link: "../../etc/os-release"},
		imagetest.File{Name: "a/.wh.b"}, imagetest.File{Name: "a/.wh..wh..opq"}, imagetest.File{Name: "bin/x", Data: "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 4100)})
	f.Add(sample)
	for _, c := range []imagetest.Compression{imagetest.Gzip, imagetest.Zstd} {
		f.Add(imagetest.Compress(sample, c))
	}
	for _, b := range []layer.Blob{chunked(tableOf("", "")), first(stargz(tableOf("", ""), tableOf("", "")))} {
		rc, _ := b.Open(context.Background())
		data, _ := io.ReadAll(rc) // from memory
		f.Add(data)
	}
	opt := &layer.Options{Analyzers: all.Set(), TempDir: f.TempDir()}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkStored(t, opt, data)
		tar := bytes.Clone(data)
		putChecksumsRight(tar)
		var digests []string // that of Plain may be another: it may look compressed
		for _, c := range []imagetest.Compression{imagetest.Plain, imagetest.Gzip, imagetest.Zstd} {
			digests = append(digests, scanTwice(t, opt, imagetest.Blob(tar, c)))
		}
		if digests[1] != digests[2] {
			t.Errorf("gzip and zstd differ: %v", digests)
		}
	})
}

func first[A, B any](a A, _ B) A { return a }

// checkStored scans bytes as they are stored, under the digest of what they
// decompress to.
func checkStored(t *testing.T, opt *layer.Options, stored []byte) {
	var r io.Reader = bytes.NewReader(stored)
	switch {
	case bytes.HasPrefix(stored, []byte("\x1f\x8b")):
		zr, err := gzip.NewReader(r)
		if err == nil {
			r = zr
		}
	default:
		if zr, err := zstd.NewReader(r, zstd.WithDecoderMaxMemory(32<<20), zstd.WithDecoderConcurrency(1)); err == nil {
			defer zr.Close()
			r = zr
		}
	}
	tar, err := io.ReadAll(io.LimitReader(r, 2<<20))
	if err != nil {
		tar = stored
	}
	scanTwice(t, opt, storedBlob(tar, stored))
}

// scanTwice returns the digest of a layer's fragment, or the kind of its error.
func scanTwice(t *testing.T, opt *layer.Options, b layer.Blob) string {
	t.Helper()
	var said [2]string
	for i := range said {
		own := *opt
		own.Budget, own.Memory = analyzer.NewBudget(fuzzLimits), &layer.Memory{Max: fuzzMemory}
		f, err := layer.Scan(t.Context(), b, &own)
		if (f == nil) != (err != nil) {
			t.Fatalf("fragment %v, error %v", f, err)
		}
		if err != nil {
			if fault.KindOf(err) == "" && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("error without a kind: %v", err)
			}
			said[i] = string(fault.KindOf(err))
			continue
		}
		said[i] = checkFragment(t, f)
	}
	if said[0] != said[1] {
		t.Fatalf("the same layer gave %s, then %s", said[0], said[1])
	}
	return said[0]
}

// checkFragment holds a fragment against the limits and returns its digest.
func checkFragment(t *testing.T, f *layer.Fragment) string {
	t.Helper()
	facts := 0
	for _, file := range f.Files {
		facts += len(file.Facts)
	}
	if f.Size > fuzzLimits.LayerBytes || f.Entries.Len() > 2*int(fuzzLimits.Entries) || facts > int(fuzzLimits.Facts) {
		t.Errorf("limits do not hold: %d bytes, %d entries, %d facts", f.Size, f.Entries.Len(), facts)
	}
	for _, g := range f.Gaps {
		if g.Code == sbom.GapPanic {
			t.Errorf("an analyzer panicked: %+v", g)
		}
	}
	digest, err := f.Digest()
	b, encodeErr := f.Encode()
	if err != nil || encodeErr != nil || digest != layer.Digest(b) {
		t.Fatalf("digest %s (%v), of the encoding %s (%v)", digest, err, layer.Digest(b), encodeErr)
	}
	back, err := layer.DecodeFragment(b)
	if err != nil {
		t.Fatalf("own encoding does not decode: %v", err)
	}
	if again, err := back.Digest(); err != nil || again != digest {
		t.Errorf("decoded fragment has digest %s (%v), not %s", again, err, digest)
	}
	if diff := cmp.Diff(f.Gaps, back.Gaps); diff != "" {
		t.Errorf("gaps changed (-read +decoded):\n%s", diff)
	}
	return digest
}

// putChecksumsRight rewrites the checksum of every block that looks like a tar
// header, so that changed headers are read.
func putChecksumsRight(tar []byte) {
	for ; len(tar) >= 512; tar = tar[512:] {
		h := tar[:512]
		if !bytes.Equal(h[257:262], []byte("ustar")) {
			continue
		}
		copy(h[148:156], "        ")
		sum := 0
		for _, c := range h {
			sum += int(c)
		}
		copy(h[148:156], fmt.Sprintf("%06o\x00 ", sum))
	}
}
