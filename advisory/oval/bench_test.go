package oval_test

import (
	"bytes"
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/oval"
	"github.com/stella-ops/stella/internal/testdata"
)

// BenchmarkParse reads a whole feed.
func BenchmarkParse(b *testing.B) {
	content := testdata.Open(b, "advisories/oval-azurelinux.tar.gz")["cbl-mariner-1.0-oval.xml"]
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range oval.Azure().Parse(&advisory.Document{Name: "cbl-mariner-1.0-oval.xml", Content: content}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if want := bytes.Count(content, []byte("<definition ")); n != want {
			b.Fatalf("%d records, want %d", n, want)
		}
	}
}
