package csaf_test

import (
	"testing"

	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/testdata"
)

// largest is the largest real document there is, of 3 MB.
func largest(b *testing.B) []byte {
	text := testdata.Open(b, "vex/csaf-vex-claircore.tar.gz")["rhel/vex/testdata/cve-2022-38752.json"]
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	return text
}

func BenchmarkDecode(b *testing.B) {
	text := largest(b)
	for b.Loop() {
		if _, err := csaf.Decode(text, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	doc, err := csaf.Decode(largest(b), nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := csaf.Validate(doc, "", &csaf.ValidateOptions{CVSS: calculate}); err != nil {
			b.Fatal(err)
		}
	}
}
