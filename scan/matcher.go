package scan

import (
	"context"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan/sbom"
)

// Matcher says which packages of a document are affected by what is known.
// advisory.Matcher is one.
type Matcher interface {
	// Match is safe for concurrent use. What cannot be assessed is a gap of the
	// report, never an absence of findings; an error means that the advisory
	// data itself could not be read.
	Match(ctx context.Context, doc *sbom.Document) (*finding.Report, error)
}
