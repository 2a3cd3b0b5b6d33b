package layer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/layer"
)

func sumOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// blobs are a tar as layers: compressed, plain, and plain from sources that name what they
// store, or only that.
func blobs(tar []byte) map[string]layer.Blob {
	out := map[string]layer.Blob{}
	for _, c := range []imagetest.Compression{imagetest.Plain, imagetest.Gzip, imagetest.Zstd} {
		out[string(c)] = imagetest.Blob(tar, c)
	}
	unnamed := out[string(imagetest.Plain)]
	unnamed.Descriptor.Digest = ""
	out["unnamed"] = unnamed
	inPlace := unnamed
	inPlace.Open = func(context.Context) (io.ReadCloser, error) { return readerAt{bytes.NewReader(tar)}, nil }
	out["in place"] = inPlace
	return out
}

type readerAt struct{ *bytes.Reader }

func (readerAt) Close() error { return nil }

// A digest that an analyzer asks for is that of the whole file, wherever it lies in the layer
// and whatever is read of it, and the layer's own digest is right beside it.
func TestDigestsOfSharedFiles(t *testing.T) {
	sum := func(f *analyzer.File) ([]analyzer.Fact, error) {
		sum := f.SHA256()
		s, err := sum()
		return fact(s), err
	}
	parts := func(f *analyzer.File) ([]analyzer.Fact, error) {
		sum := f.SHA256()
		if _, err := io.ReadFull(f, make([]byte, 70_001)); err != nil {
			return nil, err
		}
		if err := f.Discard(1_000_003); err != nil {
			return nil, err
		}
		at := make([]byte, 8)
		if _, err := io.ReadFull(f, at); err != nil {
			return nil, err
		}
		s, err := sum()
		return fact(string(at) + " " + s), err
	}
	stops := func(f *analyzer.File) ([]analyzer.Fact, error) { f.SHA256(); return fact("stopped"), nil }
	late := func(f *analyzer.File) ([]analyzer.Fact, error) {
		if _, err := f.Read(make([]byte, 1)); err != nil {
			return nil, err
		}
		if s, err := f.SHA256()(); err == nil {
			return nil, fmt.Errorf("%s after reading", s)
		}
		return fact("refused"), nil
	}
	beyond := func(f *analyzer.File) ([]analyzer.Fact, error) {
		return fact(fmt.Sprint(f.Discard(f.Size + 1))), nil
	}
	set := analyzer.NewSet(reader{"late", true, late}, reader{"parts", true, parts}, reader{"stops", true, stops}, reader{"sum", true, sum}, reader{"beyond", true, beyond})
	only := analyzer.NewSet(reader{"stops", true, stops})
	data := largeFile()
	for _, before := range []int{0, 1, 511, 255 << 10, 256<<10 - 1024, 512<<10 - 1024, 516<<10 - 512, 700_000} {
		tar := imagetest.Tar(imagetest.File{Name: "0", Data: strings.Repeat("x", before)}, imagetest.File{Name: "a", Data: data},
			imagetest.File{Name: "b", Data: data[:5<<20]}, imagetest.File{Name: "c", Data: "end"})
		var want []string
		for _, who := range []string{"beyond", "late", "parts", "stops", "sum"} {
			for _, f := range []struct{ path, data string }{{"a", data}, {"b", data[:5<<20]}} {
				said := map[string]string{"beyond": io.ErrUnexpectedEOF.Error(), "late": "refused", "stops": "stopped", "sum": sumOf(f.data),
					"parts": f.data[1_070_004:1_070_012] + " " + sumOf(f.data)}[who]
				want = append(want, who+" "+f.path+"="+said)
			}
		}
		for name, b := range blobs(tar) {
			f, err := layer.Scan(t.Context(), b, &layer.Options{Analyzers: set})
			if err != nil {
				t.Fatalf("%s after %d bytes: %v", name, before, err)
			}
			if diff := cmp.Diff(want, say(f)); diff != "" {
				t.Errorf("%s after %d bytes (-want +got):\n%s", name, before, diff)
			}
			if _, err := layer.Scan(t.Context(), b, &layer.Options{Analyzers: only}); err != nil {
				t.Errorf("%s after %d bytes, nobody reads on: %v", name, before, err)
			}
		}
	}
}

// Files of all sizes are given whole to several analyzers, and have their digests when a
// layer is read again for them.
func TestFilesOfAllSizes(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	text := []byte(largeFile())
	for i := range text {
		text[i] = byte('a' + random.IntN(26))
	}
	data := "large" + string(text[5:])
	var files []imagetest.File
	var names []string
	want := map[string]string{}
	for i, size := range []int{8, 511, 512, 513, 4 << 10, 100_000, 255 << 10, 512<<10 - 1, 512 << 10, 512<<10 + 1, 516 << 10, 600_000, 1 << 20, 8, 3 << 20, 4 << 20} {
		name := fmt.Sprintf("%02d", i)
		files, names = append(files, imagetest.File{Name: name, Data: data[:size]}, imagetest.File{Name: name + "x", Data: data[5 : 5+random.IntN(300_000)]}), append(names, name)
		want[name] = sumOf(data[:size])
	}
	sum := func(f *analyzer.File) ([]analyzer.Fact, error) {
		at, err := f.ReaderAt()
		if err != nil {
			return nil, err
		}
		b := make([]byte, f.Size)
		if _, err := at.ReadAt(b, 0); err != nil && err != io.EOF {
			return nil, err
		}
		return fact(sumOf(string(b))), nil
	}
	set := analyzer.NewSet(reader{"one", false, sum}, reader{"two", false, sum})
	for name, b := range blobs(imagetest.Tar(files...)) {
		f, err := layer.Scan(t.Context(), b, &layer.Options{Analyzers: set})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := map[string]string{}
		for _, said := range say(f) {
			who, rest, _ := strings.Cut(said, " ")
			path, sum, _ := strings.Cut(rest, "=")
			if got[path] = sum; sum != want[path] {
				t.Errorf("%s: %s of %s: %s, want %s", name, who, path, sum, want[path])
			}
		}
		sums, err := layer.Sums(t.Context(), b, names, &layer.Options{Analyzers: set})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for what, have := range map[string]map[string]string{"facts": got, "digests": sums} {
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", name, what, diff)
			}
		}
	}
}
