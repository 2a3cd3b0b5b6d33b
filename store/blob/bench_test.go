package blob_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/stella-ops/stella/store/blob"
)

// BenchmarkRead compares checked reading with what the driver gives.
func BenchmarkRead(b *testing.B) {
	d := blob.NewMem(0)
	bucket := blob.New(d)
	p := make([]byte, 64<<20)
	ref, err := bucket.Put(b.Context(), bytes.NewReader(p))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Checked", func(b *testing.B) {
		b.SetBytes(ref.Size)
		for b.Loop() {
			r, err := bucket.Open(b.Context(), ref)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				b.Fatal(err)
			}
			r.Close()
		}
	})
	b.Run("Range", func(b *testing.B) { // 64 KiB of it
		for b.Loop() {
			r, err := bucket.ReadRange(b.Context(), ref, 5<<20+1000, 64<<10)
			if err != nil {
				b.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, r); err != nil || n != 64<<10 {
				b.Fatal(n, err)
			}
			r.Close()
		}
	})
}
