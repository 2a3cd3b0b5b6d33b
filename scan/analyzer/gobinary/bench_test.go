package gobinary_test

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"io"
	"os"
	"testing"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/gobinary"
)

// BenchmarkExtract reads the executable of the test, a few megabytes of Go, as
// a stream, and the same with its magic broken, which is what a program in
// another language costs. STELLA_EXECUTABLE names a larger one.
func BenchmarkExtract(b *testing.B) {
	name := os.Getenv("STELLA_EXECUTABLE")
	if name == "" {
		var err error
		if name, err = os.Executable(); err != nil {
			b.Fatal(err)
		}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		b.Fatal(err)
	}
	other := bytes.ReplaceAll(data, []byte("\xff Go buildinf:"), []byte("\xff No buildinf:"))
	other = bytes.ReplaceAll(other, []byte("Go\x00\x00"), []byte("No\x00\x00"))
	run := func(name string, data []byte, found bool) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				f := analyzer.NewFile("app", int64(len(data)), 0o755, forwardOnly{b, bytes.NewReader(data)}, nil, nil)
				facts, err := gobinary.Analyzer{}.Extract(context.Background(), f)
				if err != nil || (len(facts) > 0) != found {
					b.Fatal(len(facts), err)
				}
			}
		})
	}
	run("Go", data, true)
	run("other", other, false)
	b.Run("debug-buildinfo", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := buildinfo.Read(bytes.NewReader(data)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("floor", func(b *testing.B) { // one copy of the bytes, as any stream must make
		b.SetBytes(int64(len(data)))
		buf := make([]byte, 64<<10)
		for b.Loop() {
			_, _ = io.CopyBuffer(io.Discard, struct{ io.Reader }{bytes.NewReader(data)}, buf)
		}
	})
}
