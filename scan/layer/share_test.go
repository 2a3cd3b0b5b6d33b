package layer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/layer"
)

// reader is an analyzer with a name of its own.
type reader struct {
	name    string
	forward bool
	extract func(*analyzer.File) ([]analyzer.Fact, error)
}

func (r reader) Info() analyzer.Info { return analyzer.Info{Name: r.name, Version: 1} }
func (r reader) Paths() analyzer.Paths {
	return analyzer.Paths{Magic: []string{"large"}, Forward: r.forward}
}
func (r reader) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	return r.extract(f)
}

const large = 9<<20 + 17 // more than is held

func largeFile() string { return "large" + strings.Repeat("0123456789abcdef", large/16+1)[:large-5] }

// say lists "analyzer path=what it said".
func say(f *layer.Fragment) (out []string) {
	for _, file := range f.Files {
		out = append(out, file.Analyzer+" "+file.Path+"="+file.Facts[0].Package.Version)
	}
	slices.Sort(out)
	return out
}

// Several analyzers see a large file as it streams by: each all of it or as far as it wants,
// whatever the others do, and none may hold it.
func TestLargeFilesAreShared(t *testing.T) {
	data := largeFile()
	sum := sha256.Sum256([]byte(data))
	whole := func(f *analyzer.File) ([]analyzer.Fact, error) {
		if _, err := f.ReaderAt(); !errors.Is(err, analyzer.ErrForward) {
			return nil, fmt.Errorf("ReaderAt: %v", err)
		}
		h := sha256.New()
		n, err := io.Copy(h, f)
		return fact(fmt.Sprint(n, " ", hex.EncodeToString(h.Sum(nil)))), err
	}
	start := func(f *analyzer.File) ([]analyzer.Fact, error) {
		var b [5]byte
		_, err := io.ReadFull(f, b[:])
		return fact(string(b[:])), err
	}
	set := analyzer.NewSet(reader{"whole", true, whole}, reader{"nothing", true, func(*analyzer.File) ([]analyzer.Fact, error) { return fact("unread"), nil }},
		reader{"panics", true, func(f *analyzer.File) ([]analyzer.Fact, error) { _, _ = start(f); panic("oh") }},
		reader{"fails", true, func(f *analyzer.File) ([]analyzer.Fact, error) { _, _ = start(f); return nil, errors.New("no") }},
		reader{"start", true, start}, reader{"again", true, whole})
	tar := imagetest.Tar(imagetest.File{Name: "a", Data: data}, imagetest.File{Name: "b", Data: "large, but not very"})
	for _, c := range []imagetest.Compression{imagetest.Gzip, imagetest.Zstd} {
		f, err := layer.Scan(t.Context(), imagetest.Blob(tar, c), &layer.Options{Analyzers: set})
		if err != nil {
			t.Fatal(err)
		}
		all := fmt.Sprint(len(data), " ", hex.EncodeToString(sum[:]))
		want := []string{"again a=" + all, "nothing a=unread", "nothing b=unread", "start a=large", "start b=large", "whole a=" + all}
		if diff := cmp.Diff(want, slices.DeleteFunc(say(f), func(s string) bool { return strings.HasPrefix(s, "whole b") || strings.HasPrefix(s, "again b") })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c, diff)
		}
		var gaps []string
		for _, g := range f.Gaps {
			if g.Where == "a" {
				gaps = append(gaps, string(g.Code)+" "+g.What)
			}
		}
		if diff := cmp.Diff([]string{"panic panics: analyzer panicked: oh", "unreadable fails: no"}, gaps); diff != "" {
			t.Errorf("%s: gaps (-want +got):\n%s", c, diff)
		}
	}
}

// A layer that ends within a shared file is damaged, whatever its analyzers made of it.
func TestSharedFileIsCutOff(t *testing.T) {
	tar := imagetest.Tar(imagetest.File{Name: "a", Data: largeFile()})
	whole := reader{"whole", true, func(f *analyzer.File) ([]analyzer.Fact, error) {
		_, _ = io.Copy(io.Discard, f)
		return fact("swallowed"), nil
	}}
	b := imagetest.Blob(tar[:len(tar)/2], imagetest.Gzip)
	if f, err := layer.Scan(t.Context(), b, &layer.Options{Analyzers: analyzer.NewSet(whole)}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("%v, %v", f, err)
	}
}

// An analyzer that needs a large file once more gets it, with random access; of files that a
// later entry replaced it does not.
func TestAgain(t *testing.T) {
	calls := 0
	again := reader{"again", true, func(f *analyzer.File) ([]analyzer.Fact, error) {
		calls++
		at, err := f.ReaderAt()
		if errors.Is(err, analyzer.ErrForward) {
			return nil, analyzer.ErrAgain
		}
		if err != nil {
			return nil, err
		}
		var b [16]byte
		_, err = at.ReadAt(b[:], f.Size-16)
		return fact(string(b[:])), err
	}}
	other := reader{"other", true, func(*analyzer.File) ([]analyzer.Fact, error) { return fact("once"), nil }}
	tar := imagetest.Tar(imagetest.File{Name: "a", Data: largeFile()}, imagetest.File{Name: "b", Data: largeFile()}, imagetest.File{Name: "b", Data: "small"})
	f, err := layer.Scan(t.Context(), imagetest.Blob(tar, imagetest.Gzip), &layer.Options{Analyzers: analyzer.NewSet(again, other)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"again a=" + largeFile()[large-16:], "other a=once"}, say(f)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if calls != 3 {
		t.Errorf("asked %d times, want 3", calls)
	}
}

func TestSums(t *testing.T) {
	tar := imagetest.Tar(imagetest.File{Name: "a", Data: "first"}, imagetest.File{Name: "b", Data: largeFile()}, imagetest.File{Name: "a", Data: "second"}, imagetest.File{Name: "d/"})
	for _, c := range []imagetest.Compression{imagetest.Plain, imagetest.Gzip} {
		got, err := layer.Sums(t.Context(), imagetest.Blob(tar, c), []string{"a", "b", "missing", "d"}, &layer.Options{Analyzers: analyzer.NewSet()})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"a": hexSum("second"), "b": hexSum(largeFile())}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c, diff)
		}
	}
	b := imagetest.Blob(tar, imagetest.Plain)
	b.Open = imagetest.Opener(bytes.Replace(tar, []byte("second"), []byte("forged"), 1))
	if got, err := layer.Sums(t.Context(), b, []string{"a"}, &layer.Options{Analyzers: analyzer.NewSet()}); err == nil {
		t.Errorf("a layer that changed gives %v", got)
	}
}

func hexSum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
