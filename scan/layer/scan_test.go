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

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/layer"
	"github.com/stella-ops/stella/scan/sbom"
)

// probe is an analyzer that says what it was shown.
type probe struct {
	paths   analyzer.Paths
	extract func(*analyzer.File) ([]analyzer.Fact, error)
}

func (p probe) Info() analyzer.Info {
	return analyzer.Info{Name: "probe", Version: 1, Authoritative: true}
}
func (p probe) Paths() analyzer.Paths { return p.paths }
func (p probe) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	if p.extract != nil {
		return p.extract(f)
	}
	b, err := f.Bytes(0)
	return fact(string(b)), err
}

func fact(version string) []analyzer.Fact {
	return []analyzer.Fact{{Kind: analyzer.KindPackage, Package: &sbom.Package{Name: "p", Version: version}}}
}

func options(p probe) *layer.Options {
	return &layer.Options{Analyzers: analyzer.NewSet(p)}
}

// seen lists "path=content" for what the probe was shown.
func seen(f *layer.Fragment) (out []string) {
	for _, file := range f.Files {
		out = append(out, file.Path+"="+file.Facts[0].Package.Version)
	}
	return out
}

var byName = probe{paths: analyzer.Paths{Names: []string{"want"}}}

func TestScanIsTheSameForEveryCompression(t *testing.T) {
	data := imagetest.Tar(imagetest.File{Name: "a/"}, imagetest.File{Name: "a/want", Data: "one"}, imagetest.File{Name: "b/skip", Data: strings.Repeat("x", 600_000)},
		imagetest.File{Name: "./c//want", Data: "two"}, imagetest.File{Name: "d/.wh.gone"}, imagetest.File{Name: "e/.wh..wh..opq"})
	var first []byte
	for _, c := range []imagetest.Compression{imagetest.Plain, imagetest.Gzip, imagetest.Zstd} {
		f, err := layer.Scan(t.Context(), imagetest.Blob(data, c), options(byName))
		if err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		if diff := cmp.Diff([]string{"a/want=one", "c/want=two"}, seen(f)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c, diff)
		}
		if diff := cmp.Diff([]string{"d/gone"}, f.Whiteouts); diff != "" {
			t.Errorf("%s: whiteouts (-want +got):\n%s", c, diff)
		}
		if diff := cmp.Diff([]string{"e"}, f.Opaque); diff != "" {
			t.Errorf("%s: opaque (-want +got):\n%s", c, diff)
		}
		if f.Size != int64(len(data)) {
			t.Errorf("%s: size %d, want %d", c, f.Size, len(data))
		}
		b, err := f.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		}
		if !bytes.Equal(first, b) {
			t.Errorf("%s: fragment bytes differ from those of the first compression", c)
		}
		back, err := layer.DecodeFragment(b)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := back.Encode(); !bytes.Equal(b, again) {
			t.Errorf("%s: a decoded fragment encodes differently", c)
		}
	}
}

// TestForgedContent exchanges the bytes of a layer under its old names.
func TestForgedContent(t *testing.T) {
	good := imagetest.Tar(imagetest.File{Name: "want", Data: "good"})
	evil := imagetest.Tar(imagetest.File{Name: "want", Data: "evil"})
	for _, c := range []imagetest.Compression{imagetest.Plain, imagetest.Gzip, imagetest.Zstd} {
		forged := imagetest.Blob(good, c)
		forged.Open = imagetest.Opener(imagetest.Compress(evil, c))
		forged.Descriptor.Size = -1 // not even the size helps
		diffOnly := forged
		diffOnly.Descriptor.Digest = "" // as in a docker-archive
		relabelled := imagetest.Blob(evil, c)
		relabelled.DiffID = imagetest.Digest(good) // honest blob, forged config
		for name, b := range map[string]layer.Blob{"digest": forged, "diffID alone": diffOnly, "config": relabelled} {
			f, err := layer.Scan(t.Context(), b, options(byName))
			if f != nil || !errors.Is(err, fault.Mismatch) {
				t.Fatalf("%s, %s: got fragment %v, error %v; want a mismatch", c, name, f, err)
			}
			want, got := imagetest.Digest(good), imagetest.Digest(evil)
			if name == "digest" && c != imagetest.Plain {
				want, got = imagetest.Digest(imagetest.Compress(good, c)), imagetest.Digest(imagetest.Compress(evil, c))
			}
			if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), got) {
				t.Errorf("%s, %s: %v does not name both %s and %s", c, name, err, want, got)
			}
		}
	}
}

func TestDamagedLayers(t *testing.T) {
	data := imagetest.Tar(imagetest.File{Name: "want", Data: strings.Repeat("content ", 10_000)})
	gz := imagetest.Compress(data, imagetest.Gzip)
	flipped := bytes.Clone(gz)
	flipped[len(flipped)-6] ^= 1 // CRC
	tests := []struct {
		name   string
		stored []byte
		kind   error
	}{
		{"empty", nil, fault.Mismatch},
		{"truncated gzip", gz[:len(gz)/2], io.ErrUnexpectedEOF},
		{"wrong CRC", flipped, fault.Invalid},
		{"garbage after gzip", append(bytes.Clone(gz), "garbage that is no gzip member"...), fault.Invalid},
		{"truncated tar", data[:1000], io.ErrUnexpectedEOF},
		{"xz", []byte("\xfd7zXZ\x00 and more"), fault.Unsupported},
		{"bzip2", []byte("BZh91AY&SY and more"), fault.Unsupported},
		{"not a tar", bytes.Repeat([]byte("no"), 2000), fault.Invalid},
		{"zstd window", []byte("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00x"), fault.Limit},
		{"zstd window is bad input", []byte("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00x"), fault.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := layer.Blob{DiffID: imagetest.Digest(data), Descriptor: sbom.Descriptor{Size: -1}, Open: imagetest.Opener(tt.stored)}
			f, err := layer.Scan(t.Context(), b, options(byName))
			if f != nil || !errors.Is(err, tt.kind) {
				t.Errorf("fragment %v, error %v; want one that is %q", f, err, tt.kind)
			}
			if err != nil && !strings.Contains(err.Error(), b.DiffID) {
				t.Errorf("error %v does not name the layer", err)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	zeros := imagetest.Tar(imagetest.File{Name: "zeros", Data: strings.Repeat("\x00", 80<<20)})
	many := imagetest.Tar(imagetest.File{Name: "a"}, imagetest.File{Name: "b"}, imagetest.File{Name: "c"})
	tests := []struct {
		name   string
		data   []byte
		limits analyzer.Limits
		what   string
	}{
		{"ratio", zeros, analyzer.Limits{Ratio: 100}, "compression ratio"},
		{"bytes", zeros, analyzer.Limits{LayerBytes: 1 << 20}, "uncompressed bytes"},
		{"entries", many, analyzer.Limits{Entries: 2}, "entries"},
		{"path", imagetest.Tar(imagetest.File{Name: strings.Repeat("long/", 100)}), analyzer.Limits{PathBytes: 400}, "bytes of a path"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opt := options(byName)
			opt.Budget = analyzer.NewBudget(tt.limits)
			_, err := layer.Scan(t.Context(), imagetest.Blob(tt.data, imagetest.Gzip), opt)
			var limit *fault.LimitError
			if !errors.As(err, &limit) || limit.What != tt.what || limit.Seen <= limit.Max {
				t.Errorf("error %v; want a limit on %s that names what was seen", err, tt.what)
			}
		})
	}
}

func TestFailingAnalyzersLeaveGaps(t *testing.T) {
	data := imagetest.Tar(imagetest.File{Name: "a/want", Data: "boom"}, imagetest.File{Name: "b/want", Data: "fine"})
	tests := []struct {
		name    string
		extract func(*analyzer.File) ([]analyzer.Fact, error)
		code    sbom.GapCode
	}{
		{"panic", func(*analyzer.File) ([]analyzer.Fact, error) { panic("boom") }, sbom.GapPanic},
		{"invalid", func(f *analyzer.File) ([]analyzer.Fact, error) { return nil, fmt.Errorf("line 1: %w", fault.Invalid) }, sbom.GapUnreadable},
		{"limit", func(f *analyzer.File) ([]analyzer.Fact, error) { _, err := f.Bytes(1); return nil, err }, sbom.GapLimit},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := probe{paths: byName.paths, extract: func(f *analyzer.File) ([]analyzer.Fact, error) {
				if f.Path == "a/want" {
					return tt.extract(f)
				}
				return fact("ok"), nil
			}}
			f, err := layer.Scan(t.Context(), imagetest.Blob(data, imagetest.Gzip), options(p))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"b/want=ok"}, seen(f)); diff != "" {
				t.Errorf("the other file (-want +got):\n%s", diff)
			}
			if len(f.Gaps) != 1 || f.Gaps[0].Code != tt.code || !f.Gaps[0].Blocking || f.Gaps[0].Where != "a/want" {
				t.Errorf("gaps %+v; want one blocking %s at a/want", f.Gaps, tt.code)
			}
		})
	}
}

func TestLinksAndDuplicates(t *testing.T) {
	data := imagetest.Tar(
		imagetest.File{Name: "store/1", Data: "linked"},
		imagetest.File{Name: "hard/want", HardLink: "store/1"},
		imagetest.File{Name: "chain/want", HardLink: "hard/want"},
		imagetest.File{Name: "lost/want", HardLink: "../../nowhere"},
		imagetest.File{Name: "twice/want", Data: "first"},
		imagetest.File{Name: "twice/want", Data: "second"},
		imagetest.File{Name: "soft/want", Link: "/etc/passwd"},
		imagetest.File{Name: "../../escape/want", Data: "inside"},
	)
	for _, c := range []imagetest.Compression{imagetest.Plain, imagetest.Gzip} {
		f, err := layer.Scan(t.Context(), imagetest.Blob(data, c), options(byName))
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"twice/want=second", "escape/want=inside", "hard/want=linked", "chain/want=linked"}
		if diff := cmp.Diff(want, seen(f)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c, diff)
		}
		var gaps []string
		for _, g := range f.Gaps {
			gaps = append(gaps, string(g.Code)+" "+g.Where)
		}
		if diff := cmp.Diff([]string{"oddity twice/want", "oddity escape/want", "uncaptured lost/want"}, gaps); diff != "" {
			t.Errorf("%s: gaps (-want +got):\n%s", c, diff)
		}
	}
}

func TestRandomAccess(t *testing.T) {
	content := strings.Repeat("0123456789", 1<<20) // larger than what is held in memory
	p := probe{paths: analyzer.Paths{Magic: []string{"0123"}}, extract: func(f *analyzer.File) ([]analyzer.Fact, error) {
		at, err := f.ReaderAt()
		if err != nil {
			return nil, err
		}
		tail := make([]byte, 5)
		if _, err := at.ReadAt(tail, f.Size-5); err != nil {
			return nil, err
		}
		return fact(string(tail)), nil
	}}
	small := content[:50_000] + "ABCDE"
	data := imagetest.Tar(imagetest.File{Name: "big", Data: content + "FGHIJ"}, imagetest.File{Name: "small", Data: small}, imagetest.File{Name: "tiny", Data: "0123"})
	for _, c := range []imagetest.Compression{imagetest.Plain, imagetest.Gzip} {
		opt := options(p)
		opt.TempDir = t.TempDir()
		f, err := layer.Scan(t.Context(), imagetest.Blob(data, c), opt)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"big=FGHIJ", "small=ABCDE"}, seen(f)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c, diff)
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	data := imagetest.Tar(imagetest.File{Name: "want", Data: "x"})
	if _, err := layer.Scan(ctx, imagetest.Blob(data, imagetest.Gzip), options(byName)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}
