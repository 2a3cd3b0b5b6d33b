package inflate

import (
	"bytes"
	"compress/flate"
	"io"
	"os"
	"testing"

	kflate "github.com/klauspost/compress/flate"
)

// BenchmarkInflate compares with the standard library and with klauspost/compress, on the
// gzip file that STELLA_LAYER names, or on a made one.
func BenchmarkInflate(b *testing.B) {
	z := deflated(samples()["text"], 6)
	if name := os.Getenv("STELLA_LAYER"); name != "" {
		file, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		z = file[bytes.IndexByte(file[10:], 0)+11:] // after the name
		if file[3] == 0 {
			z = file[10:]
		}
	}
	n, err := io.Copy(io.Discard, NewReader(bytes.NewReader(z)))
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	for _, c := range []struct {
		name string
		open func(io.Reader) io.Reader
	}{
		{"here", func(r io.Reader) io.Reader { return NewReader(r) }},
		{"klauspost", func(r io.Reader) io.Reader { return kflate.NewReader(r) }},
		{"std", func(r io.Reader) io.Reader { return flate.NewReader(r) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(n)
			for b.Loop() {
				if m, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c.open(bytes.NewReader(z))}, buf); m != n || err != nil {
					b.Fatal(m, err)
				}
			}
		})
	}
}
