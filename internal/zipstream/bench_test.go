package zipstream

import (
	"archive/zip"
	"bytes"
	"fmt"
	"testing"
)

// BenchmarkMembers lists the 5,000 members of an archive, beside the standard
// library, which holds them all.
func BenchmarkMembers(b *testing.B) {
	entries := make([]entry, 5000)
	for i := range entries {
		entries[i] = entry{Name: fmt.Sprintf("org/example/application/module/Class%d.class", i), Content: "x"}
	}
	data := pack(b, "", entries...)
	b.Run("here", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			a, err := Open(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				b.Fatal(err)
			}
			n := 0
			for _, err := range a.Members() {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != len(entries) {
				b.Fatal(n)
			}
		}
	})
	b.Run("archive-zip", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if z, err := zip.NewReader(bytes.NewReader(data), int64(len(data))); err != nil || len(z.File) != len(entries) {
				b.Fatal(err)
			}
		}
	})
}
