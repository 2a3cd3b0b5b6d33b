package osv

import (
	"testing"

	"github.com/stella-ops/stella/internal/testdata"
)

// BenchmarkParse reads the records of real databases from memory.
func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"osv-go", "osv-almalinux", "osv-ghsa-mixed", "osv-bellsoft", "osv-julia"} {
		files := testdata.Open(b, "advisories/"+name+".tar.gz")
		names, size := testdata.Names(files), 0
		for _, text := range files {
			size += len(text)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			p := newParser(nil)
			for b.Loop() {
				for _, n := range names {
					if _, err := parse(p, files[n], n); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(len(names)*b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
