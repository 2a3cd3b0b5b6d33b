package advisory_test

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/internal/testdata"
	"github.com/stella-ops/stella/scan/sbom/format"
)

// TestRealKeys holds the keys and facts of real documents against what matching
// finds in them.
func TestRealKeys(t *testing.T) {
	s := view(t, shared(t, sharedPacks...)...)
	documents, packages, found := 0, 0, 0
	facts := map[string]bool{}
	for _, pack := range []string{"sbom/guac-top-images", "sbom/redhat-trustify", "sbom/cdx-examples"} {
		for name, text := range testdata.Open(t, pack+".tar.gz") {
			doc, _, err := format.Decode(bytes.NewReader(text))
			if err != nil || len(doc.Packages) > 5000 {
				continue
			}
			keys := advisory.Keys(doc)
			documents, packages = documents+1, packages+len(keys)
			byID := map[string]advisory.PackageKey{}
			var all []string
			at := map[string]int{}
			for _, k := range keys {
				byID[k.Package] = k
				if k.Fact != "" {
					facts[k.Fact] = true
					at[k.Package] = len(all)
					all = append(all, k.Fact)
				}
			}
			m := advisory.Matcher{View: s, Options: advisory.Options{CPE: true}}
			report, err := m.Match(context.Background(), doc)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range report.Findings {
				found++
				if k := (finding.Key{Ecosystem: advisory.BaseEcosystem(f.Evidence.Ecosystem), Name: f.Evidence.Name}); !slices.Contains(byID[f.Package].Keys, k) {
					t.Errorf("%s: %v is not among the keys of %s: %v", name, k, f.PURL, byID[f.Package].Keys)
				}
			}
			docs, err := advisory.Recall(all)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			recalled := 0
			for _, d := range docs {
				r, err := m.Match(context.Background(), d)
				if err != nil {
					t.Fatal(err)
				}
				recalled += len(r.Findings)
			}
			if recalled != len(report.Findings) {
				t.Errorf("%s: %d findings by facts, %d in the document", name, recalled, len(report.Findings))
			}
		}
	}
	size := 0
	for f := range facts {
		size += len(f)
	}
	t.Logf("%d documents, %d packages, %d findings; %d distinct facts of %d bytes on average", documents, packages, found, len(facts), size/max(len(facts), 1))
	if documents < 50 || packages < 5000 {
		t.Errorf("only %d documents with %d packages were read", documents, packages)
	}
}
