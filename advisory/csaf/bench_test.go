package csaf_test

import (
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/csaf"
	"github.com/stella-ops/stella/internal/testdata"
)

// BenchmarkParse reads one VEX document of 672 KB, validation included.
func BenchmarkParse(b *testing.B) {
	const name = "etc/datasets/ds3/csaf/2024/cve-2024-28834.json"
	doc := &advisory.Document{Name: name, Content: testdata.Open(b, "vex/csaf-vex-redhat-trustify.tar.gz")[name]}
	s := csaf.RedHatVEX()
	b.SetBytes(int64(len(doc.Content)))
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range s.Parse(doc) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
