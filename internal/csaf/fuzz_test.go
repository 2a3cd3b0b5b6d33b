package csaf_test

import (
	"testing"

	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/testdata"
)

// FuzzDecode: nothing that can be read makes reading, validating or resolving
// fail otherwise than by an error, and a verdict is always the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(version21))
	for _, text := range testdata.Open(f, "conformance/csaf20-validator.tar.gz") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, err := csaf.Decode(text, nil)
		if err != nil {
			if doc != nil {
				t.Fatal("a document with an error")
			}
			return
		}
		p := csaf.NewProducts(doc.ProductTree)
		for _, id := range p.IDs() {
			if r, err := p.Resolve(id); err == nil && (r.Component == nil || r.Component.Composed()) {
				t.Fatalf("%q has the component %v", id, r.Component)
			}
		}
		first, err := csaf.Validate(doc, "x.json", everything)
		if err != nil {
			return
		}
		second, _ := csaf.Validate(doc, "x.json", everything)
		if len(first) != len(second) {
			t.Fatalf("%d problems, then %d", len(first), len(second))
		}
		for i := range first {
			if first[i] != second[i] {
				t.Fatalf("%v, then %v", first[i], second[i])
			}
		}
	})
}
