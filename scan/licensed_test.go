package scan_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/imagetest"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/licenses"
	"github.com/stella-ops/stella/scan/analyzer/npm"
	"github.com/stella-ops/stella/scan/sbom"
)

// TestDetectedLicenses: what a package declares and what a text beside it says are two
// statements; a text that a later layer removed says nothing.
func TestDetectedLicenses(t *testing.T) {
	const text = "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided " +
		"that the above copyright notice and this permission notice appear in all copies.\n\nTHE SOFTWARE IS PROVIDED \"AS IS\" AND THE AUTHOR " +
		"DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL " +
		"THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, " +
		"DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR " +
		"PERFORMANCE OF THIS SOFTWARE.\n"
	img := testImage(imagetest.Gzip,
		imagetest.Tar(
			imagetest.File{Name: "app/node_modules/a/package.json", Data: `{"name":"a","version":"1.0.0","license":"MIT"}`}, imagetest.File{Name: "app/node_modules/a/LICENSE", Data: text},
			imagetest.File{Name: "app/node_modules/b/package.json", Data: `{"name":"b","version":"1.0.0"}`}, imagetest.File{Name: "app/node_modules/b/LICENSE", Data: text}),
		imagetest.Tar(imagetest.File{Name: "app/node_modules/b/.wh.LICENSE", Data: ""}))
	s := &scan.Scanner{Analyzers: analyzer.NewSet(npm.Analyzer{}, licenses.Analyzer{})}
	res, err := s.Scan(context.Background(), img)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]sbom.License{}
	for _, p := range res.Document.Packages {
		got[p.Name] = p.Licenses
	}
	want := map[string][]sbom.License{"a": {{Expression: "MIT"}, {Kind: sbom.LicenseDetected, Expression: "ISC"}}, "b": nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
