package advisory_test

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// sharedSBOMs reads those SBOMs of the shared data that can be read.
func sharedSBOMs(t *testing.T) (docs []*sbom.Document) {
	t.Helper()
	for _, pack := range []string{"sbom/guac-top-images.tar.gz", "sbom/guac-docs.tar.gz", "sbom/cdx-examples.tar.gz", "sbom/redhat-trustify.tar.gz"} {
		files := testdata.Open(t, pack)
		for _, name := range testdata.Names(files) {
			if doc, _, err := format.Decode(bytes.NewReader(files[name])); err == nil && len(doc.Packages) > 0 {
				docs = append(docs, doc)
			}
		}
	}
	return docs
}

// TestRealExplanations: of real SBOMs and records, every finding is explained by
// itself, and what is no finding has a reason. With -short some are.
func TestRealExplanations(t *testing.T) {
	m := advisory.Matcher{View: view(t, shared(t, sharedPacks...)...)}
	ctx := context.Background()
	findings, reasons := 0, map[string]int{}
	docs := sharedSBOMs(t)
	packages := 0
	for _, doc := range docs {
		report, err := m.Match(ctx, doc)
		if err != nil {
			t.Fatal(err)
		}
		packages += len(doc.Packages)
		step := 1
		if testing.Short() {
			step = 20
		}
		of := map[[2]string][]finding.Finding{}
		for _, f := range report.Findings {
			key := [2]string{f.Package, f.Vulnerability}
			of[key] = append(of[key], f)
		}
		for i := 0; i < len(report.Findings); i += step {
			f := &report.Findings[i]
			x, err := m.Explain(ctx, doc, f.Package, f.Vulnerability)
			if err != nil {
				t.Fatal(err)
			}
			findings++
			if x.Conclusion != finding.Affected || !slices.ContainsFunc(x.Findings, func(g finding.Finding) bool { return cmp.Equal(*f, g) }) {
				t.Errorf("%s of %s is explained as %s %s, and it is reported", f.Vulnerability, f.PURL, x.Conclusion, x.Why)
			}
			checkExplanation(t, x, report, f.Package)
		}
		// The same vulnerabilities of other packages.
		for i := 0; i < len(report.Findings); i += max(1, len(report.Findings)/10) * step {
			for j := 0; j < len(doc.Packages); j += max(1, len(doc.Packages)/10) {
				p, id := &doc.Packages[j], report.Findings[i].Vulnerability
				x, err := m.Explain(ctx, doc, p.ID, id)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(of[[2]string{p.ID, id}], x.Findings); diff != "" {
					t.Errorf("%s of %s (-reported +explained):\n%s", id, p.PURL, diff)
				}
				checkExplanation(t, x, report, p.ID)
				reasons[string(x.Conclusion)+" "+string(x.Reason)]++
			}
		}
	}
	t.Logf("%d documents with %d packages: %d findings explained; others: %v", len(docs), packages, findings, reasons)
	if findings == 0 {
		t.Error("there is no finding")
	}
}
