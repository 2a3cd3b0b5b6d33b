package cyclonedx

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/internal/covered"
)

// TestGeneratorCoversTheModel: the documents of TestRoundTrip together set every
// field of the model, so that one that is added later cannot be forgotten.
func TestGeneratorCoversTheModel(t *testing.T) {
	documents := rapid.Custom(func(t *rapid.T) *sbom.Document { return drawDocument(t, newest) })
	var docs []*sbom.Document
	for seed := range 400 { // always the same ones: chance must not decide
		docs = append(docs, documents.Example(seed))
	}
	if missing := covered.Missing(docs...); len(missing) > 0 {
		t.Errorf("no generated document sets %q", missing)
	}
}
